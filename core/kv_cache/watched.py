"""A cache that is watched: which tokens went into one layer, and which its attention then saw."""

import torch
from torch import Tensor

from core.kv_cache.base import Cache


class WatchedCache:
    """Any cache strategy, unchanged, that notes what `update` takes in and gives back for `layer`.

    So what a strategy computes again, reuses and drops is read off the running model, not worked out.
    """

    def __init__(self, cache: Cache, layer: int):
        self.cache, self.layer = cache, layer
        self.computed = torch.empty(0, dtype=torch.long)  # positions whose keys and values were made since the last `start`
        self.attended = torch.empty(0, dtype=torch.long)  # positions the last forward pass could look at

    def __getattr__(self, name: str):
        return getattr(self.cache, name)

    def start(self) -> None:
        """A new step begins."""
        self.computed = torch.empty(0, dtype=torch.long)

    def update(self, k: Tensor, v: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        if layer != self.layer:
            return self.cache.update(k, v, layer)
        before = self.cache.positions(layer)
        keys, values = self.cache.update(k, v, layer)  # (B, H, n, D)
        end = self.cache.seen[layer]
        new, held = torch.arange(end - k.shape[2], end), self.cache.positions(layer)
        self.computed = torch.cat((self.computed, new))
        # A prompt is seen whole and cut down afterwards; a single token looks at what is left after the cut.
        self.attended = held if len(held) == keys.shape[2] else torch.cat((before, new))
        return keys, values
