"""Speculative decoding: greedy equals greedy, the distribution is the large model's, the formulas hold."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare

from core.costs.speculation import best_length, block_speedup, speedup, tokens_per_round
from core.decoding import distribution, first_layers, generate, speculate, verify
from core.kv_cache import make_cache
from core.models import Decoder, DecoderConfig, LanguageModel

V, G = 6, 3  # vocabulary and draft length of the statistical tests
DRAWS = 40_000


class Plain:
    """A tokenizer is only asked for its end of text."""

    eot = None


def small(seed: int, n_layers: int = 2, vocab: int = V, std: float = 0.4) -> LanguageModel:
    """A random model whose predictions depend on the whole text."""
    config = DecoderConfig(n_layers=n_layers, d_model=16, n_heads=2, n_kv_heads=2, d_ff=32, vocab_size=vocab, context_length=64, head_dim=8)
    torch.manual_seed(seed)
    network = Decoder(config)
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=std)
    return LanguageModel(f"small {seed}", network, Plain())


PROMPT = [1, 4, 2, 0, 3]
SETTINGS = [{}, {"temperature": 0.6}, {"temperature": 1.4, "top_k": 4}, {"top_p": 0.8}]


@pytest.fixture(scope="module")
def pair():
    return small(1), small(2, n_layers=1)


def joint(lm, length: int, settings: dict) -> torch.Tensor:
    """Probability of every text of `length` tokens behind the prompt, (V,) * length, by the chain rule."""
    texts = torch.tensor(list(itertools.product(range(V), repeat=length)))  # (V^length, length)
    probs = distribution(lm.logits(torch.cat((torch.tensor(PROMPT).expand(len(texts), -1), texts), 1)), **settings)
    each = probs[:, len(PROMPT) - 1 : -1].gather(-1, texts[..., None])[..., 0]
    return each.prod(-1).view((V,) * length)


def one_round(lm, draft, settings: dict, generator, n: int = DRAWS):
    """n rounds at once: what `speculate` does, with both models' answers to every text looked up."""
    texts = torch.tensor(list(itertools.product(range(V), repeat=G)))
    every = torch.cat((torch.tensor(PROMPT).expand(len(texts), -1), texts), 1)
    p_all, q_all = (distribution(m.logits(every), **settings)[:, len(PROMPT) - 1 :] for m in (lm, draft))  # (V^G, G + 1, V)
    drafted = torch.zeros(n, 0, dtype=torch.long)
    for place in range(G):  # the probabilities at a place depend on the tokens before it only
        filled = torch.cat((drafted, torch.zeros(n, G - place, dtype=torch.long)), 1)
        row = (filled * V ** torch.arange(G - 1, -1, -1)).sum(-1)
        drafted = torch.cat((drafted, torch.multinomial(q_all[row, place], 1, generator=generator)), 1)
    row = (drafted * V ** torch.arange(G - 1, -1, -1)).sum(-1)
    accepted, token = verify(p_all[row], q_all[row, :G], drafted, generator)
    return drafted, accepted, token, p_all[row], q_all[row, :G]


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_is_written_is_distributed_as_plain_sampling_writes_it(pair, settings):
    """Chi-square of the first two tokens: of a round that wrote one, the second is drawn from the large model as the next round would."""
    lm, draft = pair
    generator = torch.Generator().manual_seed(3)
    drafted, accepted, token, p, _ = one_round(lm, draft, settings, generator)
    first = torch.where(accepted > 0, drafted[:, 0], token)
    begun = torch.cat((torch.tensor(PROMPT).expand(V, -1), torch.arange(V)[:, None]), 1)
    following = distribution(lm.logits(begun), **settings)[:, -1]  # (V, V)
    fresh = torch.multinomial(following[first], 1, generator=generator)[:, 0]
    second = torch.where(accepted > 1, drafted[:, 1], torch.where(accepted == 1, token, fresh))
    expected = joint(lm, 2, settings).flatten().double()
    counts = torch.bincount(first * V + second, minlength=V * V)
    assert counts[expected == 0].sum() == 0
    possible = expected > 0
    wanted = (expected[possible] / expected[possible].sum() * DRAWS).numpy()
    assert chisquare(counts[possible].numpy(), wanted).pvalue > 1e-3
    draft_only = torch.bincount(drafted[:, 0] * V + drafted[:, 1], minlength=V * V)[possible].numpy()  # the test can fail
    assert chisquare(draft_only * (DRAWS / draft_only.sum()), wanted).pvalue < 1e-9


def test_rounds_of_the_real_loop_are_distributed_so_too(pair):
    """One long text from `speculate`: each token's share after each token, compared with a text that `generate` wrote."""
    lm, draft = small(5, n_layers=1, vocab=4), small(6, n_layers=1, vocab=4)
    n = 1_000
    one = [t for r in speculate(lm, draft, [1, 2], n, draft_length=4, seed=1, stop=-1) for t in r.tokens]
    two = [s.token for s in generate(lm, [1, 2], n, seed=2, stop=-1)]
    assert len(one) == len(two) == n
    counts = np.array([np.bincount(np.array(text[:-1]) * 4 + np.array(text[1:]), minlength=16) for text in (one, two)])
    assert chi2_contingency(counts[:, counts.min(0) > 4]).pvalue > 1e-3


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_draft_passes_as_often_as_the_two_distributions_overlap(pair, settings):
    lm, draft = pair
    _, accepted, _, p, q = one_round(lm, draft, settings, torch.Generator().manual_seed(4))
    overlap = float(torch.minimum(p[0, 0], q[0, 0]).sum())  # the first place is the same in all rounds
    assert 0.2 < overlap < 0.95
    error = (overlap * (1 - overlap) / DRAWS) ** 0.5
    assert abs(float((accepted > 0).float().mean()) - overlap) < 4 * error
    assert overlap == pytest.approx(1 - float((p[0, 0] - q[0, 0]).abs().sum()) / 2, abs=1e-6)  # 1 - total variation


@pytest.mark.parametrize("draft_length", [1, 2, 5, 8])
@pytest.mark.parametrize("prompt", [[3], PROMPT])
def test_greedy_writes_the_same_token_for_token(draft_length, prompt):
    for seed in range(10, 13):
        lm, draft = small(seed, vocab=50), small(seed + 100, vocab=50)
        plain = [s.token for s in generate(lm, prompt, 30, temperature=0)]
        rounds = list(speculate(lm, draft, prompt, 30, draft_length, temperature=0))
        assert [t for r in rounds for t in r.tokens] == plain
        assert all(r.passes[i] == 1 for r in rounds for i in range(r.accepted))
        own = list(speculate(lm, lm, prompt, 30, draft_length, temperature=0))  # a model as its own draft is always right
        assert [t for r in own for t in r.tokens] == plain and all(r.accepted == len(r.drafted) for r in own)
        assert len(own) == -(-30 // (draft_length + 1))


def test_events_add_up_and_the_caches_hold_what_was_written(pair):
    lm, draft = pair
    caches = make_cache("full", lm.config), make_cache("full", draft.config)
    text, kinds = list(PROMPT), set()
    for r in speculate(lm, draft, PROMPT, 50, 4, seed=7, caches=caches):
        assert len(r.tokens) == len(r.kinds) and r.kinds[: r.accepted] == ("accepted",) * r.accepted
        text_ended = r.token is None
        assert r.kinds[r.accepted :] == (() if text_ended else ("bonus",) if r.accepted == len(r.drafted) else ("corrected",))
        assert len(r.passes) == len(r.overlap) == len(r.drafted) and all(0 <= x <= 1 + 1e-6 for x in r.passes + r.overlap)
        assert r.seconds > 0 and r.judged == min(r.accepted + 1, len(r.drafted))
        text += r.tokens
        kinds |= set(r.kinds)
        if text_ended:
            break
        assert caches[0].seen[0] == len(text) - 1 and len(text) - 2 <= caches[1].seen[0] <= len(text) - 1
        fresh = make_cache("full", lm.config)
        lm.forward(torch.tensor([text[:-1]]), fresh)
        for layer in range(lm.config.n_layers):
            torch.testing.assert_close(caches[0].read(layer), fresh.read(layer), rtol=1e-4, atol=1e-5)
    assert len(text) == len(PROMPT) + 50 and kinds == {"accepted", "corrected", "bonus"}


def test_the_same_seed_writes_the_same_and_the_end_of_text_ends_it(pair):
    lm, draft = pair
    one, two, other = ([t for r in speculate(lm, draft, PROMPT, 40, 3, seed=s) for t in r.tokens] for s in (1, 1, 2))
    assert one == two != other
    for stop in range(V):
        rounds = list(speculate(lm, draft, PROMPT, 40, 3, seed=1, stop=stop))
        ended = [t for r in rounds for t in r.tokens]
        assert all(stop not in r.drafted[: r.accepted] or r.drafted[-1] == stop for r in rounds)  # nothing was drafted behind it
        assert ended == one[: one.index(stop) + 1] if stop in one else ended == one


def test_what_cannot_be_is_said(pair):
    lm, draft = pair
    with pytest.raises(ValueError, match="draft_length must be >= 1"):
        next(speculate(lm, draft, PROMPT, 5, 0))
    with pytest.raises(ValueError, match="knows 9 tokens"):
        next(speculate(lm, small(3, vocab=9), PROMPT, 5))
    with pytest.raises(ValueError, match="n_layers must be in 1..2"):
        first_layers(lm, 3)


def test_the_first_layers_are_those_of_the_model(pair):
    lm, _ = pair
    assert torch.equal(first_layers(lm, 2).logits(PROMPT), lm.logits(PROMPT))
    shallow = first_layers(lm, 1)
    x = lm.network.embed(torch.tensor([PROMPT]))
    x = lm.network.blocks[0](x, lm.network.rotary_positions(torch.arange(len(PROMPT))), 0)
    torch.testing.assert_close(shallow.logits(PROMPT), lm.network.unembed(lm.network.ln_final(x))[0])
    assert len(lm.network.blocks) == 2 and lm.config.n_layers == 2 and shallow.config.n_layers == 1


def test_a_cache_goes_back_and_on_as_if_nothing_had_happened(tiny):
    ids, other = torch.arange(20)[None], torch.arange(40, 50)[None]
    cache = make_cache("full", tiny.config)
    tiny.forward(ids, cache)
    cache.rewind(12)
    assert cache.seen == cache.lengths == [12, 12] and cache.positions(0).tolist() == list(range(12))
    again = tiny.forward(other, cache)
    torch.testing.assert_close(again, tiny.forward(torch.cat((ids[:, :12], other), 1))[:, 12:], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="cannot go back"):
        cache.rewind(23)
    for kind, options in (("window", {"window": 4}), ("int8", {}), ("paged", {})):
        held = make_cache(kind, tiny.config, **options)
        tiny.forward(ids, held)
        with pytest.raises(ValueError, match="cannot go back"):
            held.rewind(12)


@pytest.mark.parametrize("acceptance", [0.0, 0.35, 0.8, 1.0])
@pytest.mark.parametrize("draft", [1, 4, 8])
def test_tokens_a_round_against_a_simulation(acceptance, draft):
    passed = np.random.default_rng(5).random((40_000, draft)) < acceptance
    tokens = passed.cumprod(1).sum(1) + 1
    assert tokens_per_round(acceptance, draft) == pytest.approx(tokens.mean(), abs=4 * tokens.std() / 200 + 1e-9)


def test_speed_up_by_hand():
    assert tokens_per_round(0.8, 4) == pytest.approx(3.3616) and speedup(0.8, 4, 0.05) == pytest.approx(3.3616 / 1.2)
    assert speedup(0.8, 4, 0.05, check_cost=1.5) == pytest.approx(3.3616 / 1.7)
    assert block_speedup(0.8, 4, 0.2) == pytest.approx(3.3616 / 1.2)
    for a, n in ((0.6, 2), (0.7, 3), (0.9, 10)):
        assert tokens_per_round(a, n) == pytest.approx(sum(a**i for i in range(n + 1)))  # 1 and, for each drafted one, the chance to get so far


def test_drafting_pays_where_acceptance_exceeds_the_cost():
    """Corollary 3.9: if a > c some length gains, at least (1 + a) / (1 + c); if not, none does."""
    for a, c in itertools.product((0.05, 0.3, 0.6, 0.9), (0.02, 0.2, 0.5, 0.8)):
        best = best_length(a, c)
        if a > c:
            assert best >= 1 and speedup(a, best, c) >= (1 + a) / (1 + c) - 1e-12
        else:
            assert best == 0 and all(speedup(a, n, c) <= 1 for n in range(1, 17))
