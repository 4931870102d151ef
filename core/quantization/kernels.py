"""Linear layers whose weights are read fast: in 16 bits where that loses nothing, laid out for oneDNN, in 8 bits, in 4 bits.

Writing one token reads every weight once, so their bytes and the order they lie in set the speed. The operators
are PyTorch's own but private ones: `supported` tries each once on this processor, and where one is missing or
computes something else, the same numbers go through `F.linear`.
"""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.quantization.quantizers import quantize

GROUP = 32  # neighbours in a row that share a scale in 4 bits


class Codes(NamedTuple):
    """A matrix in 8 bits: W ≈ scale · code."""

    codes: Tensor  # (out, in) int8
    scale: Tensor  # (out,) bf16


class PackedLinear(nn.Module):
    """y = x Ŵᵀ + b with Ŵ in some faster form; read-only, so copies of a network share it."""

    bias: Tensor | None = None

    @property
    def weight(self) -> Tensor:
        """The matrix it multiplies with, float32 (out, in), unpacked anew at every access."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes of the weights as they are held."""
        raise NotImplementedError

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        destination[prefix + "weight"] = self.weight if keep_vars else self.weight.detach().float()  # may be a shared parameter itself
        if self.bias is not None:
            destination[prefix + "bias"] = self.bias

    def __deepcopy__(self, memo) -> "PackedLinear":
        return self


class OneDNNLinear(PackedLinear):
    """The same numbers, fp32 or bf16, in the blocks that oneDNN's matrix product reads in order.

    `original` is a tensor that holds them anyway (a tied embedding), so that `weight` need not unpack them.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, original: Tensor | None = None):
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        object.__setattr__(self, "original", original)  # not a second parameter
        self.bias, self.held = bias if bias is None else bias.detach(), weight.nbytes
        self.product = torch.ops.mkldnn._linear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() > x.shape[-1]:
            return self.product(x, self.packed, self.bias, "none", [], "")
        four = x.view(1, -1).expand(4, -1)  # oneDNN reads the weights faster for four rows than for one
        return self.product(four, self.packed, self.bias, "none", [], "")[:1].view(*x.shape[:-1], -1)

    @property
    def weight(self) -> Tensor:
        return self.packed.to_dense().float() if self.original is None else self.original  # a tied embedding keeps its identity

    @property
    def nbytes(self) -> int:
        return self.held


class HalfLinear(PackedLinear):
    """The same numbers in 16 bits, turned into fp32 inside FBGEMM's matrix product, which sums as fp32 does.

    For weights that `fits_half`, as nearly all published ones do, this is exact, and half as much is read. `original` as above.
    With a `scale` (out,) or (1,) the weights are scale · weight, and each output is scaled once instead of all its weights.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, original: Tensor | None = None, scale: Tensor | None = None):
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight.detach().float(), None)
        object.__setattr__(self, "original", original)
        self.scale = scale
        self.bias, self.held = bias if bias is None else bias.detach(), weight.numel() * 2
        self.product = torch.ops.quantized.linear_dynamic_fp16.default

    def forward(self, x: Tensor) -> Tensor:
        y = self.product(x, self.packed) if x.ndim > 1 else self.product(x[None], self.packed)[0]
        y = y if self.scale is None else y.mul_(self.scale)
        return y if self.bias is None else y + self.bias

    @property
    def weight(self) -> Tensor:
        if self.original is not None:
            return self.original
        held = torch.ops.quantized.linear_unpack_fp16(self.packed)[0]
        return held if self.scale is None else held * self.scale[:, None]

    @property
    def nbytes(self) -> int:
        return self.held


class HalfEmbedding(nn.Embedding):
    """A look-up table held in 16 bits that gives fp32: ids (B, T) -> (B, T, C)."""

    def __init__(self, weight: Tensor):
        super().__init__(*weight.shape, _weight=weight.detach().half())
        self.requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).float()

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        destination[prefix + "weight"] = self.weight.float()


def fits_half(weight: Tensor) -> bool:
    """Whether 16 bits hold every number of a matrix (out, in) as well as its products with fp32 are summed: to 2⁻²⁵.

    Checkpoints in fp16 do, and those in bf16 but for numbers so small that they vanish in any sum.
    """
    return all(float((rows - rows.half().float()).abs().max()) <= 2**-25 for rows in weight.detach().split(4_096))


class Int8Linear(PackedLinear):
    """int8 codes (out, in) with one scale a row: W ≈ scale · code. A quarter of the bytes of fp32."""

    def __init__(self, codes: Tensor, scale: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.codes, self.scale, self.bias = codes, scale, bias  # (out, in) int8, (out,) bf16
        self.most_rows = 8 if supported("int8") else 0  # for more rows, codes turned into bf16 are faster

    def forward(self, x: Tensor) -> Tensor:
        rows = x.view(-1, x.shape[-1])
        if len(rows) <= self.most_rows:
            y = torch.ops.aten._weight_int8pack_mm(rows, self.codes, self.scale).view(*x.shape[:-1], -1)
        else:
            y = F.linear(x, self.codes.to(x.dtype)) * self.scale  # the codes are exact in bf16
        return y if self.bias is None else y + self.bias

    @property
    def weight(self) -> Tensor:
        return self.codes.float() * self.scale.float()[:, None]

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes


class Int4Linear(PackedLinear):
    """4-bit codes in groups of 32 with a scale and an offset each: W ≈ scale · (code - 8) + offset; 5 bits a weight."""

    def __init__(self, codes: Tensor, scale: Tensor, offset: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.shape, self.bias = codes.shape, bias  # codes (out, in) int32, scale and offset (out, in / 32) bf16
        self.scales = torch.stack((scale, offset), dim=-1).transpose(0, 1).contiguous()  # (in / 32, out, 2)
        self.packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.view(-1, x.shape[-1])
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.packed, GROUP, self.scales).view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias

    @property
    def weight(self) -> Tensor:
        unit = torch.eye(self.shape[1], dtype=self.scales.dtype)  # each product is one code's value: nothing is summed
        return torch.ops.aten._weight_int4pack_mm_for_cpu(unit, self.packed, GROUP, self.scales).t().float()

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + self.scales.nbytes


class MixedLinear(PackedLinear):
    """4 bits for up to `most_rows` rows, where reading is what takes time; bf16 for more, where multiplying is."""

    most_rows = 4

    def __init__(self, few: Int4Linear, many: nn.Module):
        super().__init__()
        object.__setattr__(self, "few", few)  # two layouts of one matrix, not two layers of the network
        object.__setattr__(self, "many", many)
        self.bias = few.bias

    def forward(self, x: Tensor) -> Tensor:
        return (self.few if x.numel() <= self.most_rows * x.shape[-1] else self.many)(x)

    @property
    def weight(self) -> Tensor:
        return self.few.weight

    @property
    def nbytes(self) -> int:
        return self.few.nbytes + self.many.weight.nbytes // 2


def int8_codes(weight: Tensor, rows_at_once: int = 4_096) -> Codes:
    """Codes and scales of a matrix (out, in): the project's int8 by channel.

    The kernel wants its scales in bf16, so the codes are chosen for the rounded scales.
    """
    codes, scales = [], []
    for rows in weight.detach().float().split(rows_at_once):
        scale = quantize(rows, "int8", "channel").scale.bfloat16()  # (rows, 1)
        codes.append((rows / scale.float().masked_fill(scale == 0, 1.0)).round().clamp(-127, 127).to(torch.int8))
        scales.append(scale[:, 0])
    return Codes(torch.cat(codes), torch.cat(scales))


def int4_codes(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes 0..15 (out, in) int32, scale and offset (out, in / 32) bf16: every group spread from its least to its largest.

    The scheme of GGUF's Q4_1 (scale and minimum a group); here the offset is the value of code 8.
    Raises ValueError where the rows are no whole number of groups.
    """
    out, columns = weight.shape
    if columns % GROUP:
        raise ValueError(f"4 bits need rows of whole groups of {GROUP}, got {columns} columns")
    groups = weight.detach().float().view(out, -1, GROUP)
    low, high = groups.aminmax(dim=-1)  # (out, groups)
    scale = ((high - low) / 15).bfloat16()
    offset = (low + 8 * scale.float()).bfloat16()
    step = scale.float().masked_fill(scale == 0, 1.0)[..., None]
    codes = ((groups - offset.float()[..., None]) / step + 8).round().clamp(0, 15)
    return codes.view(out, columns).int(), scale, offset


@cache
def supported(kernel: str) -> bool:
    """Whether the operator behind "fp32", "fp16", "bf16", "int8" or "int4" is there, works here and computes what F.linear does."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 64, generator=generator)
    x = torch.randn(3, 64, generator=generator)
    try:
        with torch.inference_mode():
            if kernel == "fp32":
                y, expected = OneDNNLinear(weight)(x), F.linear(x, weight)
            elif kernel == "fp16":
                weight = weight.half().float()
                y, expected = HalfLinear(weight)(x), F.linear(x, weight)
            elif kernel == "bf16":
                y, expected = OneDNNLinear(weight.bfloat16())(x.bfloat16()), F.linear(x, weight)
            elif kernel == "int8":
                codes, scale = int8_codes(weight)
                y = torch.ops.aten._weight_int8pack_mm(x.bfloat16(), codes, scale)
                expected = F.linear(x, codes * scale.float()[:, None])
            else:
                codes, scale, offset = int4_codes(weight)
                y = Int4Linear(codes, scale, offset)(x.bfloat16())
                spread = [part.float().repeat_interleave(GROUP, dim=1) for part in (scale, offset)]
                expected = F.linear(x, (codes - 8) * spread[0] + spread[1])
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    error = (y.float() - expected).norm() / expected.norm()
    return bool(error < (1e-5 if kernel in ("fp32", "fp16") else 0.01))
