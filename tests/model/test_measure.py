"""Perplexity, windows and drift against transformers, scipy and plain loops."""

import math

import pytest
import torch
from scipy.stats import entropy

from core.measure import kl, perplexity, top1_agreement
from core.measure.context import next_probs_by_window, pairs
from tests.model.reference import as_transformers, random_ids


@torch.inference_mode()
def test_perplexity_equals_transformers_loss(tiny, mini):
    for lm in (tiny, mini):
        ids = random_ids(lm, 60)
        expected = as_transformers(lm)(ids, labels=ids).loss
        ours = perplexity(lm, ids[0])
        assert float(ours.nll.mean()) == pytest.approx(float(expected), abs=1e-4)
        assert ours.perplexity == pytest.approx(math.exp(expected), rel=1e-4)


@pytest.mark.parametrize("window", [1, 2, 7, 39, 40, 500])
def test_window_equals_the_plain_loop(tiny, window):
    ids = random_ids(tiny, 40)[0]
    expected = [-float(tiny.logits(ids[max(0, t - window) : t])[-1].log_softmax(-1)[ids[t]]) for t in range(1, 40)]
    assert perplexity(tiny, ids, window).nll.tolist() == pytest.approx(expected, abs=1e-4)


def test_texts_longer_than_the_context(tiny):
    ids = random_ids(tiny, 140)[0]
    nll = perplexity(tiny, ids).nll
    assert len(nll) == 139
    assert float(nll[-1]) == pytest.approx(-float(tiny.logits(ids[11:139])[-1].log_softmax(-1)[ids[139]]), abs=1e-4)


def test_mean_of_nlls_1_and_3_gives_e_squared(tiny):
    from core.measure import Perplexity

    assert Perplexity(torch.tensor([1.0, 3.0])).perplexity == pytest.approx(math.e**2)


def test_bad_input_is_named(tiny):
    with pytest.raises(ValueError, match="at least 2 tokens"):
        perplexity(tiny, [1])
    with pytest.raises(ValueError, match="window must be >= 1"):
        perplexity(tiny, [1, 2], 0)
    with pytest.raises(ValueError, match="windows must be >= 1"):
        next_probs_by_window(tiny, [1, 2], [0])


def test_next_probs_by_window_equal_single_runs(tiny):
    ids = random_ids(tiny, 30)[0]
    found = next_probs_by_window(tiny, ids, [1, 10, 30, 99])
    for row, w in zip(found, (1, 10, 30, 30)):
        torch.testing.assert_close(row, tiny.logits(ids[-w:])[-1].softmax(-1), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("n, window", [(1, None), (10, None), (10, 3), (10, 10), (50, 7)])
def test_pairs_counted_one_by_one(n, window):
    assert pairs(n, window) == sum(1 for i in range(n) for j in range(i + 1) if window is None or i - j < window)


def test_drift_against_scipy():
    p, q = torch.randn(2, 6, 30, generator=torch.Generator().manual_seed(0))
    expected = entropy(p.double().softmax(-1).numpy(), q.double().softmax(-1).numpy(), axis=-1)
    assert kl(p, q).tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert top1_agreement(p, p) == 1 and top1_agreement(torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([[1.0, 0], [1, 0]])) == 0.5
