"""No cache: every step computes every token's keys and values again."""

from torch import Tensor

from core.kv_cache.base import Cache


class NoCache(Cache):
    """Holds nothing. `generate` sees the kind and feeds the whole text at every step."""

    kind = "none"

    def next_positions(self, n_new: int) -> Tensor:
        self.seen = [0] * self.config.n_layers
        return super().next_positions(n_new)

    def update(self, k: Tensor, v: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        self.seen[layer] = k.shape[2]
        return k, v
