"""How little memory comes back when single tokens are dropped from a paged cache."""

from dataclasses import dataclass

import torch

from core.kv_cache.base import Cache
from core.kv_cache.blocks import Block
from core.kv_cache.paged import PagedCache


@dataclass(frozen=True)
class Dropped:
    """A paged cache after some of its tokens were dropped."""

    before: tuple[Block, ...]
    kept: frozenset[int]  # original positions still held
    dropped: int
    freed: int  # full blocks that came back
    full_blocks: int  # full blocks there were


def drop_at_random(filled: Cache, share: float, block_size: int = 16, seed: int = 0) -> Dropped:
    """Lay the tokens of a filled cache into pages, then drop a random `share` (0..1) of them.

    A full block of b tokens comes back with probability share ** b, roughly. Raises ValueError for a share
    outside 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in 0..1, got {share}")
    n = filled.seen[0]
    cache = PagedCache(filled.config, block_size, pool_blocks=-(-n // block_size), seed=seed)
    for layer in range(filled.config.n_layers):
        cache.append(*filled.read(layer), layer)
    before = tuple(cache.blocks)
    full = {block.physical for block in before if None not in block.slots}
    gone = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: round(share * n)].tolist()
    cache.drop(gone)
    left = {block.physical for block in cache.blocks}
    return Dropped(before, frozenset(range(n)) - frozenset(gone), len(gone), len(full - left), len(full))
