"""Blocks freed by random dropping against the exact chance."""

from math import comb

import pytest

from core.kv_cache import Cache
from core.measure.pages import drop_at_random
from tests.model.reference import random_ids


def filled(lm, n: int) -> Cache:
    """A cache that has read `n` tokens."""
    cache = Cache(lm.config)
    lm.forward(random_ids(lm, n), cache)
    return cache


def test_freed_blocks_follow_the_hypergeometric_chance(tiny):
    """64 tokens in 4 blocks, 60 dropped: a block is freed with probability C(48, 44) / C(64, 60)."""
    cache = filled(tiny, 64)
    freed = [drop_at_random(cache, 60 / 64, seed=seed).freed for seed in range(300)]
    chance = comb(48, 4) / comb(64, 4)
    assert sum(freed) / (300 * 4) == pytest.approx(chance, abs=0.05)


def test_nothing_and_everything(tiny):
    cache = filled(tiny, 40)
    assert drop_at_random(cache, 0).freed == 0
    everything = drop_at_random(cache, 1)
    assert (everything.freed, everything.full_blocks, everything.dropped) == (2, 2, 40)
    with pytest.raises(ValueError, match="share must be in 0..1"):
        drop_at_random(cache, 1.5)
