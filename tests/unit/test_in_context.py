"""In-context learning: shots, induction scores and losses against plain loops, on a random model."""

import math

import pytest
import torch

from core.charts import in_context as charts
from core.measure.attention_stats import random_twice
from core.measure.continuations import continuation_logprobs
from core.measure.in_context import (
    beside,
    bits_by_place,
    few_shot,
    few_shot_prompts,
    few_shot_runs,
    in_context_score,
    induction_scores,
    losses,
    strongest,
)
from core.models import trace


def test_prompts_take_one_example_more_each_time():
    assert few_shot_prompts(["a -> b", "c -> d"], "e ->", "\n") == ["e ->", "a -> b\ne ->", "a -> b\nc -> d\ne ->"]
    assert few_shot_prompts([], "e ->", ", ") == ["e ->"]


def test_a_shot_is_the_probability_of_the_whole_answer(tiny):
    prompts, answer = [[5, 9], [7, 3, 5, 9]], [11, 12]
    found = list(few_shot(tiny, prompts, answer))
    expected = continuation_logprobs(tiny, [(prompt, answer) for prompt in prompts]).exp().tolist()
    assert [shot.probability for shot in found] == pytest.approx(expected, rel=1e-4)
    assert [shot.says for shot in found] == [int(tiny.logits(prompt)[-1].argmax()) for prompt in prompts]


def test_shots_with_heads_off_are_those_of_the_trace(tiny):
    off = [(0, 1), (1, 3)]
    shot = next(few_shot(tiny, [[5, 9, 2]], [11], off))
    logits = trace(tiny, [5, 9, 2], ablate=off)["logits"][-1]
    assert shot.probability == pytest.approx(float(logits.softmax(-1)[11]), rel=1e-4)
    assert shot.probability != pytest.approx(next(few_shot(tiny, [[5, 9, 2]], [11])).probability, rel=1e-3)


def test_runs_side_by_side_are_those_one_after_the_other(tiny):
    runs, prompts = [(), ((0, 1), (1, 3)), ((0, 0),), ((0, 1), (0, 2), (1, 1))], [[5, 9, 2], [4], [7, 3, 5, 9, 1, 2]]
    together = [[shot.probability for shot in shots] for shots in few_shot_runs(tiny, prompts, [11, 4], runs)]
    apart = [[shot.probability for shot in few_shot(tiny, prompts, [11, 4], run)] for run in runs]
    assert together == [pytest.approx(column, rel=1e-4) for column in zip(*apart)]


def test_induction_scores_equal_a_brute_force_loop(tiny):
    """On random tokens read twice: the mean weight of every token's query on all tokens that followed it before."""
    n, seeds = 12, (0, 3)
    expected = torch.zeros(2, 4)
    for seed in seeds:
        ids = random_twice(tiny, n, seed)
        found = trace(tiny, ids)
        for layer in range(2):
            for head in range(4):
                pattern, weights = found[f"blocks.{layer}.attn.hook_pattern"][head].tolist(), []
                for i in range(2 * n):
                    after = [j for j in range(1, i) if ids[j - 1] == ids[i]]
                    if after:
                        weights.append(sum(pattern[i][j] for j in after))
                expected[layer, head] += sum(weights) / len(weights) / len(seeds)
    torch.testing.assert_close(induction_scores(tiny, n, seeds), expected, atol=1e-6, rtol=1e-4)


def test_random_tokens_stand_there_twice(tiny):
    ids = random_twice(tiny, 9, 4)
    assert ids[:9] == ids[9:] and len(set(ids)) > 5 and random_twice(tiny, 9, 4) == ids != random_twice(tiny, 9, 5)


def test_strongest_and_their_comparison():
    scores = torch.tensor([[0.1, 0.9, 0.0], [0.5, 0.2, 0.3]])
    off = strongest(scores, 3)
    assert off == [(0, 1), (1, 0), (1, 2)]
    for seed in range(4):
        others = beside(off, 3, seed)
        assert not set(others) & set(off)
        assert [layer for layer, _ in others] == [0, 1]  # layer 1 has one left of three


def test_losses_equal_log_softmax(tiny):
    ids = [3, 8, 1, 8, 3]
    expected = -tiny.logits(ids)[:-1].log_softmax(-1)[range(4), ids[1:]]
    torch.testing.assert_close(losses(tiny, ids), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(losses(tiny, ids, [(0, 0)]), expected, atol=1e-4)


def test_bits_by_place_equal_a_plain_loop():
    n_bytes, nll, width = [3, 1, 4, 1, 5, 9, 2, 6], torch.tensor([1.0, 2.0, 0.5, 0.25, 3.0, 1.5, 1.0]), 8
    bits, counted, read = [0.0] * 4, [0] * 4, n_bytes[0]
    for i, loss in enumerate(nll.tolist(), 1):
        bits[read // width] += loss / math.log(2)
        counted[read // width] += n_bytes[i]
        read += n_bytes[i]
    found = bits_by_place(nll, n_bytes, width)
    assert found[0].tolist() == pytest.approx(bits) and found[1].tolist() == counted


def test_in_context_score_is_late_less_early():
    nll = torch.full((600,), 5.0)
    nll[498] = 3.0  # of the 500th token
    assert in_context_score(nll, around=0) == pytest.approx(-2.0)
    nll[48] = 6.0  # of the 50th
    assert in_context_score(nll, around=0) == pytest.approx(-3.0)
    assert in_context_score(nll) == pytest.approx(-3.0 / 41)
    with pytest.raises(ValueError, match="must have more than 520 tokens, got 101"):
        in_context_score(torch.zeros(100))


def test_chart_data():
    data = charts.shots_data({"induction": [0.1, 0.2], "all": [0.3, 0.4]}, [0, 1], ["a", "b"], 1)
    assert data["shots"].tolist() == [0, 1, 0, 1] and data["role"].tolist() == ["reused"] * 2 + ["computed"] * 2
    cells = charts.scores_data(torch.tensor([[0.1, 0.9], [0.5, 0.2]]).numpy(), [(0, 1), (1, 0)], (1, 0))
    assert cells["framed"].tolist() == [0, 1, 2, 0] and cells["layer"].tolist() == [1, 1, 2, 2] and cells["head"].tolist() == [1, 2, 1, 2]
    assert charts.twice_data({"all": [1.0, 2.0]})["position"].tolist() == [2, 3]
    places = charts.place_data([("A", [1.0, 2.0]), ("B", [3.0])], 128)
    assert places["bytes"].tolist() == [64.0, 192.0, 64.0] and places["model"].tolist() == ["A", "A", "B"]


def test_specs_are_built_without_data():
    shots = charts.shots_chart(8, examples="e", share="s", says="t", follow="#x", language="de")
    assert any(p.get("bind", {}).get("element") == "#x" for p in shots["params"])
    for chart in (
        charts.scores_chart(10, layer="l", head="h", score="s"),
        charts.twice_chart(25, position="p", nll="n", again="a", computed="all"),
        charts.place_chart(3072, read="r", bits="b", model="m"),
    ):
        assert "datasets" not in chart and chart["height"] >= 200
