"""Distribution, generation and beam search against transformers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from core.decoding import beam_search, distribution, entropy_bits, generate
from core.kv_cache import make_cache
from tests.model.reference import as_transformers, random_ids


@given(
    temperature=st.floats(0.05, 3),
    top_k=st.none() | st.integers(1, 60),
    top_p=st.none() | st.floats(0.05, 1),
    min_p=st.none() | st.floats(0, 1),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=200, deadline=None)
def test_distribution_equals_transformers(temperature, top_k, top_p, min_p, seed):
    logits = 3 * torch.randn(4, 50, generator=torch.Generator().manual_seed(seed))
    expected = TemperatureLogitsWarper(temperature)(None, logits)
    if top_k:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p and top_p < 1:
        expected = TopPLogitsWarper(top_p)(None, expected)
    if min_p is not None:
        expected = MinPLogitsWarper(min_p)(None, expected)
    ours = distribution(logits, temperature, top_k, top_p, min_p)
    torch.testing.assert_close(ours, expected.softmax(-1), atol=1e-6, rtol=1e-4)


def test_temperature_zero_is_argmax_and_tiny_temperatures_reach_it():
    logits = torch.tensor([1.0, 3.0, 2.0])
    assert distribution(logits, 0).tolist() == [0, 1, 0]
    assert distribution(logits, 1e-30).tolist() == [0, 1, 0]


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"temperature": math.nan}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.1}, {"min_p": -0.1}])
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        distribution(torch.zeros(3), **wrong)


def test_entropy_against_scipy():
    probs = distribution(torch.randn(5, 40, generator=torch.Generator().manual_seed(0)), top_k=20)
    torch.testing.assert_close(entropy_bits(probs).double(), torch.from_numpy(entropy(probs.double().numpy(), base=2, axis=-1)), atol=1e-5, rtol=1e-5)
    assert entropy_bits(torch.tensor([0.25] * 4)) == 2


@pytest.mark.parametrize("model", ["tiny", "mini"])
@pytest.mark.parametrize("width, penalty", [(1, 1.0), (2, 1.0), (3, 0.0), (4, 1.5)])
@torch.inference_mode()
def test_beam_search_equals_transformers(model, width, penalty, request):
    lm = request.getfixturevalue(model)
    reference = as_transformers(lm)
    for seed in range(3):
        ids = random_ids(lm, 8, seed)
        out = reference.generate(
            ids, attention_mask=torch.ones_like(ids), num_beams=width, num_return_sequences=width, max_new_tokens=12,
            length_penalty=penalty, do_sample=False, return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        tree = beam_search(lm, ids, width, 12, penalty)
        theirs = [_until_end(row[8:].tolist(), lm.tokenizer.eot) for row in out.sequences]
        assert [list(h.ids) for h in tree.hypotheses] == theirs
        if width > 1:
            torch.testing.assert_close(torch.tensor([h.score for h in tree.hypotheses]), out.sequences_scores, atol=1e-4, rtol=1e-4)


def _until_end(ids, eot):
    return ids[: ids.index(eot) + 1] if eot in ids else ids


def test_beam_search_with_many_ends_equals_transformers(tiny):
    """A token that comes up often is made the end, so that hypotheses finish at different lengths."""
    reference = as_transformers(tiny)
    ids = random_ids(tiny, 6, 3)
    finished_early = 0
    for stop in {s.token for s in generate(tiny, ids, 30, temperature=1.0, stop=-1)}:
        for penalty in (0.0, 1.0, 2.0):
            out = reference.generate(ids, attention_mask=torch.ones_like(ids), num_beams=3, num_return_sequences=3, max_new_tokens=8,
                                     length_penalty=penalty, do_sample=False, eos_token_id=stop, pad_token_id=0)  # fmt: skip
            ours = [list(h.ids) for h in beam_search(tiny, ids, 3, 8, penalty, stop=stop).hypotheses]
            assert ours == [_until_end(row[6:].tolist(), stop) for row in out]
            finished_early += any(len(o) < 8 for o in ours)
    assert finished_early


def test_width_one_is_greedy_and_totals_add_up(tiny):
    ids = random_ids(tiny, 8)
    greedy = [s.token for s in generate(tiny, ids, 10, temperature=0)]
    assert list(beam_search(tiny, ids, 1, 10).hypotheses[0].ids) == greedy
    tree = beam_search(tiny, ids, 4, 6)
    for hypothesis in tree.hypotheses:
        steps = [tree.nodes[i] for i in tree.branch(hypothesis.node)]
        assert [n.step for n in steps] == list(range(1, len(hypothesis.ids) + 1))
        assert all(n.kept for n in steps)
        assert sum(n.logprob for n in steps) == pytest.approx(hypothesis.logprob, abs=1e-4)


@torch.inference_mode()
def test_exhaustive_search_agrees(tiny):
    """With every token kept, two steps of beam search find the true best pair."""
    ids = random_ids(tiny, 5)
    first = tiny.logits(ids)[0, -1].log_softmax(-1)
    pairs = torch.cat((ids.expand(257, -1), torch.arange(257)[:, None]), dim=1)
    total = first[:, None] + tiny.logits(pairs)[:, -1].log_softmax(-1)
    best = divmod(int(total.argmax()), 257)
    assert beam_search(tiny, ids, 257, 2, stop=-1).hypotheses[0].ids == best


def test_generate_is_reproducible_and_follows_the_seed(tiny):
    ids = random_ids(tiny, 8)
    a, b, c = ([s.token for s in generate(tiny, ids, 12, seed=s)] for s in (1, 1, 2))
    assert a == b != c


def test_generate_writes_on_from_a_filled_cache(tiny):
    ids = random_ids(tiny, 20)
    cache = make_cache("full", tiny.config)
    tiny.forward(ids[:, :15], cache)
    assert [s.token for s in generate(tiny, ids, 8, cache=cache)] == [s.token for s in generate(tiny, ids, 8)]


def test_generate_draws_what_it_says(tiny):
    """2,000 first tokens drawn with different seeds follow the stated distribution (chi-squared)."""
    from scipy.stats import chisquare

    ids = random_ids(tiny, 8)
    probs = next(generate(tiny, ids, 1, top_k=5)).probs
    logits = tiny.logits(ids)[0, -1]
    torch.testing.assert_close(probs, distribution(logits, top_k=5), atol=1e-5, rtol=1e-4)
    counts = torch.zeros(257)
    for seed in range(2000):
        counts[next(generate(tiny, ids, 1, top_k=5, seed=seed)).token] += 1
    kept = probs > 0
    assert counts[~kept].sum() == 0
    assert chisquare(counts[kept].numpy(), 2000 * probs[kept].double().numpy() / probs[kept].double().sum().item()).pvalue > 1e-4
