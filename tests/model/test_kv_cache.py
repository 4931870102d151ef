"""Cache strategies: lossless ones equal no cache; the others keep what they say and weigh what they say."""

import pytest
import torch

from core.decoding import generate
from core.kv_cache import LOSSLESS, STRATEGIES, make_cache
from core.kv_cache.quantized import pack, unpack
from core.models import trace
from tests.model.reference import as_transformers, random_ids


@pytest.fixture(params=["tiny", "mini"])
def lm(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("chunks", [(30,), (1,) * 30, (17, 1, 12)])
def test_lossless_strategies_equal_no_cache(lm, kind, chunks):
    ids = random_ids(lm, 30)
    expected = lm.logits(ids)[0]
    cache = make_cache(kind, lm.config)
    seen = 0
    for n in chunks:
        start = 0 if kind == "none" else seen
        logits = lm.forward(ids[:, start : seen + n], cache)[0, -n:]
        torch.testing.assert_close(logits, expected[seen : seen + n], atol=2e-4, rtol=1e-4)
        seen += n


def test_full_cache_equals_transformers_own(tiny):
    ids = random_ids(tiny, 10)
    reference = as_transformers(tiny)
    out = reference.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False)
    ours = [s.token for s in generate(tiny, ids, 40, temperature=0)]
    assert ours == out[0, 10:].tolist()


@pytest.mark.parametrize("kind, options", [
    ("window", {"window": 16}), ("sinks", {"window": 12, "sinks": 4}), ("heavy_hitters", {"budget": 16, "recent": 8}),
])  # fmt: skip
def test_evicting_strategies_stay_within_budget_and_keep_the_right_tokens(tiny, kind, options):
    ids = random_ids(tiny, 20)
    cache = make_cache(kind, tiny.config, **options)
    steps = list(generate(tiny, ids, 15, cache=cache, stop=-1))
    per_token = 2 * 2 * 2 * 8 * 4  # K and V, 2 layers, 2 heads, 8 dimensions, 4 bytes
    assert all(s.cache_bytes == 16 * per_token for s in steps)
    for layer in range(2):
        held = cache.positions(layer).tolist()
        assert len(held) == 16 and held == sorted(set(held))
        if kind == "window":
            assert held == list(range(18, 34))
        if kind == "sinks":
            assert held == [0, 1, 2, 3, *range(22, 34)]
        if kind == "heavy_hitters":
            assert held[-8:] == list(range(26, 34))


@pytest.mark.parametrize("kind, options", [
    ("window", {"window": 64}), ("sinks", {"window": 60}), ("heavy_hitters", {"budget": 64}),
])  # fmt: skip
def test_within_budget_nothing_is_lost(tiny, kind, options):
    ids = random_ids(tiny, 10)
    kept = [s.logprob for s in generate(tiny, ids, 20, cache=make_cache(kind, tiny.config, **options), stop=-1)]
    full = [s.logprob for s in generate(tiny, ids, 20, stop=-1)]
    assert kept == pytest.approx(full, abs=1e-4)


def test_window_cache_equals_a_masked_forward_pass(tiny):
    """Token by token, the window cache is attention with a banded mask (reference: transformers with that mask)."""
    ids, window = random_ids(tiny, 30), 7
    cache = make_cache("window", tiny.config, window=window)
    ours = torch.cat([tiny.forward(ids[:, i : i + 1], cache)[0] for i in range(30)])
    i, j = torch.arange(30)[:, None], torch.arange(30)[None]
    allowed = (j <= i) & (j > i - window)
    mask = torch.zeros(30, 30).masked_fill(~allowed, torch.finfo(torch.float32).min)[None, None]
    with torch.inference_mode():
        expected = as_transformers(tiny)(ids, attention_mask=mask).logits[0]
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_sinks_count_positions_inside_the_cache(tiny):
    """One layer deep, a full sink cache must equal running the kept tokens as a text of their own."""
    ids = random_ids(tiny, 30)[0]
    cache = make_cache("sinks", tiny.config, window=6, sinks=2)
    for i in range(30):
        tiny.forward(ids[None, i : i + 1], cache)
    kept = torch.cat((ids[:2], ids[24:]))
    fresh = trace(tiny, kept)["blocks.0.attn.hook_rot_k"].transpose(0, 1)  # (H, n, D)
    torch.testing.assert_close(cache.read(0)[0][0], fresh, atol=1e-5, rtol=1e-4)
    assert cache.next_positions(1).tolist() == [7]


def test_heavy_hitters_keep_what_drew_attention(tiny):
    """Scores equal the column sums of the reference attention while nothing was dropped."""
    ids = random_ids(tiny, 20)
    cache = make_cache("heavy_hitters", tiny.config, budget=20)
    tiny.forward(ids, cache)
    pattern = trace(tiny, ids[0])["blocks.1.attn.hook_pattern"]
    torch.testing.assert_close(cache.scores[1], pattern.sum((0, 1)), atol=1e-4, rtol=1e-4)
    small = make_cache("heavy_hitters", tiny.config, budget=8, recent=3)
    tiny.forward(ids, small)
    older = trace(tiny, ids[0])["blocks.0.attn.hook_pattern"].sum((0, 1))[:17]
    assert small.positions(0).tolist() == sorted(older.topk(5).indices.tolist()) + [17, 18, 19]


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dim", [2, 3])
def test_packing_is_within_half_a_step(bits, dim):
    x = torch.randn(1, 2, 32, 16, generator=torch.Generator().manual_seed(bits)) * 5
    packed = pack(x, bits, dim)
    step = (x.amax(dim, keepdim=True) - x.amin(dim, keepdim=True)) / (2**bits - 1)
    assert ((unpack(packed) - x).abs() <= 0.51 * step + 0.01).all()
    assert packed.codes.nbytes == x.numel() * bits // 8


@pytest.mark.parametrize("kind, bits", [("int8", 8), ("int4", 4)])
def test_quantized_caches_weigh_what_arithmetic_says(tiny, kind, bits):
    ids = random_ids(tiny, 70)
    cache = make_cache(kind, tiny.config)
    tiny.forward(ids, cache)
    elements = 2 * 2 * 64 * 8  # layers, heads, packed tokens, dimensions; twice below for K and V
    keys_scales = 2 * 2 * 2 * 8 * 4  # layers, groups, heads, channels: scale and minimum of 2 bytes
    value_scales = 2 * 2 * 64 * 4  # layers, heads, tokens
    rest = 2 * 2 * 2 * 6 * 8 * 4  # K and V, layers, heads, 6 waiting tokens, dimensions, 4 bytes
    assert cache.bytes_held == 2 * elements * bits // 8 + keys_scales + value_scales + rest
    full = make_cache("full", tiny.config)
    tiny.forward(ids, full)
    error = (cache.read(0)[0] - full.read(0)[0]).abs().max()
    assert error < full.read(0)[0].abs().max() * (0.01 if bits == 8 else 0.15)
    assert cache.positions(0).tolist() == list(range(70))


def test_paged_cache_hands_out_blocks_and_frees_only_empty_ones(tiny):
    ids = random_ids(tiny, 40)
    cache = make_cache("paged", tiny.config, block_size=16)
    expected = tiny.forward(ids, cache)
    per_token = 2 * 2 * 2 * 8 * 4
    assert (cache.bytes_held, cache.bytes_reserved) == (40 * per_token, 48 * per_token)
    assert [b.slots[0] for b in cache.blocks] == [0, 16, 32]
    assert len({b.physical for b in cache.blocks}) == 3
    assert cache.drop(range(0, 31)) == 1  # 31 of 40 tokens gone, one block of three comes back
    assert cache.positions(0).tolist() == list(range(31, 40))
    assert cache.bytes_reserved == 32 * per_token and cache.bytes_held == 9 * per_token
    assert cache.read(0)[0].shape[2] == 9
    assert expected.shape == (1, 40, 257)


def test_paged_pool_runs_out_with_a_clear_error(tiny):
    cache = make_cache("paged", tiny.config, block_size=4, pool_blocks=2)
    with pytest.raises(MemoryError, match="all 2 blocks"):
        tiny.forward(random_ids(tiny, 9), cache)


def test_full_cache_grows_beyond_its_reserve(tiny):
    cache = make_cache("full", tiny.config, capacity=8)
    ids = random_ids(tiny, 30)
    out = [tiny.forward(ids[:, :5], cache), *(tiny.forward(ids[:, i : i + 1], cache) for i in range(5, 30))]
    torch.testing.assert_close(torch.cat(out, dim=1), tiny.logits(ids), atol=1e-4, rtol=1e-4)


def test_unknown_strategies_and_options_are_named(tiny):
    with pytest.raises(ValueError, match="no cache strategy 'lru'; there are: none, full"):
        make_cache("lru", tiny.config)
    for kind, wrong in (("window", {"window": 0}), ("sinks", {"sinks": -1}), ("heavy_hitters", {"budget": 4, "recent": 5}),
                        ("int8", {"group": 0}), ("paged", {"block_size": 0})):  # fmt: skip
        with pytest.raises(ValueError, match="must be >=|need 0"):
            make_cache(kind, tiny.config, **wrong)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_strategy_generates(tiny, kind):
    assert len(list(generate(tiny, random_ids(tiny, 40), 40, cache=kind, stop=-1))) == 40


SMALL = {"window": {"window": 8}, "sinks": {"window": 6, "sinks": 2}, "heavy_hitters": {"budget": 8}, "int8": {"group": 4}, "int4": {"group": 4}}


@pytest.mark.parametrize("kind", SMALL)
def test_a_prompt_is_read_whole_before_anything_is_dropped(lm, kind):
    """What eviction moves in memory must not reach the attention that is still reading."""
    ids = random_ids(lm, 40)
    cache = make_cache(kind, lm.config, **SMALL[kind])
    torch.testing.assert_close(lm.forward(ids, cache), lm.logits(ids), atol=2e-4, rtol=1e-4)


def test_a_heavy_hitter_step_attends_to_what_was_held(lm):
    """The same step with the tokens held put into a cache that drops nothing."""
    ids = random_ids(lm, 40)
    cache = make_cache("heavy_hitters", lm.config, budget=12)
    lm.forward(ids[:, :39], cache)
    plain = make_cache("full", lm.config)
    for layer in range(lm.config.n_layers):
        k, v = cache.read(layer)
        plain.append(k.clone(), v.clone(), layer)
    plain.seen = [39] * lm.config.n_layers
    expected = lm.forward(ids[:, 39:], plain)
    torch.testing.assert_close(lm.forward(ids[:, 39:], cache), expected, atol=2e-4, rtol=1e-4)


def test_dropping_frees_memory(tiny):
    cache = make_cache("window", tiny.config, window=8)
    tiny.forward(random_ids(tiny, 100), cache)
    assert cache.bytes_reserved == 9 * 2 * 2 * 2 * 8 * 4  # window + 1 tokens; K and V, layers, heads, dimensions, bytes
