"""A tensor in few bits: scale, round, pack; and back."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.quantization.formats import FORMATS, Format, encode_float, get_format

GRANULARITIES = ("tensor", "channel", "group")


@dataclass(frozen=True)
class ErrorStats:
    """How far the stored numbers x̂ are from the true ones x."""

    relative: float  # ‖x − x̂‖ / ‖x‖, 0 for an all-zero tensor
    mean_abs: float
    max_abs: float
    sqnr_db: float  # 20 · log10(1 / relative); infinite when nothing was lost


@dataclass(frozen=True, eq=False)
class Quantized:
    """A tensor of shape `shape`, held as `codes`. Its rows are what runs along the last axis.

    codes: fp32, fp16, bf16 as they are; int8 as int8; fp8 as uint8 bit patterns, all (rows, columns);
    int4 and nf4 two a byte, uint8 (rows, ceil(columns / 2)), the first in the low four bits.
    scale: (1, 1) for the whole tensor, (rows, 1) per channel, (rows, groups) per group; None if unscaled.
    """

    format: str
    granularity: str
    group_size: int | None
    shape: tuple[int, ...]
    codes: Tensor
    scale: Tensor | None = None
    zero: Tensor | None = None  # code of 0.0, uint8, shaped like scale; asymmetric only

    def dequantize(self) -> Tensor:
        """The numbers these codes stand for: float32 of shape `shape`."""
        fmt = FORMATS[self.format]
        if not fmt.scaled:
            return self.codes.float().view(self.shape)
        values = decode(self.codes, fmt, self.shape[-1])  # (rows, columns)
        if self.zero is not None:
            values = _spread(values, self.zero.float() - 2 ** (fmt.bits - 1), self.group_size, torch.sub)
        return _spread(values, self.scale.float(), self.group_size, torch.mul).view(self.shape)

    def levels_and_scale(self) -> tuple[Tensor, Tensor | None] | None:
        """A matrix as float32 levels (rows, columns) and what to multiply each row with, (rows,) or (1,); None where nothing is
        scaled. None at all for scales by group and for zero points: there a product with the levels is no product with the matrix.
        """
        if not FORMATS[self.format].scaled:
            return self.codes.float(), None
        if self.group_size is not None or self.zero is not None:
            return None
        return decode(self.codes, FORMATS[self.format], self.shape[-1]), self.scale.float()[:, 0]

    def select(self, rows: Tensor) -> "Quantized":
        """Only some rows of a matrix, still packed: rows (...) long -> shape (..., columns)."""
        if len(self.shape) != 2:
            raise ValueError(f"select needs a matrix, got shape {self.shape}")
        index = rows.reshape(-1)

        def pick(held: Tensor | None) -> Tensor | None:
            return held if held is None or len(held) == 1 < self.shape[0] else held[index]

        shape = (*rows.shape, self.shape[1])
        return Quantized(self.format, self.granularity, self.group_size, shape, pick(self.codes), pick(self.scale), pick(self.zero))

    @property
    def numel(self) -> int:
        return torch.Size(self.shape).numel()

    @property
    def scale_bytes(self) -> int:
        """Bytes of the scales, and of the zero points where there are some."""
        return sum(part.nbytes for part in (self.scale, self.zero) if part is not None)

    @property
    def bytes(self) -> int:
        """Bytes really held: codes and scales."""
        return self.codes.nbytes + self.scale_bytes

    @property
    def bits_per_weight(self) -> float:
        """8 · bytes / number of weights, scales counted."""
        return 8 * self.bytes / self.numel

    def levels(self, row: int = 0, group: int = 0) -> Tensor | None:
        """Every value this row (and group) can hold, ascending, float32 (n,); None above 8 bits."""
        fmt = FORMATS[self.format]
        if not fmt.scaled:
            return None
        values = torch.tensor(fmt.levels)
        where = (row if len(self.scale) > 1 else 0, group)
        if self.zero is not None:
            values = values - (self.zero[where].float() - 2 ** (fmt.bits - 1))
        else:
            values = values[values.abs() <= fmt.max]
        return values * self.scale[where].float()

    def error(self, original: Tensor) -> ErrorStats:
        """Compare with the tensor this was made from (same shape)."""
        if tuple(original.shape) != self.shape:
            raise ValueError(f"original must have shape {self.shape}, got {tuple(original.shape)}")
        values = self.dequantize()
        relative = relative_error(original, values)
        sqnr_db = -20 * float(torch.tensor(relative).log10())
        difference = (values - original.detach().float()).abs()
        return ErrorStats(relative, float(difference.mean()), float(difference.max()), sqnr_db)


def relative_error(original: Tensor, values: Tensor) -> float:
    """‖x − x̂‖ / ‖x‖ of two tensors of one shape, 0 for an all-zero one."""
    x = original.detach().float()
    norm, lost = float(x.norm()), float((values - x).norm())
    return lost / norm if norm else 0.0


def quantize(tensor: Tensor, format: str, granularity: str = "channel", group_size: int = 64, symmetric: bool = True) -> Quantized:
    """Store `tensor` (at least one axis) in `format`; up to 8 bits with one scale a tensor, channel or group.

    A channel is a row along the last axis (one output of a weight matrix), a group `group_size` neighbours
    in a row; a row's last group may be shorter. Scales are fp32 a tensor or channel, fp16 a group.
    Symmetric: s = max|x| / format.max, x̂ = s · level. Asymmetric (int8, int4): s = (max − min) / (2^b − 1),
    code = round(x / s) + zero, with 0 always inside [min, max], so that zero stays exactly zero.
    fp32 of a float32 tensor changes nothing and shares its memory.
    Raises ValueError for an unknown format or granularity, and for empty, infinite or NaN input.
    """
    fmt = get_format(format)
    _check(tensor, fmt, granularity, group_size, symmetric)
    x = tensor.detach().to(torch.float32)
    shape = tuple(x.shape)
    if not fmt.scaled:
        codes = x.reshape(-1, shape[-1]).to(fmt.torch_dtype)
        return Quantized(format, granularity, None, shape, codes)
    group_size = group_size if granularity == "group" else None
    rows = x.reshape(-1, shape[-1])
    low, high = _extremes(rows, granularity, group_size)  # each shaped like the scale
    if symmetric:
        scale, zero = _storable(torch.maximum(-low, high) / fmt.max, granularity), None
    else:
        low, high = low.clamp(max=0), high.clamp(min=0)
        top = 2**fmt.bits - 1
        scale = _storable(high / top - low / top, granularity)
        zero = (-low / _divisor(scale)).round().clamp(0, top).to(torch.uint8)
    values = _spread(rows, _divisor(scale), group_size, torch.div)  # largest magnitude = fmt.max
    if zero is not None:
        values = _spread(values.round(), zero.float() - 2 ** (fmt.bits - 1), group_size, torch.add)
    return Quantized(format, granularity, group_size, shape, encode(values, fmt, symmetric), scale, zero)


def encode(values: Tensor, fmt: Format, symmetric: bool = True) -> Tensor:
    """Round scaled values (rows, columns) to the format's levels and pack their codes."""
    if fmt.kind == "float":
        return encode_float(values, fmt)
    if fmt.kind == "table":  # the nearest level: count the midpoints below
        levels = torch.tensor(fmt.table)
        return pack_nibbles(torch.bucketize(values, (levels[1:] + levels[:-1]) / 2, out_int32=True).to(torch.uint8))
    lowest = -fmt.max if symmetric else -fmt.max - 1
    codes = values.round().clamp_(lowest, fmt.max).to(torch.int8)
    return codes if fmt.bits == 8 else pack_nibbles((codes + 8).view(torch.uint8))


def decode(codes: Tensor, fmt: Format, columns: int) -> Tensor:
    """Packed codes -> the format's levels, float32 (rows, columns), not yet scaled."""
    if fmt.name == "int8":
        return codes.float()
    if fmt.bits == 8:
        return F.embedding(codes.int(), fmt.decoded[:, None]).squeeze(-1)
    byte = torch.arange(256)  # one look-up a byte finds both of its values
    pairs = torch.stack((fmt.decoded[byte & 15], fmt.decoded[byte >> 4]), dim=1)  # (256, 2)
    return F.embedding(codes.int(), pairs).flatten(-2)[:, :columns]


def pack_nibbles(codes: Tensor) -> Tensor:
    """Two codes of 0..15 a byte, the first in the low half: uint8 (rows, n) -> (rows, ceil(n / 2))."""
    if codes.shape[1] % 2:
        codes = F.pad(codes, (0, 1))
    return codes[:, ::2] | codes[:, 1::2] << 4


def unpack_nibbles(packed: Tensor, columns: int) -> Tensor:
    """The inverse: uint8 (rows, ceil(columns / 2)) -> (rows, columns)."""
    return torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2)[:, :columns]


def _check(tensor: Tensor, fmt: Format, granularity: str, group_size: int, symmetric: bool) -> None:
    if granularity not in GRANULARITIES:
        raise ValueError(f"unknown granularity {granularity!r}; there are {', '.join(GRANULARITIES)}")
    if granularity == "group" and group_size < 1:
        raise ValueError(f"group_size must be >= 1, got {group_size}")
    if not symmetric and fmt.kind != "integer":
        raise ValueError(f"only int8 and int4 can be asymmetric, not {fmt.name}")
    if tensor.ndim == 0 or tensor.numel() == 0:
        raise ValueError(f"tensor must have at least one axis and one element, got shape {tuple(tensor.shape)}")
    if not tensor.is_floating_point():
        raise ValueError(f"tensor must hold floating-point numbers, got {tensor.dtype}")
    low, high = (float(v) for v in tensor.detach().aminmax())  # NaN anywhere makes both NaN
    largest = max(-low, high)
    if not largest < float("inf"):
        raise ValueError("tensor must be finite, it holds inf or NaN")
    if not fmt.scaled and largest > fmt.max:
        raise ValueError(f"{fmt.name} ends at {fmt.max:g}, the tensor holds {largest:g}")


def _extremes(rows: Tensor, granularity: str, group_size: int | None) -> tuple[Tensor, Tensor]:
    """Smallest and largest value for every scale: (rows, columns) -> two of (1, 1), (rows, 1) or (rows, groups)."""
    if granularity == "tensor":
        low, high = rows.aminmax()
        return low.view(1, 1), high.view(1, 1)
    if granularity == "channel":
        return rows.aminmax(dim=1, keepdim=True)
    padded = F.pad(rows, (0, -rows.shape[1] % group_size), mode="replicate") if rows.shape[1] % group_size else rows
    return padded.view(len(rows), -1, group_size).aminmax(dim=2)


def _storable(scale: Tensor, granularity: str) -> Tensor:
    """The scale as it is kept. Group scales are fp16, as in GGUF: 16 bits for 32 weights are half a bit each.

    Rounded up, so that the largest weight still fits; a block of zeros keeps scale 0.
    """
    nonzero = scale > 0
    if granularity != "group":
        return torch.where(nonzero, scale.clamp(min=torch.finfo(torch.float32).tiny), scale)
    largest = torch.finfo(torch.float16).max
    if float(scale.max()) > largest:
        raise ValueError(f"a group scale of {float(scale.max()):g} is beyond fp16, which ends at {largest:g}")
    half = scale.half()
    too_small = half.float() < scale
    return (half.view(torch.int16) + too_small.to(torch.int16)).view(torch.float16)  # next bit pattern = next number


def _divisor(scale: Tensor) -> Tensor:
    """The scale as float32, 1 where it is 0: a block of zeros stays zero."""
    scale = scale.float()
    return scale.masked_fill(scale == 0, 1.0)


def _spread(rows: Tensor, per_block: Tensor, group_size: int | None, operation) -> Tensor:
    """operation(rows, per_block) with every scale (or zero point) applied to its own block of (rows, columns)."""
    if group_size is None:
        return operation(rows, per_block)
    n, columns = rows.shape
    if columns % group_size == 0:
        return operation(rows.reshape(n, -1, group_size), per_block[..., None]).view(n, columns)
    return operation(rows, per_block.repeat_interleave(group_size, dim=1)[:, :columns])
