"""The number formats: which values each can write down at all."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Format:
    """One way to write a number in `bits` bits.

    kind "float": sign, exponent and mantissa; "integer": evenly spaced; "table": a list of chosen values.
    `max` is the largest magnitude that quantizing uses (a scale maps the largest weight onto it).
    """

    name: str
    kind: str
    bits: int
    max: float
    formula: str
    exponent_bits: int = 0
    mantissa_bits: int = 0
    bias: int = 0  # stored exponent = exponent + bias
    table: tuple[float, ...] = ()  # the values themselves, kind "table" only
    torch_dtype: torch.dtype | None = None  # what PyTorch calls it, if it has it

    @property
    def scaled(self) -> bool:
        """Up to 8 bits hold too few values to cover every matrix: weights are divided by a scale first."""
        return self.bits <= 8

    @cached_property
    def levels(self) -> tuple[float, ...] | None:
        """Every finite value the format can write, ascending; None above 8 bits (65,536 or more of them)."""
        if not self.scaled:
            return None
        values = self.decode(torch.arange(2**self.bits, dtype=torch.uint8))
        return tuple(values[values.isfinite()].unique().tolist())  # -0 and 0 are one value

    @cached_property
    def decoded(self) -> Tensor:
        """The value of every code of up to 8 bits, (2**bits,) float32; NaN where the format says so."""
        return self.decode(torch.arange(2**self.bits, dtype=torch.uint8))

    def decode(self, codes: Tensor) -> Tensor:
        """The values, float32, that unsigned codes (any shape) of up to 8 bits stand for."""
        if self.kind == "table":
            return torch.tensor(self.table)[codes.long()]
        if self.kind == "integer":  # code 0 is the most negative value
            return codes.float() - 2 ** (self.bits - 1)
        return decode_float(codes, self)


def _float8(name: str, exponent_bits: int, mantissa_bits: int, bias: int, largest: float, dtype: torch.dtype) -> Format:
    steps = 2**mantissa_bits
    formula = f"(−1)^s · 2^(e−{bias}) · (1 + m/{steps});  e = 0: (−1)^s · 2^({1 - bias}) · m/{steps}"
    return Format(name, "float", 8, largest, formula, exponent_bits, mantissa_bits, bias, torch_dtype=dtype)


# Quantiles of the normal distribution, with an exact zero; QLoRA, https://arxiv.org/abs/2305.14314, appendix E.
NF4_LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip

_FORMATS = (
    Format("fp32", "float", 32, torch.finfo(torch.float32).max, "(−1)^s · 2^(e−127) · (1 + m/2²³)", 8, 23, 127, torch_dtype=torch.float32),
    Format("fp16", "float", 16, torch.finfo(torch.float16).max, "(−1)^s · 2^(e−15) · (1 + m/2¹⁰)", 5, 10, 15, torch_dtype=torch.float16),
    Format("bf16", "float", 16, torch.finfo(torch.bfloat16).max, "(−1)^s · 2^(e−127) · (1 + m/2⁷)", 8, 7, 127, torch_dtype=torch.bfloat16),
    # OCP 8-bit floating point: E4M3 gives up infinity for a wider range, E5M2 keeps it.
    _float8("fp8_e4m3", 4, 3, 7, 448.0, torch.float8_e4m3fn),
    _float8("fp8_e5m2", 5, 2, 15, 57_344.0, torch.float8_e5m2),
    # Symmetric use leaves the most negative code (-128, -8) idle, so that +x and -x round alike.
    Format("int8", "integer", 8, 127.0, "x̂ = s · q,  q ∈ {−127 … 127},  s = max|x| / 127", torch_dtype=torch.int8),
    Format("int4", "integer", 4, 7.0, "x̂ = s · q,  q ∈ {−7 … 7},  s = max|x| / 7"),
    Format("nf4", "table", 4, 1.0, "x̂ = s · NF4[code],  s = max|x|", table=NF4_LEVELS),
)  # fmt: skip

FORMATS: dict[str, Format] = {f.name: f for f in _FORMATS}


def get_format(name: str) -> Format:
    """The format called `name`; ValueError lists the names."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def encode_float(x: Tensor, fmt: Format) -> Tensor:
    """Round float32 x to the nearest value of an 8-bit float and return its bits: (...) -> (...) uint8.

    Between two powers of two the values of a float format are evenly spaced, `mantissa_bits` halvings
    below the lower power. So: find the power, count in units of that spacing, round the count (ties to
    even). Below the smallest normal exponent the spacing stops shrinking: those are the subnormals.
    Beyond the largest value it stays there (saturates), as hardware does for weights.
    """
    magnitude = x.abs().clamp(max=fmt.max)
    smallest_normal = 2.0 ** (1 - fmt.bias)  # everything below shares its exponent
    written = magnitude.clamp(min=smallest_normal).view(torch.int32)  # in float32: 8 bits of exponent + 127, 23 of mantissa
    power = (written & 255 << 23).view(torch.float32)  # without its mantissa: magnitude = 1.… · power
    count = (magnitude / power * 2**fmt.mantissa_bits).round().to(torch.int32)
    # count = 1.mantissa as an integer, so its leading one adds 1 to the exponent field below; a subnormal
    # has no leading one and lands in field 0; a count rounded up to the next power carries by itself.
    field = (written >> 23) + (fmt.bias - 128)
    bits = (field << fmt.mantissa_bits) + count
    return (bits + (x.signbit().to(torch.int32) << 7)).to(torch.uint8)


def decode_float(codes: Tensor, fmt: Format) -> Tensor:
    """The float32 values of 8-bit float codes (...): sign, exponent field and mantissa put together again."""
    bits = codes.to(torch.int32)
    mantissa = bits & (2**fmt.mantissa_bits - 1)
    field = bits >> fmt.mantissa_bits & (2**fmt.exponent_bits - 1)
    sign = 1.0 - 2.0 * (bits >> 7)
    leading_one = (field > 0) * 2**fmt.mantissa_bits
    power = field.clamp(min=1) - fmt.bias - fmt.mantissa_bits
    values = sign * torch.ldexp((mantissa + leading_one).float(), power)
    reserved = values.abs() > fmt.max  # the codes kept for infinity and NaN
    return values.masked_fill(reserved, torch.nan)
