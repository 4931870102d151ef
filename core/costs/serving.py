"""What serving a model takes from each of several GPUs, and how fast it can write at most. Units: bytes, seconds."""

from dataclasses import dataclass

from core.costs.compute import decode_flops, prefill_flops
from core.costs.memory import BITS, kv_cache_bytes, not_negative
from core.costs.parameters import active_parameters, parameters
from core.costs.specs import Gpu, ModelSpec, as_spec

CHUNK = 2048  # tokens of a long text that are read at once; an assumption, servers let it be set
RUNTIME = 1e9  # bytes a GPU keeps for its driver context, kernels and communication; an assumption


@dataclass(frozen=True)
class Share:
    """What one GPU holds, bytes."""

    weights: float
    kv_cache: float
    activations: float
    overhead: float

    @property
    def total(self) -> float:
        return self.weights + self.kv_cache + self.activations + self.overhead


@dataclass(frozen=True)
class Bound:
    """The fastest that writing can be: nothing but arithmetic and reading memory, perfectly overlapped."""

    bytes_read: float  # by each GPU for one step, that is one token of every sequence
    flops: float  # of each GPU for one step
    seconds: float  # one step
    tokens_per_second: float  # of all sequences together
    limit: str  # "memory" or "compute"


def splits(config, counts=(1, 2, 4, 8)) -> list[int]:
    """The numbers of GPUs over which the heads can be spread evenly; fewer KV heads than GPUs are copied."""
    spec = as_spec(config)
    return [n for n in counts if spec.n_heads % n == 0 and (spec.n_kv_heads % n == 0 or n % spec.n_kv_heads == 0)]


def gpu_parameters(config, n_gpus: int = 1) -> float:
    """Parameters that each of `n_gpus` holds under tensor parallelism (Megatron-LM, arXiv 1909.08053, section 3).

    Split: queries, output, feed-forward, experts, vocabulary. Copied to every GPU: norms, positions, routers, with MLA
    the way down to the latent vectors and the indexer. KV heads are split as far as they go, then copied.
    """
    spec = _checked(config, n_gpus)
    everywhere, kv_head = _copied(spec), 0
    if not spec.kv_lora_rank:
        kv_head = spec.n_layers * 2 * spec.d_model * spec.head_dim
    kv_held = -(-spec.n_kv_heads // n_gpus)
    return (parameters(spec) - everywhere - kv_head * spec.n_kv_heads) / n_gpus + everywhere + kv_head * kv_held


def share(config, tokens: int, format: str = "bf16", sequences: int = 1, n_gpus: int = 1, cache_bytes: float = 2) -> Share:
    """What each GPU holds for `sequences` texts of `tokens` tokens, weights in `format` of BITS.

    MLA's latent vector serves all heads, so every GPU keeps all of it. Activations are 16-bit: for CHUNK tokens the
    residual stream twice and the widest layer, and 32-bit logits of one token a sequence.
    """
    spec = _checked(config, n_gpus)
    if format not in BITS:
        raise ValueError(f"no format {format!r}; there are: {', '.join(BITS)}")
    cache = kv_cache_bytes(spec, tokens, cache_bytes, sequences) * _cache_part(spec, n_gpus)
    chunk = min(CHUNK, tokens * sequences)
    routed = spec.d_expert * (spec.active_experts + spec.shared_experts)
    widest = max((1 + spec.gated) * max(spec.d_ff if spec.moe_layers < spec.n_layers else 0, routed), 3 * spec.n_heads * spec.head_dim)
    activations = chunk * (2 * spec.d_model + widest / n_gpus) * 2 + sequences * spec.vocab_size / n_gpus * 4
    return Share(gpu_parameters(spec, n_gpus) * BITS[format] / 8, cache, activations, RUNTIME)


def experts_read(config, sequences: int) -> float:
    """Experts of a layer that one step wakes: expected number of different ones if tokens choose evenly.

    E · (1 − (1 − k/E)^sequences): k of E for one text, nearly all of them for many.
    """
    spec = as_spec(config)
    return spec.n_experts * (1 - (1 - spec.active_experts / spec.n_experts) ** sequences) if spec.n_experts else 0.0


def decode_bound(
    config, gpu: Gpu, tokens: int, format: str = "bf16", sequences: int = 1, n_gpus: int = 1, cache_bytes: float = 2
) -> Bound:
    """The next token of `sequences` texts of `tokens` tokens: no faster than bytes / bandwidth and FLOPs / peak rate.

    Read: every weight used, once for all sequences, and each sequence's cache. Not read: rows of the embedding table
    that are not looked up, experts not chosen, with an indexer the tokens it leaves out. Communication is left out.
    """
    spec = _checked(config, n_gpus)
    not_negative(tokens=tokens)
    read = gpu_parameters(spec, n_gpus) - _unread(spec, sequences) / n_gpus
    read_bytes = read * BITS[format] / 8 + _cache_read(spec, tokens, sequences, cache_bytes) * _cache_part(spec, n_gpus)
    flops = sequences * decode_flops(spec, tokens) / n_gpus
    rate = "fp8" if format.startswith("fp8") and gpu.fp8_tflops else "bf16"  # other formats are unpacked to 16 bits
    memory, compute = read_bytes / (gpu.bandwidth_tb * 1e12), flops / (gpu.tflops(rate) * 1e12)
    seconds = max(memory, compute)
    return Bound(read_bytes, flops, seconds, sequences / seconds, "memory" if memory >= compute else "compute")


@dataclass(frozen=True)
class Work:
    """What one phase computes and moves."""

    flops: float
    bytes: float
    tokens: int  # read or written by it


def prefill_work(config, tokens: int, sequences: int = 1, format: str = "bf16") -> Work:
    """Reading `sequences` texts of `tokens` tokens at once: each weight is read once, the cache is written once."""
    spec = _checked(config, 1)
    weights = (parameters(spec) - _unread(spec, sequences * tokens)) * BITS[format] / 8
    return Work(sequences * prefill_flops(spec, tokens), weights + kv_cache_bytes(spec, tokens, 2, sequences), sequences * tokens)


def decode_work(config, tokens: int, sequences: int = 1, format: str = "bf16") -> Work:
    """Writing the next token of each: the same weights are read once, and every text's cache."""
    spec = _checked(config, 1)
    weights = (parameters(spec) - _unread(spec, sequences)) * BITS[format] / 8
    return Work(sequences * decode_flops(spec, tokens), weights + _cache_read(spec, tokens, sequences, 2), sequences)


def tokens_done(tick: int, tokens: int, workers: int, each_waits: bool) -> int:
    """Tokens finished after `tick` ticks, one tick a token and worker: one at a time where each waits for the one before."""
    return min(tokens, tick * (1 if each_waits else workers))


def _checked(config, n_gpus: int) -> ModelSpec:
    spec = as_spec(config)
    if not splits(spec, (n_gpus,)):
        raise ValueError(f"{spec.name}: {spec.n_heads} query and {spec.n_kv_heads} KV heads cannot be spread evenly over {n_gpus} GPUs")
    return spec


def _copied(spec: ModelSpec) -> int:
    norm = spec.d_model * (2 if spec.layer_norm else 1)
    layer = spec.norms_per_layer * norm + spec.qk_norm * 2 * spec.head_dim
    if spec.kv_lora_rank:
        down = spec.q_lora_rank + spec.kv_lora_rank + spec.qk_rope_dim
        layer += spec.d_model * down + spec.q_lora_rank + spec.kv_lora_rank
        layer += spec.q_lora_rank * spec.index_heads * spec.index_dim
        layer += spec.d_model * (spec.index_dim + spec.index_heads) + 2 * spec.index_dim
    routers = spec.moe_layers * spec.n_experts * (spec.d_model + spec.biases)
    positions = spec.context_length * spec.d_model if spec.learned_positions else 0
    return spec.n_layers * layer + norm + routers + positions


def _cache_part(spec: ModelSpec, n_gpus: int) -> float:
    """The part of the cache that one GPU keeps."""
    return 1.0 if spec.kv_lora_rank else -(-spec.n_kv_heads // n_gpus) / spec.n_kv_heads


def _unread(spec: ModelSpec, sequences: int) -> float:
    lookup = 0 if spec.tied_embeddings else spec.vocab_size * spec.d_model
    if spec.n_experts == spec.active_experts:
        return lookup
    expert = (parameters(spec) - active_parameters(spec)) / (spec.n_experts - spec.active_experts)
    return lookup + expert * (spec.n_experts - experts_read(spec, sequences))


def _cache_read(spec: ModelSpec, tokens: int, sequences: int, cache_bytes: float) -> float:
    everything = kv_cache_bytes(spec, tokens, cache_bytes, sequences)
    if not spec.index_top_k:
        return everything
    left_out = max(tokens - spec.index_top_k, 0) * spec.n_layers * (spec.kv_lora_rank + spec.qk_rope_dim) * cache_bytes
    return everything - left_out * sequences
