"""Arithmetic on a model's shape: parameters, memory, FLOPs, limits. No network runs here."""

from core.costs.compute import (
    Roofline,
    attention_crossover,
    attention_flops,
    decode_flops,
    prefill_flops,
    roofline,
    tokens_per_second_bound,
)
from core.costs.configs import find_spec, spec_from_config
from core.costs.memory import (
    BITS,
    Memory,
    attention_score_bytes,
    fits,
    kv_bytes_per_token,
    kv_cache_bytes,
    kv_fixed_bytes,
    model_memory,
    weight_bytes,
)
from core.costs.parameters import active_parameters, parameters
from core.costs.parts import Part, parts
from core.costs.serving import (
    Bound,
    Share,
    Work,
    decode_bound,
    decode_work,
    experts_read,
    gpu_parameters,
    prefill_work,
    share,
    splits,
    tokens_done,
)
from core.costs.specs import Gpu, ModelSpec, as_spec, unshared
from core.costs.tables import gpus, models

__all__ = [
    "BITS", "Gpu", "Memory", "ModelSpec", "Part", "Roofline", "active_parameters", "as_spec", "attention_crossover",
    "attention_flops", "attention_score_bytes", "Bound", "Share", "decode_bound", "decode_flops", "experts_read", "find_spec",
    "fits", "gpu_parameters", "gpus", "kv_bytes_per_token", "kv_cache_bytes", "kv_fixed_bytes", "model_memory", "models", "parameters",
    "parts", "prefill_flops", "roofline", "prefill_work", "decode_work", "share", "spec_from_config", "splits",
    "tokens_done", "tokens_per_second_bound", "unshared", "weight_bytes", "Work",
]  # fmt: skip
