"""What stays in memory between two tokens: one file a strategy, behind one small interface."""

from functools import partial

from core.kv_cache.base import Cache
from core.kv_cache.heavy_hitters import HeavyHitterCache
from core.kv_cache.none import NoCache
from core.kv_cache.paged import PagedCache
from core.kv_cache.quantized import QuantizedCache
from core.kv_cache.shared_prefix import SharedPrefixCache
from core.kv_cache.side_by_side import SideBySide
from core.kv_cache.sinks import SinkCache
from core.kv_cache.watched import WatchedCache
from core.kv_cache.window import WindowCache

STRATEGIES = {
    "none": NoCache,
    "full": Cache,
    "window": WindowCache,
    "sinks": SinkCache,
    "heavy_hitters": HeavyHitterCache,
    "int8": partial(QuantizedCache, bits=8),
    "int4": partial(QuantizedCache, bits=4),
    "paged": PagedCache,
}
DROPPING = ("window", "sinks", "heavy_hitters")  # these forget tokens
LOSSLESS = ("none", "full", "paged")  # these give the same logits as no cache at all


def make_cache(kind: str, config, **options) -> Cache:
    """An empty cache of the given strategy; options are those of its class.

    window: window · sinks: window, sinks · heavy_hitters: budget, recent · int8, int4: group ·
    paged: block_size, pool_blocks, seed · full: capacity. Raises ValueError for an unknown kind.
    """
    if kind not in STRATEGIES:
        raise ValueError(f"no cache strategy {kind!r}; there are: {', '.join(STRATEGIES)}")
    return STRATEGIES[kind](config, **options)


__all__ = ["DROPPING", "LOSSLESS", "STRATEGIES", "Cache", "SharedPrefixCache", "SideBySide", "WatchedCache", "make_cache"]
