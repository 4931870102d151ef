"""Attention sinks: the first few tokens and the last ones (StreamingLLM, https://arxiv.org/abs/2309.17453)."""

import torch
from torch import Tensor

from core.kv_cache.base import Cache
from core.models.positions import rope_angles, rotate


class SinkCache(Cache):
    """Keeps `sinks` first tokens and the newest `window`; positions are counted inside the cache.

    So the model never sees a distance longer than `sinks + window`. A key was turned by its original
    position when it was made; turning it on by (place in the cache - original position) corrects that.
    """

    kind = "sinks"

    def __init__(self, config, window: int = 60, sinks: int = 4):
        if window < 1 or sinks < 0:
            raise ValueError(f"window must be >= 1 and sinks >= 0, got {window} and {sinks}")
        super().__init__(config, capacity=window + sinks + 1)
        self.window, self.sinks = window, sinks
        self.turned = [torch.empty(0, dtype=torch.long) for _ in range(config.n_layers)]  # rotary position of each key

    def next_positions(self, n_new: int) -> Tensor:
        start = self.lengths[0]
        if n_new == 1:  # the oldest token outside the sinks leaves before the new one looks around
            start = min(start, self.window + self.sinks - 1)
        return torch.arange(start, start + n_new)

    def append(self, k: Tensor, v: Tensor, layer: int) -> None:
        start = self.lengths[layer]
        if k.shape[2] == 1:
            start = min(start, self.window + self.sinks - 1)
        self.turned[layer] = torch.cat((self.turned[layer], torch.arange(start, start + k.shape[2])))
        super().append(k, v, layer)

    def evict(self, layer: int) -> None:
        n = self.lengths[layer]
        if n > self.window + self.sinks:
            index = torch.cat((torch.arange(self.sinks), torch.arange(n - self.window, n)))
            self.turned[layer] = self.turned[layer][index]
            self.keep(layer, index)

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        k, v = super().read(layer)
        shift = torch.arange(k.shape[2]) - self.turned[layer]
        if shift.any() and not self.config.learned_positions:  # learned positions came in with the text and stay
            cos, sin = rope_angles(shift, self.config.head_dim, self.config.rope_theta, k.dtype, self.config.rope_divisors)  # (n, 1, D)
            k = rotate(k, cos.transpose(0, 1), sin.transpose(0, 1))
        return k, v
