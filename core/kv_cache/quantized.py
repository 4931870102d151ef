"""Keys and values in 8 or 4 bits (after KIVI, https://arxiv.org/abs/2402.02750)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.kv_cache.base import Cache


@dataclass(frozen=True)
class Packed:
    """Numbers stored as small integers: x ≈ scale · code + low."""

    codes: Tensor  # uint8; two codes a byte when bits == 4
    scale: Tensor  # float16, one a row
    low: Tensor  # float16, the row's smallest value
    bits: int

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes + self.low.nbytes


def pack(x: Tensor, bits: int, dim: int) -> Packed:
    """Store x (..., T, D) with one scale and one smallest value for every row along `dim`."""
    low = x.amin(dim, keepdim=True).half()
    scale = ((x.amax(dim, keepdim=True) - low.float()) / (2**bits - 1)).half().clamp(min=1e-7)
    codes = ((x - low.float()) / scale.float()).round().clamp(0, 2**bits - 1).to(torch.uint8)
    if bits == 4:
        codes = codes[..., ::2] << 4 | codes[..., 1::2]
    return Packed(codes, scale, low, bits)


def unpack(p: Packed) -> Tensor:
    """The stored numbers as float32."""
    codes = p.codes
    if p.bits == 4:
        codes = torch.stack((codes >> 4, codes & 15), dim=-1).flatten(-2)
    return codes.float() * p.scale.float() + p.low.float()


class QuantizedCache(Cache):
    """Every full group of `group` tokens is packed: keys per channel, values per token.

    Channels of keys differ in size far more than tokens do, hence the two directions. The newest tokens,
    fewer than `group`, wait in full precision.
    """

    def __init__(self, config, bits: int = 8, group: int = 32):
        if bits not in (4, 8):
            raise ValueError(f"bits must be 4 or 8, got {bits}")
        if group < 1:
            raise ValueError(f"group must be >= 1, got {group}")
        super().__init__(config, capacity=2 * group)
        self.kind = f"int{bits}"
        self.bits, self.group = bits, group
        self.packed: list[list[tuple[Packed, Packed]]] = [[] for _ in range(config.n_layers)]

    def evict(self, layer: int) -> None:
        """Nothing is dropped, only packed."""
        while self.lengths[layer] >= self.group:
            k, v = super().read(layer)
            self.packed[layer].append((pack(k[:, :, : self.group], self.bits, 2), pack(v[:, :, : self.group], self.bits, 3)))
            rest = self.lengths[layer] - self.group
            self.keys[layer][:, :, :rest] = k[:, :, self.group :].clone()
            self.values[layer][:, :, :rest] = v[:, :, self.group :].clone()
            self.lengths[layer] = rest

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        k, v = super().read(layer)
        packed = self.packed[layer]
        keys = [unpack(p).to(k.dtype) for p, _ in packed]
        values = [unpack(p).to(v.dtype) for _, p in packed]
        return torch.cat((*keys, k), dim=2), torch.cat((*values, v), dim=2)

    @property
    def bytes_held(self) -> int:
        return super().bytes_held + self._packed_bytes()

    @property
    def bytes_reserved(self) -> int:
        return super().bytes_reserved + self._packed_bytes()

    def _packed_bytes(self) -> int:
        return sum(k.nbytes + v.nbytes for layer in self.packed for k, v in layer)
