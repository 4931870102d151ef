"""Texts written side by side, each with a cache of its own: the weights are read once for all of them (Orca, OSDI 2022)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.kv_cache.base import Cache


class SideBySide:
    """What the model takes for one cache of B rows, for a step of one token each: `lm.forward(new, rows, tap=rows.hide)`.

    Each row is any strategy's cache, and keeps what it keeps. Rows that hold less than the longest are filled up; `hide` closes
    that to attention. For models with rotary positions.
    """

    needs_pattern = True  # handed on to the caches that need it

    def __init__(self, caches: Sequence[Cache]):
        self.caches = caches
        self.lengths = [0] * len(caches)  # tokens that each row may look at in the layer being computed

    def next_positions(self, n_new: int) -> Tensor:
        """Rotary positions of the next tokens, (B, n_new): every row counts for itself."""
        return torch.stack([cache.next_positions(n_new) for cache in self.caches])

    def update(self, k: Tensor, v: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Hand each row (1, H, 1, D) to its cache; return what they hold, filled up to the longest, (B, H, n, D)."""
        rows = [cache.update(k[i : i + 1], v[i : i + 1], layer) for i, cache in enumerate(self.caches)]
        self.lengths = [keys.shape[2] for keys, _ in rows]
        n = max(self.lengths)
        keys, values = (torch.cat([F.pad(row, (0, 0, 0, n - row.shape[2])) for row in part]) for part in zip(*rows))
        return keys, values

    def hide(self, name: str, value: Tensor) -> Tensor:
        """The model's tap: no row looks at what only fills it up."""
        if not name.endswith("hook_attn_scores"):
            return value
        filling = torch.arange(value.shape[-1]) >= torch.tensor(self.lengths)[:, None]  # (B, n)
        return value.masked_fill(filling[:, None, None], -torch.inf)  # (B, H, 1, n)

    def observe(self, pattern: Tensor, layer: int) -> None:
        """The attention weights (B, n_heads, 1, n), for the strategies that ask for them."""
        for i, (cache, n) in enumerate(zip(self.caches, self.lengths)):
            if cache.needs_pattern:
                cache.observe(pattern[i : i + 1, ..., :n], layer)
