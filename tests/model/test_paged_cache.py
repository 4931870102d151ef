"""Compaction, sharing and eviction on running models: nothing that is kept changes, against separate caches and masks."""

import pytest
import torch

from core.kv_cache import make_cache
from core.kv_cache.blocks import BlockPool
from core.kv_cache.paged import PagedCache, PoolMemory
from core.measure.compaction import read_with_budget
from core.measure.eviction import (
    ORDERS,
    RECENT,
    attention_received,
    eviction_ranks,
    kept_by_heads,
    logits_after_eviction,
)
from core.models import trace
from tests.model.reference import random_ids


@pytest.fixture(params=["tiny", "mini"])
def lm(request):
    return request.getfixturevalue(request.param)


def same(found, expected):
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)


def test_compaction_loses_nothing(lm):
    """After dropping, sliding the survivors together changes no key, no value and no prediction."""
    ids = random_ids(lm, 90)
    holes, slid = (PagedCache(lm.config, 8, seed=5) for _ in "ab")
    for cache in (holes, slid):
        lm.forward(ids[:, :80], cache)
        cache.drop(torch.randperm(80, generator=torch.Generator().manual_seed(1))[:55].tolist())
    kept = [holes.read(layer) for layer in range(lm.config.n_layers)]
    assert slid.compact() > 0 and len(slid.blocks) == 4 < len(holes.blocks)
    for layer, (k, v) in enumerate(kept):
        assert all(torch.equal(a, b) for a, b in zip(slid.read(layer), (k, v)))
    assert slid.positions(0).tolist() == holes.positions(0).tolist() and slid.bytes_held == holes.bytes_held
    for start, end in ((80, 81), (81, 90)):  # one token, then several
        same(lm.forward(ids[:, start:end], slid), lm.forward(ids[:, start:end], holes))
    assert slid.positions(0).tolist() == holes.positions(0).tolist()


def test_a_shared_beginning_equals_separate_caches(lm):
    """Three requests on the same 21 tokens: predictions as alone, full blocks held once, the part-filled one copied twice."""
    beginning, endings = random_ids(lm, 21), [random_ids(lm, 15, seed) for seed in (1, 2, 3)]
    memory = PoolMemory(lm.config, BlockPool(40, 8))
    first = PagedCache(lm.config, memory=memory)
    lm.forward(beginning, first)
    caches = [first, first.fork(), first.fork()]
    assert memory.pool.used == 3 and [cache.bytes_held for cache in caches] == [first.bytes_held] * 3
    found = [[] for _ in caches]
    for start in range(0, 15, 5):  # in turns, so that their blocks mix
        for cache, ending, parts in zip(caches, endings, found):
            parts.append(lm.forward(ending[:, start : start + 5], cache))
    for ending, parts in zip(endings, found):
        alone = make_cache("full", lm.config)
        lm.forward(beginning, alone)
        same(torch.cat(parts, 1), lm.forward(ending, alone))
    assert sum(cache.copied for cache in caches) == 2
    assert memory.pool.used == 2 + 3 * 3  # of 36 tokens each, 16 shared in two blocks, 20 in three of one's own
    shared = {block for block in first.blocks_held.table if all(block in cache.blocks_held.table for cache in caches)}
    assert len(shared) == 2 and [memory.pool.holders[block] for block in shared] == [3, 3]


def test_one_request_can_drop_and_slide_while_others_go_on(lm):
    memory = PoolMemory(lm.config, BlockPool(40, 8))
    first = PagedCache(lm.config, memory=memory)
    ids, more = random_ids(lm, 30), random_ids(lm, 6, 1)
    lm.forward(ids, first)
    second = first.fork()
    second.drop(range(3, 25))
    second.compact()
    lm.forward(more, second)
    alone = make_cache("full", lm.config)
    lm.forward(ids, alone)
    same(lm.forward(more, first), lm.forward(more, alone))


@pytest.mark.parametrize("order", ORDERS)
def test_attention_and_ranks(lm, order):
    ids = random_ids(lm, 40)[0]
    received = attention_received(lm, ids)
    patterns = trace(lm, ids)
    group = lm.config.n_heads // lm.config.n_kv_heads
    for layer in range(lm.config.n_layers):
        columns = patterns[f"blocks.{layer}.attn.hook_pattern"].sum(1)  # (H, T)
        expected = torch.stack([columns[i : i + group].sum(0) for i in range(0, lm.config.n_heads, group)])
        torch.testing.assert_close(received[layer], expected, atol=1e-4, rtol=1e-4)
        last = patterns[f"blocks.{layer}.attn.hook_pattern"][:, -5:].sum((0, 1))
        torch.testing.assert_close(attention_received(lm, ids, 5)[layer].sum(0), last, atol=1e-4, rtol=1e-4)
    ranks = eviction_ranks(order, received, seed=3)
    assert ranks.sort(-1).values.tolist() == [list(range(40))] * len(ranks)
    assert len(ranks) == (lm.config.n_layers * lm.config.n_kv_heads if order == "heads" else 1)
    if order != "random":
        assert ranks[:, -RECENT:].min() == 40 - RECENT
        scores = received.sum((0, 1))[None] if order == "attention" else received.flatten(0, 1)
        old = scores[:, :-RECENT].gather(-1, ranks[:, :-RECENT].argsort(-1))
        assert (old.diff(dim=-1) >= 0).all()
    with pytest.raises(ValueError, match="order must be one of"):
        eviction_ranks("oldest", received)


def test_a_head_that_dropped_tokens_is_a_cache_without_them(lm):
    """The same tokens dropped by all heads: as the paged cache that really drops them."""
    ids = random_ids(lm, 60)
    ranks = eviction_ranks("random", torch.empty(59), seed=2)
    kept = kept_by_heads(ranks, 40, lm.config.n_layers, lm.config.n_kv_heads)
    full, paged = make_cache("full", lm.config), make_cache("paged", lm.config)
    for cache in (full, paged):
        lm.forward(ids[:, :59], cache)
    paged.drop((ranks[0] < 40).nonzero()[:, 0].tolist())
    every = torch.ones_like(kept)
    found = logits_after_eviction(lm, int(ids[0, 59]), full, torch.stack((every, kept)))
    same(found[1], lm.forward(ids[:, 59:], paged)[0, -1])
    same(found[0], lm.logits(ids[0])[-1])
    assert full.seen[0] == 59  # left as it was


def test_heads_that_keep_everything_or_differ(lm):
    ids, config = random_ids(lm, 50), lm.config

    def after(kept):
        cache = make_cache("full", config)
        lm.forward(ids[:, :49], cache)
        return logits_after_eviction(lm, int(ids[0, 49]), cache, kept[None])[0]

    every = torch.ones(config.n_layers, config.n_kv_heads, 49, dtype=torch.bool)
    same(after(every), lm.logits(ids[0])[-1])
    one = every.clone()
    one[-1, 0, :48] = False  # one head of the last layer: it alone changes
    found = after(one)
    assert (found - after(every)).abs().max() > 1e-3


def test_a_budget_large_enough_changes_nothing(lm):
    ids = random_ids(lm, 100)
    never = read_with_budget(lm, ids, 32, None)
    same(never.logits, lm.logits(ids[0])[-1])
    assert never.points == [(0, 0, 0), (32, 32, 2), (64, 64, 4), (96, 96, 6), (100, 100, 7)] and never.moved == never.freed == 0


def test_sliding_together_frees_more_and_predicts_the_same(lm):
    ids = random_ids(lm, 100)
    holes, slid = (read_with_budget(lm, ids, 32, 16, compact=compact) for compact in (False, True))
    same(slid.logits, holes.logits)
    assert slid.points == [(0, 0, 0), (32, 32, 2), (32, 16, 1), (64, 48, 3), (64, 16, 1), (96, 48, 3), (96, 16, 1), (100, 20, 2)]
    assert [(t, n) for t, n, _ in holes.points] == [(t, n) for t, n, _ in slid.points]
    assert slid.freed > holes.freed and slid.moved > 0 == holes.moved
    for wrong in ((0, 1), (8, 0), (8, 9)):
        with pytest.raises(ValueError, match="need 1 <= budget"):
            read_with_budget(lm, ids, *wrong)
