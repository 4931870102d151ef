"""What a model takes in memory. Units: bytes; GB = 1e9 bytes."""

from dataclasses import dataclass

from core.costs.parameters import parameters
from core.costs.specs import Gpu, as_spec

# Bits a weight takes. int8 and int4: the codes alone, as tables of sizes quote them; the others with their scales:
# Q4_0 and Q8_0 (ggml) have one 16-bit scale for 32 weights, NF4 (QLoRA, arXiv 2305.14314 section 3) one 32-bit scale
# for 64 weights, with double quantization an 8-bit one and a 32-bit one for 256 of those.
BITS = {
    "fp32": 32, "fp16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "int8": 8, "int4": 4,
    "q8_0": 8 + 16 / 32, "q4_0": 4 + 16 / 32, "nf4": 4 + 32 / 64, "nf4_double": 4 + 8 / 64 + 32 / (64 * 256),
}  # fmt: skip


def kv_bytes_per_token(config, bytes_per_element: float = 2, tokens: int = 0) -> float:
    """Bytes that one more token adds to the cache of a text of `tokens` tokens.

    2 · n_layers · n_kv_heads · head_dim · bytes_per_element, 2 for key and value. With latent attention (MLA):
    (kv_lora_rank + qk_rope_dim) · n_layers · bytes_per_element. Local layers whose window is full add nothing.
    """
    spec = as_spec(config)
    growing = spec.n_layers - (spec.local_layers if tokens >= spec.window else 0)
    return growing * _kv_bytes_per_layer(spec, bytes_per_element)


def kv_cache_bytes(config, tokens: int, bytes_per_element: float = 2, sequences: int = 1) -> float:
    """Bytes of the keys and values of `sequences` texts of `tokens` tokens each.

    bytes of a token and layer · (global layers · tokens + local layers · min(tokens, window)) · sequences.
    Chunked windows are counted at their fullest. Raises ValueError for negative numbers.
    """
    not_negative(tokens=tokens, bytes_per_element=bytes_per_element, sequences=sequences)
    spec = as_spec(config)
    token_layers = (spec.n_layers - spec.local_layers) * tokens + spec.local_layers * min(tokens, spec.window)
    return _kv_bytes_per_layer(spec, bytes_per_element) * token_layers * sequences


def kv_fixed_bytes(config, tokens: int, bytes_per_element: float = 2) -> float:
    """Bytes of the local layers whose windows are full at `tokens` tokens: from there on they no longer grow.

    The cache is this and `kv_bytes_per_token` for every token.
    """
    per_token = kv_bytes_per_token(config, bytes_per_element, tokens)
    return kv_cache_bytes(config, tokens, bytes_per_element) - per_token * tokens


def _kv_bytes_per_layer(spec, bytes_per_element: float) -> float:
    if spec.kv_lora_rank:
        # The indexer's keys are FP8 whatever the rest is stored in, with one FP32 scale (DeepSeek-V3.2-Exp, inference/model.py).
        index_key = spec.index_dim + 4 if spec.index_dim else 0
        return (spec.kv_lora_rank + spec.qk_rope_dim) * bytes_per_element + index_key
    return 2 * spec.n_kv_heads * spec.head_dim * bytes_per_element


def attention_score_bytes(config, tokens: int, bytes_per_element: float = 2) -> float:
    """Bytes of one layer's score matrices if they were stored whole: n_heads · tokens² · bytes_per_element.

    No modern kernel stores them (FlashAttention, arXiv 2205.14135).
    """
    not_negative(tokens=tokens, bytes_per_element=bytes_per_element)
    return as_spec(config).n_heads * tokens**2 * bytes_per_element


def weight_bytes(config_or_count, format: str = "fp16") -> float:
    """Bytes of the weights alone: parameters · bits / 8.

    Takes a config or a number of parameters, and a format of BITS; ValueError lists them.
    """
    if format not in BITS:
        raise ValueError(f"no format {format!r}; there are: {', '.join(BITS)}")
    count = config_or_count if isinstance(config_or_count, (int, float)) else parameters(config_or_count)
    not_negative(parameters=count)
    return count * BITS[format] / 8


@dataclass(frozen=True)
class Memory:
    """What a running model holds, bytes. Activations and the runtime come on top, usually a few percent."""

    weights: float
    kv_cache: float

    @property
    def total(self) -> float:
        return self.weights + self.kv_cache


def model_memory(config, tokens: int, format: str = "fp16", sequences: int = 1, cache_bytes_per_element: float = 2) -> Memory:
    """Weights in `format` and the cache of `sequences` texts of `tokens` tokens, together."""
    return Memory(weight_bytes(config, format), kv_cache_bytes(config, tokens, cache_bytes_per_element, sequences))


def fits(bytes_needed: float, gpu: Gpu, n_gpus: int = 1) -> bool:
    """Whether so many bytes find room in the memory of `n_gpus` such machines."""
    return bytes_needed <= gpu.memory_gb * 1e9 * n_gpus


def not_negative(**numbers: float) -> None:
    """ValueError for the first number below 0, by its name."""
    for name, number in numbers.items():
        if number < 0:
            raise ValueError(f"{name} must be >= 0, got {number}")
