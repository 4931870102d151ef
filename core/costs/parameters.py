"""How many numbers a model has learned."""

from core.costs.specs import ModelSpec, as_spec


def parameters(config) -> int:
    """All weights of a decoder: tables of the vocabulary, then per layer attention, feed-forward and norms, one last norm.

    `config`: a ModelSpec or a DecoderConfig. Vision encoders and multi-token-prediction heads are not counted.
    """
    spec = as_spec(config)
    return _outside_layers(spec) + spec.n_layers * _attention(spec) + _feed_forward(spec, spec.n_experts)


def active_parameters(config) -> int:
    """The weights one token uses: all of them, except the experts it is not sent to."""
    spec = as_spec(config)
    return _outside_layers(spec) + spec.n_layers * _attention(spec) + _feed_forward(spec, spec.active_experts)


def _outside_layers(spec: ModelSpec) -> int:
    tables = spec.vocab_size * (1 if spec.tied_embeddings else 2)
    positions = spec.context_length if spec.learned_positions else 0
    return (tables + positions) * spec.d_model + _norm(spec)


def _attention(spec: ModelSpec) -> int:
    """One layer's attention, with the norms of the layer."""
    c, q = spec.d_model, spec.n_heads * spec.head_dim
    if spec.kv_lora_rank:
        matrices = _latent_attention(spec)
    else:
        kv = spec.n_kv_heads * spec.head_dim
        matrices = 2 * c * q + 2 * c * kv  # q and o, k and v
        matrices += (spec.biases or spec.qkv_bias) * (q + 2 * kv) + spec.biases * c
    small = spec.qk_norm * 2 * spec.head_dim + spec.sinks * spec.n_heads
    return matrices + small + spec.norms_per_layer * _norm(spec)


def _latent_attention(spec: ModelSpec) -> int:
    """Down to the bottlenecks, up to the heads, and the indexer if there is one; DeepSeek-V2, arXiv 2405.04434."""
    c, q = spec.d_model, spec.n_heads * spec.head_dim
    queries = c * spec.q_lora_rank + spec.q_lora_rank * (q + spec.n_heads * spec.qk_rope_dim)
    keys_values = c * (spec.kv_lora_rank + spec.qk_rope_dim) + spec.kv_lora_rank * 2 * q
    norms = spec.q_lora_rank + spec.kv_lora_rank
    index_queries = spec.q_lora_rank * spec.index_heads * spec.index_dim
    indexer = index_queries + c * (spec.index_dim + spec.index_heads) + 2 * spec.index_dim  # its norm has a bias
    return queries + keys_values + norms + q * c + indexer


def _feed_forward(spec: ModelSpec, experts: int) -> int:
    """All layers' feed-forward networks, with `experts` routed experts in each MoE layer."""
    router = spec.n_experts * (spec.d_model + spec.biases)
    moe = (experts + spec.shared_experts) * _network(spec, spec.d_expert) + router
    return (spec.n_layers - spec.moe_layers) * _network(spec, spec.d_ff) + spec.moe_layers * moe


def _network(spec: ModelSpec, width: int) -> int:
    """One feed-forward network: into `width`, twice if gated, and back."""
    into = 2 if spec.gated else 1
    return (into + 1) * spec.d_model * width + spec.biases * (into * width + spec.d_model)


def _norm(spec: ModelSpec) -> int:
    return spec.d_model * (2 if spec.layer_norm else 1)
