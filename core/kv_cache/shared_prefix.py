"""Several continuations of one text: the text's keys and values are stored once."""

import torch
from torch import Tensor

from core.kv_cache.base import Cache


class SharedPrefixCache(Cache):
    """A filled cache of one sequence read by `rows` continuations, each of which adds its own tokens."""

    kind = "shared_prefix"

    def __init__(self, prefix: Cache, rows: int, capacity: int):
        super().__init__(prefix.config, capacity)
        self.prefix, self.rows = prefix, rows
        self.seen = list(prefix.seen)

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        k, v = super().read(layer)
        prefix_k, prefix_v = self.prefix.read(layer)
        rows = k.shape[0]
        k = torch.cat((prefix_k.expand(rows, -1, -1, -1), k), dim=2)
        v = torch.cat((prefix_v.expand(rows, -1, -1, -1), v), dim=2)
        return k, v

    def reorder(self, rows: Tensor) -> None:
        """Continue from the given rows (n,): row i goes on from what row rows[i] wrote."""
        for layer, n in enumerate(self.lengths):
            for strips in (self.keys, self.values):
                if strips[layer] is not None:
                    if len(rows) == strips[layer].shape[0]:
                        strips[layer][:, :, :n] = strips[layer][rows, :, :n]
                    else:
                        strips[layer] = strips[layer][rows]

    @property
    def bytes_held(self) -> int:
        return self.prefix.bytes_held + super().bytes_held

    @property
    def bytes_reserved(self) -> int:
        return self.prefix.bytes_reserved + super().bytes_reserved
