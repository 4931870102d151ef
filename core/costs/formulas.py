"""Closed forms on a model's shape. `config` is a ModelSpec or a DecoderConfig; what a config lacks counts as absent."""

from dataclasses import dataclass

# Bits a weight takes, scales included: one 16-bit scale for 32 weights is half a bit each.
BITS = {"fp32": 32, "fp16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "int8": 8, "int4": 4, "nf4": 4, "q4_0": 4.5, "q8_0": 8.5}


def kv_bytes_per_token(config, bytes_per_element: float = 2) -> float:
    """Bytes one more token adds to the cache while no window is full.

    2 · layers · KV heads · head_dim · bytes; with latent attention (latent + rotary key) · layers · bytes.
    """
    if getattr(config, "kv_latent", 0):
        per_layer = (config.kv_latent + config.rope_key) * bytes_per_element + getattr(config, "index_bytes", 0)
    else:
        per_layer = 2 * config.n_kv_heads * config.head_dim * bytes_per_element
    return per_layer * config.n_layers


def kv_cache_bytes(config, tokens: int, bytes_per_element: float = 2, sequences: int = 1) -> float:
    """Bytes of the whole cache for `sequences` texts of `tokens` tokens; local layers stop at their window."""
    per_layer = kv_bytes_per_token(config, bytes_per_element) / config.n_layers
    local = getattr(config, "local_layers", 0)
    held = (config.n_layers - local) * tokens + local * min(tokens, getattr(config, "window", 0))
    return per_layer * held * sequences


def parameters(config) -> int:
    """Weights of a decoder: embeddings, per layer attention, feed-forward and norms, a last norm, the unembedding."""
    if getattr(config, "published_parameters", 0):
        return int(config.published_parameters)
    c, biases = config.d_model, getattr(config, "biases", False)
    q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    experts = getattr(config, "n_experts", 1)
    gated = getattr(config, "gated", True)
    attention = 2 * c * q + 2 * c * kv + biases * (q + 2 * kv + c)
    feed_forward = (3 if gated else 2) * c * config.d_ff + biases * (config.d_ff + c)
    router = c * experts if experts > 1 else 0
    norms = 2 * c * (1 + biases)
    layer = attention + experts * feed_forward + router + norms
    embeddings = config.vocab_size * c * (1 if config.tied_embeddings else 2)
    positions = config.context_length * c if getattr(config, "learned_positions", False) else 0
    return embeddings + positions + config.n_layers * layer + c * (1 + biases)


def weight_bytes(config_or_count, format: str = "fp16") -> float:
    """Bytes of the weights alone in a format of BITS; takes a config or a number of parameters."""
    if format not in BITS:
        raise ValueError(f"no format {format!r}; there are: {', '.join(BITS)}")
    count = config_or_count if isinstance(config_or_count, (int, float)) else parameters(config_or_count)
    return count * BITS[format] / 8


def attention_flops(config, tokens: int) -> float:
    """FLOPs of one token's scores and weighted sum over `tokens` tokens, all layers: 4 · layers · tokens · heads · head_dim."""
    return 4 * config.n_layers * tokens * config.n_heads * config.head_dim


def decode_flops(config, tokens: int = 0) -> float:
    """FLOPs of the next token after `tokens` tokens: 2 a weight, and attention over the text."""
    return 2 * parameters(config) + attention_flops(config, tokens)


def prefill_flops(config, tokens: int) -> float:
    """FLOPs to read a text: 2 · weights · tokens, and causal attention (half of all pairs)."""
    return 2 * parameters(config) * tokens + attention_flops(config, tokens) * (tokens + 1) / 2


def attention_score_bytes(config, tokens: int, bytes_per_element: float = 2) -> float:
    """Bytes of one layer's score matrices if they were stored: heads · tokens² · bytes."""
    return config.n_heads * tokens**2 * bytes_per_element


def tokens_per_second_bound(bytes_read: float, bandwidth_tb: float) -> float:
    """Most tokens a second at batch 1: every token reads all weights (and its cache) once."""
    return bandwidth_tb * 1e12 / bytes_read


@dataclass(frozen=True)
class Roofline:
    """What limits a piece of work on a machine."""

    intensity: float  # FLOPs per byte moved
    ridge: float  # intensity from which the arithmetic is the limit
    tflops: float  # reachable rate
    seconds: float
    bound: str  # "compute" or "memory"


def roofline(flops: float, bytes_moved: float, gpu) -> Roofline:
    """Time no faster than the slower of arithmetic and memory (Williams et al. 2009)."""
    compute, memory = flops / (gpu.bf16_tflops * 1e12), bytes_moved / (gpu.bandwidth_tb * 1e12)
    seconds = max(compute, memory)
    ridge = gpu.bf16_tflops / gpu.bandwidth_tb
    return Roofline(flops / bytes_moved, ridge, flops / seconds / 1e12, seconds, "compute" if compute >= memory else "memory")
