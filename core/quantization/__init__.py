"""Weights in fewer bits: number formats, quantizers, quantized layers, whole models."""

from core.quantization.formats import FORMATS, Format
from core.quantization.linear import QuantizedEmbedding, QuantizedLinear
from core.quantization.model import (
    MatrixReport,
    matrix,
    model_bytes,
    quantize_model,
    report,
    unpacked_model,
)
from core.quantization.quantizers import GRANULARITIES, ErrorStats, Quantized, quantize

__all__ = [
    "FORMATS",
    "GRANULARITIES",
    "ErrorStats",
    "Format",
    "MatrixReport",
    "Quantized",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "matrix",
    "model_bytes",
    "quantize",
    "quantize_model",
    "report",
    "unpacked_model",
]
