"""Layers whose weights stay packed in memory and are unpacked when used."""

import torch.nn.functional as F
from torch import Tensor, nn

from core.quantization.quantizers import Quantized


class QuantizedLinear(nn.Module):
    """y = x Ŵᵀ (+ bias) with Ŵ unpacked for the moment of use: (..., in) -> (..., out).

    Only the stored weight is small; the product itself is in the precision of x ("weight-only"
    quantization). Fast kernels unpack tile by tile inside the product; the result is the same.
    """

    def __init__(self, quantized: Quantized, bias: nn.Parameter | None = None):
        super().__init__()
        self.quantized = quantized  # shape (out, in)
        self.bias = bias  # stays as it is, (out,)

    @property
    def weight(self) -> Tensor:
        """The unpacked matrix (out, in), float32; made anew at every access."""
        return self.quantized.dequantize()

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), self.bias)


class QuantizedEmbedding(nn.Module):
    """A look-up table that unpacks only the rows asked for: ids (...) -> (..., columns)."""

    def __init__(self, quantized: Quantized):
        super().__init__()
        self.quantized = quantized  # shape (vocabulary, columns)

    @property
    def weight(self) -> Tensor:
        return self.quantized.dequantize()

    def forward(self, ids: Tensor) -> Tensor:
        return self.quantized.select(ids).dequantize()
