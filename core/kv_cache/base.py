"""What every cache strategy shares: one growing strip of keys and values a layer."""

import torch
from torch import Tensor

from core.models.config import DecoderConfig


class Cache:
    """Keys and values of every layer, for the tokens the strategy still holds.

    The model calls `next_positions` once a step and `update` once a layer; strategies override `evict`.
    Shapes: B sequences, H = n_kv_heads, T new tokens, n held tokens, D = head_dim.
    """

    kind = "full"
    needs_pattern = False  # True: the model hands the attention weights to `observe`

    def __init__(self, config: DecoderConfig, capacity: int | None = None):
        self.config = config
        self.capacity = capacity or config.context_length  # tokens to reserve memory for
        self.seen = [0] * config.n_layers  # tokens that went in, dropped ones included
        self.lengths = [0] * config.n_layers  # tokens still held
        self.keys: list[Tensor | None] = [None] * config.n_layers  # (B, H, capacity, D)
        self.values: list[Tensor | None] = [None] * config.n_layers
        self.held: list[Tensor | None] = [None] * config.n_layers  # original positions; None = nothing was dropped yet

    def next_positions(self, n_new: int) -> Tensor:
        """Rotary positions (n_new,) for the tokens that come next."""
        return torch.arange(self.seen[0], self.seen[0] + n_new)

    def update(self, k: Tensor, v: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Take in new keys and values (B, H, T, D); return all that may be attended to, (B, H, n, D)."""
        self.append(k, v, layer)
        n_new = k.shape[2]
        if n_new > 1:  # a prompt is read whole, each token seeing all before it, and cut down afterwards
            visible = self.read(layer)
            self.evict(layer)
            return visible
        self.evict(layer)
        return self.read(layer)

    def append(self, k: Tensor, v: Tensor, layer: int) -> None:
        """Write new keys and values behind the ones held; memory is reserved once and doubled when full."""
        start, end = self.lengths[layer], self.lengths[layer] + k.shape[2]
        if self.keys[layer] is None or end > self.keys[layer].shape[2]:
            self.keys[layer] = _grown(self.keys[layer], k, end, self.capacity)
            self.values[layer] = _grown(self.values[layer], v, end, self.capacity)
        self.keys[layer][:, :, start:end] = k
        self.values[layer][:, :, start:end] = v
        self.lengths[layer] = end
        if self.held[layer] is not None:
            new_positions = torch.arange(self.seen[layer], self.seen[layer] + k.shape[2])
            self.held[layer] = torch.cat((self.held[layer], new_positions))
        self.seen[layer] += k.shape[2]

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        """The keys and values held, (B, H, n, D) each."""
        n = self.lengths[layer]
        return self.keys[layer][:, :, :n], self.values[layer][:, :, :n]

    def evict(self, layer: int) -> None:
        """Drop what the strategy no longer keeps; the full cache keeps everything."""

    def keep(self, layer: int, index: Tensor) -> None:
        """Keep only the slots `index` (ascending) of a layer, in fresh memory of the size first asked for.

        The old memory is left as it was: the attention of this very step may still be reading it.
        """
        self.keys[layer] = _grown(self.keys[layer][:, :, index], self.keys[layer], len(index), self.capacity)
        self.values[layer] = _grown(self.values[layer][:, :, index], self.values[layer], len(index), self.capacity)
        self.held[layer] = self.positions(layer)[index]
        self.lengths[layer] = len(index)

    def rewind(self, n: int) -> None:
        """Forget all tokens but the first `n`, as if they had never been seen; their memory is written over.

        Raises ValueError where a strategy has dropped or packed tokens: then the first n are not all there.
        """
        if n > self.seen[0] or type(self).read is not Cache.read or any(held is not None for held in self.held):
            raise ValueError(f"a cache of {self.seen[0]} tokens ({self.kind}) cannot go back to its first {n}")
        self.seen = [n] * len(self.seen)
        self.lengths = [n] * len(self.lengths)

    def observe(self, pattern: Tensor, layer: int) -> None:
        """Learn from attention weights (B, n_heads, T, n); most strategies don't."""

    def positions(self, layer: int) -> Tensor:
        """Original positions (n,) of the tokens that layer still holds, ascending."""
        return torch.arange(self.seen[layer]) if self.held[layer] is None else self.held[layer]

    @property
    def bytes_held(self) -> int:
        """Bytes of the keys and values in use, over all layers."""
        return sum(k[:, :, :n].nbytes + v[:, :, :n].nbytes for k, v, n in self._strips())

    @property
    def bytes_reserved(self) -> int:
        """Bytes set aside for this sequence, used or not."""
        return sum(k.nbytes + v.nbytes for k, v, _ in self._strips())

    def _strips(self):
        return [(k, v, n) for k, v, n in zip(self.keys, self.values, self.lengths) if k is not None]


def _grown(strip: Tensor | None, like: Tensor, needed: int, capacity: int) -> Tensor:
    """A strip for tokens such as `like` with room for `needed` of them that starts with what `strip` holds."""
    while capacity < needed:
        capacity *= 2
    B, H, _, D = like.shape
    grown = like.new_empty(B, H, capacity, D)
    if strip is not None:
        grown[:, :, : strip.shape[2]] = strip
    return grown
