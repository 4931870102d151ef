"""A sliding window: only the last `window` tokens stay."""

import torch

from core.kv_cache.base import Cache


class WindowCache(Cache):
    """Keeps the newest `window` tokens, as Mistral-7B did with 4,096 (https://arxiv.org/abs/2310.06825)."""

    kind = "window"

    def __init__(self, config, window: int = 64):
        if window < 1:
            raise ValueError(f"window must be >= 1, got {window}")
        super().__init__(config, capacity=window + 1)
        self.window = window

    def evict(self, layer: int) -> None:
        n = self.lengths[layer]
        if n > self.window:
            self.keep(layer, torch.arange(n - self.window, n))
