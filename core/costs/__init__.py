"""Arithmetic on a model's shape: parameters, memory, FLOPs, limits. No network runs here."""

from core.costs.formulas import (
    BITS,
    Roofline,
    attention_flops,
    attention_score_bytes,
    decode_flops,
    kv_bytes_per_token,
    kv_cache_bytes,
    parameters,
    prefill_flops,
    roofline,
    tokens_per_second_bound,
    weight_bytes,
)
from core.costs.tables import Gpu, ModelSpec, gpus, models

__all__ = [
    "BITS", "Gpu", "ModelSpec", "Roofline", "attention_flops", "attention_score_bytes", "decode_flops", "gpus",
    "kv_bytes_per_token", "kv_cache_bytes", "models", "parameters", "prefill_flops", "roofline",
    "tokens_per_second_bound", "weight_bytes",
]  # fmt: skip
