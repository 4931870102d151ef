"""The context window: answers and losses against plain loops, and what the charts are given."""

import pytest
import torch

from core.charts.context import answer_chart, answer_data, cost_chart, loss_chart, loss_data
from core.measure.context import answer_probability_by_window, losses_in_window, steepest_gap


@pytest.fixture
def ids(tiny):
    return tiny.tokenizer.encode("Annas Hund bellt; und Annas Hund")


def test_answer_probability_equals_the_naive_loop(tiny, ids):
    windows = [1, 2, 5, 17, len(ids), len(ids) + 9]
    naive = [float(tiny.logits(ids[-w:])[-1].softmax(-1)[65]) for w in windows]
    assert answer_probability_by_window(tiny, ids, 65, windows).tolist() == pytest.approx(naive, abs=1e-6)


def test_an_answer_outside_the_vocabulary(tiny, ids):
    with pytest.raises(ValueError, match=r"answer_id must be in 0\.\.256, got 257"):
        answer_probability_by_window(tiny, ids, 257, [3])


@pytest.mark.parametrize("window", [1, 4, 16])
@pytest.mark.parametrize("most", [1, 5, 1000])
def test_losses_equal_the_naive_loop(tiny, ids, window, most):
    found = {}
    for some in losses_in_window(tiny, ids, window, most=most, tokens_at_once=20):
        found |= some
    beyond = range(window + 1, len(ids))
    assert len(found) == min(most, len(beyond)) and set(found) <= {i + 1 for i in beyond}
    for position, loss in found.items():
        naive = tiny.logits(ids[position - 1 - window : position - 1])[-1].log_softmax(-1)[ids[position - 1]]
        assert loss == pytest.approx(-float(naive), abs=1e-4)


def test_losses_are_read_in_bounded_pieces(tiny, ids):
    sizes = [len(some) for some in losses_in_window(tiny, ids, 4, tokens_at_once=12)]
    assert sizes[:-1] == [3] * (len(sizes) - 1) and len(sizes) > 3
    assert not torch.is_inference_mode_enabled()


def test_a_window_over_the_whole_text_loses_nothing(tiny, ids):
    assert list(losses_in_window(tiny, ids, len(ids))) == []
    with pytest.raises(ValueError, match="window must be >= 1, got 0"):
        list(losses_in_window(tiny, ids, 0))


def test_look_next_where_the_answer_changes_most():
    assert steepest_gap({1: 0.0, 10: 0.1, 20: 0.9, 40: 0.8}) == 15
    assert steepest_gap({1: 0.0, 2: 1.0, 12: 1.0}) == 7  # neighbours leave nothing between them
    assert steepest_gap({1: 0.0, 2: 1.0}) is None


def test_chart_data():
    data = answer_data([9, 3], [0.75, 0.25], ["b", "a"], now=5)
    assert data["window"].tolist() == [3, 9] and data["share"].tolist() == [0.25, 0.75] and data["answer"].tolist() == ["a", "b"]
    losses = loss_data([1.0, 2.0, 3.0, 4.0], {5: 8.0}, window=3, smooth=1)
    full, cut = losses[losses["role"] == "reused"], losses[losses["role"] == "computed"]
    assert full["position"].tolist() == [2, 3, 4, 5] and full["nll"].tolist() == [1, 2, 3, 4]
    assert cut["position"].tolist() == [2, 3, 4, 5] and cut["nll"].tolist() == [1, 2, 3, 8]  # the same up to the window


def test_specs_are_built_without_data():
    words = dict.fromkeys(("window", "share", "answer", "position", "nll", "full", "windowed", "tokens", "pairs", "all", "limited"), "x")
    for chart in (answer_chart("de", "#slider", **words), loss_chart("de", **words), cost_chart("en", **words)):
        assert "datasets" not in chart and chart["height"] >= 200
