"""What the first page computes: tokens left out, draws, exercises, and its charts."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from core.charts.language_model import learning_chart, learning_data, sizes_chart, sizes_data
from core.decoding.draws import drawn_shares
from core.measure.left_out import left_out
from core.training.exercises import exercises, inputs_and_targets


def test_leaving_a_token_out_reads_the_shorter_text(tiny):
    ids = [5, 9, 9, 31, 200, 7]
    whole = tiny.logits(ids)[-1].softmax(-1)
    by_hand = [float((tiny.logits(ids[:i] + ids[i + 1 :])[-1].softmax(-1) - whole).clamp(min=0).sum()) for i in range(len(ids))]
    np.testing.assert_allclose(left_out(tiny, ids), by_hand, atol=1e-5)
    np.testing.assert_allclose(left_out(tiny, ids, last=2), by_hand[-2:], atol=1e-5)
    many = left_out(tiny, list(range(40)), last=32)
    assert many.shape == (32,) and (many >= 0).all() and (many <= 1).all()
    with pytest.raises(ValueError, match="two tokens"):
        left_out(tiny, [1])


def test_draws_follow_the_probabilities():
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05])
    shares = drawn_shares(probs, 5000, seed=3)
    assert float(shares.sum()) == pytest.approx(1) and torch.equal(shares, drawn_shares(probs, 5000, seed=3))
    assert chisquare(shares.numpy() * 5000, probs.numpy() * 5000).pvalue > 0.001
    assert sorted(drawn_shares(probs, 1, seed=0).tolist()) == [0, 0, 0, 1]


def test_exercises_are_beginnings_and_what_follows():
    assert exercises([7, 8, 9]) == [([7], 8), ([7, 8], 9)]
    rows = torch.tensor([[7, 8, 9], [1, 2, 3]])
    inputs, targets = inputs_and_targets(rows)
    for row in range(2):
        by_place = [(inputs[row, : n + 1].tolist(), int(targets[row, n])) for n in range(2)]
        assert by_place == exercises(rows[row].tolist())


def test_charts_hold_what_they_are_given():
    data = learning_data([1e6, 2e6, 4e6], [3.0, 2.0, 1.0], now=1)
    assert data["choices"].tolist() == pytest.approx(np.exp([3, 2, 1])) and data["now"].tolist() == [False, True, False]
    sizes = sizes_data({"large": 1e9, "own": 2e7}, "own")
    assert sizes["name"].tolist() == ["own", "large"] and sizes["role"].tolist() == ["computed", "dropped"]
    for chart in (learning_chart(4.0, tokens="a", loss="b", choices="c"), sizes_chart(2, "p", ((1e9, "billion"), (1e6, "million")))):
        assert chart["layer"] and "datasets" not in chart
