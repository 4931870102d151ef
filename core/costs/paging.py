"""What dropping tokens gives back when memory comes in blocks, and what reserving it in one piece wastes."""

import math
from collections.abc import Iterable, Sequence


def freed_chance(gone: int, tokens: int, slots: int = 16) -> float:
    """Chance that a block of `slots` tokens is empty when `gone` of `tokens` were dropped at random, (gone / tokens)^slots nearly.

    Exact: all its tokens are among those drawn without putting back, C(tokens - slots, gone - slots) / C(tokens, gone).
    """
    if not 0 <= gone <= tokens or not 0 < slots <= tokens:
        raise ValueError(f"need 0 <= gone <= tokens and 0 < slots <= tokens, got {gone}, {tokens}, {slots}")
    return math.prod((gone - i) / (tokens - i) for i in range(slots)) if gone >= slots else 0.0


def expected_freed(holdings: Iterable[Sequence[tuple[int, int, int]]], lists: int = 1) -> float:
    """Blocks that come back on average when every request drops tokens at random.

    holdings: for each block the (gone, tokens, slots) of every request that holds it; all must empty it. `lists`: as many
    heads drop independently; a slot is free when all of them have dropped it.
    """
    return sum(math.prod(freed_chance(*holding) ** lists for holding in block) for block in holdings)


def blocks_for(tokens: int, block_size: int = 16) -> int:
    """Blocks that hold so many tokens."""
    return -(-tokens // block_size)


def shared_blocks(prefix: int, lengths, block_size: int = 16) -> int:
    """Blocks of requests of `lengths` tokens that begin with the same `prefix` tokens and share its full blocks."""
    full = prefix // block_size
    return full + sum(blocks_for(n, block_size) - full for n in lengths)
