"""Weights in fewer bits: number formats, quantizers, quantized layers, whole models."""

from core.quantization.formats import FORMATS, Format
from core.quantization.linear import QuantizedEmbedding, QuantizedLinear
from core.quantization.model import (
    MatrixReport,
    matrix,
    model_bytes,
    quantize_model,
    report,
    rounded_model,
    unpacked_model,
)
from core.quantization.packed import MODES, mode_of, prepare
from core.quantization.quantizers import GRANULARITIES, ErrorStats, Quantized, quantize

__all__ = [
    "FORMATS",
    "GRANULARITIES",
    "MODES",
    "ErrorStats",
    "Format",
    "MatrixReport",
    "Quantized",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "matrix",
    "mode_of",
    "model_bytes",
    "prepare",
    "quantize",
    "quantize_model",
    "report",
    "rounded_model",
    "unpacked_model",
]
