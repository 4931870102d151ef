"""What a model computes, and how fast a machine can do it. Units: FLOPs (one multiply-add is two), bytes, seconds."""

from dataclasses import dataclass

from core.costs.attention_pairs import pairs
from core.costs.memory import not_negative
from core.costs.parameters import active_parameters
from core.costs.specs import Gpu, ModelSpec, as_spec


def attention_flops(config, tokens: int) -> float:
    """FLOPs of one token's scores and weighted sum over `tokens` tokens, itself included, in all layers.

    4 · n_heads · head_dim for each pair of tokens: 2 for query · key, 2 for weight · value. Local layers stop at
    their window. With MLA the pair is scored on the latent vector, as decoding does (arXiv 2405.04434, section 2.1);
    with an indexer only its top k pairs are, and the indexer itself scores all of them.
    """
    not_negative(tokens=tokens)
    spec = as_spec(config)
    global_layers = spec.n_layers - spec.local_layers
    attended = min(tokens, spec.index_top_k) if spec.index_top_k else tokens
    compared = global_layers * attended + spec.local_layers * min(tokens, spec.window)
    return compared * _pair_flops(spec) + spec.n_layers * tokens * 2 * spec.index_heads * spec.index_dim


def _pair_flops(spec: ModelSpec) -> int:
    if spec.kv_lora_rank:
        return 2 * spec.n_heads * (2 * spec.kv_lora_rank + spec.qk_rope_dim)
    return 4 * spec.n_heads * spec.head_dim


def decode_flops(config, tokens: int = 0) -> float:
    """FLOPs of the next token of a text of `tokens` tokens: 2 for each weight it uses, and attention over the text.

    The usual estimate (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); it counts the embedding table as a
    matrix product, which is exact where the table also serves as the unembedding.
    """
    return 2 * active_parameters(config) + attention_flops(config, tokens)


def prefill_flops(config, tokens: int) -> float:
    """FLOPs to read a text of `tokens` tokens: 2 · weights · tokens, and causal attention.

    Token i looks at i tokens: all pairs with itself and what came before, n (n + 1) / 2, or fewer in local layers.
    Pairs are scored head by head, also with MLA: keys and values of the text are expanded once.
    """
    not_negative(tokens=tokens)
    spec = as_spec(config)
    seen = min(spec.index_top_k, tokens) if spec.index_top_k else tokens
    compared = (spec.n_layers - spec.local_layers) * pairs(tokens, seen) + spec.local_layers * pairs(tokens, spec.window)
    pair = 2 * spec.n_heads * (2 * spec.head_dim + spec.qk_rope_dim)  # qk_rope_dim is 0 without MLA
    indexer = spec.n_layers * pairs(tokens, tokens) * 2 * spec.index_heads * spec.index_dim
    return 2 * active_parameters(spec) * tokens + compared * pair + indexer


def attention_crossover(config) -> float:
    """Length of text from which the next token's attention costs more FLOPs than its weights.

    Only for full attention in every layer: weights / (2 · n_layers · n_heads · head_dim).
    """
    spec = as_spec(config)
    if spec.local_layers or spec.kv_lora_rank:
        raise ValueError(f"{spec.name}: attention is not full in every layer")
    return 2 * active_parameters(spec) / attention_flops(spec, 1)


def tokens_per_second_bound(bytes_read: float, bandwidth_tb: float) -> float:
    """Most tokens a second at batch 1, when each token reads `bytes_read` (weights, and cache) once.

    bandwidth / bytes; `bandwidth_tb` in 1e12 bytes/s. Raises ValueError for no bytes.
    """
    if bytes_read <= 0:
        raise ValueError(f"bytes_read must be > 0, got {bytes_read}")
    return bandwidth_tb * 1e12 / bytes_read


@dataclass(frozen=True)
class Roofline:
    """What limits a piece of work on a machine."""

    intensity: float  # FLOPs per byte moved
    ridge: float  # the intensity from which arithmetic is the limit
    tflops: float  # the rate that can be reached, 1e12 FLOP/s
    seconds: float  # the time it takes at least
    bound: str  # "compute" or "memory"


def roofline(flops: float, bytes_moved: float, gpu: Gpu, format: str = "bf16") -> Roofline:
    """Work is no faster than the slower of arithmetic and memory (Williams et al. 2009).

    seconds = max(flops / peak rate, bytes / bandwidth). Raises ValueError for no work.
    """
    if flops <= 0 or bytes_moved <= 0:
        raise ValueError(f"flops and bytes_moved must be > 0, got {flops} and {bytes_moved}")
    compute, memory = flops / (gpu.tflops(format) * 1e12), bytes_moved / (gpu.bandwidth_tb * 1e12)
    seconds = max(compute, memory)
    return Roofline(flops / bytes_moved, gpu.ridge(format), flops / seconds / 1e12, seconds, "compute" if compute >= memory else "memory")
