"""Perplexity, windows and drift against transformers, scipy and plain loops."""

import importlib
import math

import pytest
import torch
from scipy.spatial.distance import cityblock
from scipy.stats import entropy

from core.costs.attention_pairs import pairs
from core.measure import kl, perplexity, top1_agreement, total_variation
from core.measure.context import next_probs_by_window
from core.models import LanguageModel
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


def test_kl_against_torch_and_by_hand():
    p, q = torch.randn(2, 3, 4, 50, generator=torch.Generator().manual_seed(1)) * 4
    expected = torch.nn.functional.kl_div(q.log_softmax(-1), p.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(kl(p, q), expected, atol=1e-5, rtol=1e-5)
    assert (kl(p, q) >= 0).all() and (kl(p, p) == 0).all()
    half, quarter = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    assert float(kl(half, quarter)) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), abs=1e-6)


def test_kl_where_tokens_are_ruled_out():
    some, every = torch.tensor([0.0, 0.0, -math.inf]), torch.zeros(3)
    assert float(kl(some, every)) == pytest.approx(math.log(1.5), abs=1e-6)
    assert float(kl(every, some)) == math.inf
    assert float(kl(some, some)) == 0


def test_total_variation_against_scipy():
    p, q = torch.randn(2, 6, 30, generator=torch.Generator().manual_seed(2))
    expected = [cityblock(a, b) / 2 for a, b in zip(p.softmax(-1).numpy(), q.softmax(-1).numpy())]
    assert total_variation(p, q).tolist() == pytest.approx(expected, abs=1e-6)
    common = torch.minimum(p.softmax(-1), q.softmax(-1)).sum(-1)  # what speculative decoding accepts
    torch.testing.assert_close(1 - total_variation(p, q), common)
    apart = torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]])
    assert float(total_variation(apart[0], apart[1])) == 1 and float(total_variation(p[0], p[0])) == 0


def test_windows_are_read_together_but_not_too_many(tiny, monkeypatch):
    """Batching does not change what is found."""
    module = importlib.import_module("core.measure.perplexity")  # the package has a function of that name
    ids, shapes, forward = random_ids(tiny, 60)[0], [], LanguageModel.forward
    alone = [perplexity(tiny, ids[max(0, t - 16) : t + 1]).nll[-1] for t in range(1, 60)]

    def recorded(self, ids, *args, **options):
        shapes.append(tuple(ids.shape))
        return forward(self, ids, *args, **options)

    monkeypatch.setattr(module, "TOKENS_AT_ONCE", 100)
    monkeypatch.setattr(LanguageModel, "forward", recorded)
    torch.testing.assert_close(perplexity(tiny, ids, window=16).nll, torch.stack(alone), atol=1e-4, rtol=1e-4)
    assert shapes == [(1, 16)] + [(6, 16)] * 7 + [(1, 16)]


def test_a_text_read_twice_is_known_the_second_time(mini):
    text = " Anna wohnt mit ihrem Hund am Rand der Stadt, und jeden Morgen gehen beide am Fluss entlang bis zur alten Brücke."
    half = torch.tensor(mini.tokenizer.encode(text))
    n, both = len(half), torch.cat((half, half))
    seen = perplexity(mini, both).nll
    cut = perplexity(mini, both, window=n // 2).nll  # the first time is out of sight
    assert seen[n:].mean() < 0.9 * seen[: n - 1].mean() and seen[n:].mean() < 0.9 * cut[n:].mean()
