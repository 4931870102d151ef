"""The numbers that define a decoder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of a decoder; the defaults are those of `mini`, a Llama-style one.

    The families differ in a few switches: Qwen2 has `qkv_bias`; Qwen3 `qk_norm`; GPT-2 `learned_positions`,
    `layer_norm` and `biases`, and is not `gated`.
    """

    n_layers: int = 10
    d_model: int = 384  # width of the residual stream
    n_heads: int = 6  # query heads
    n_kv_heads: int = 6  # key and value heads; fewer than n_heads = grouped-query attention
    d_ff: int = 1024  # hidden width of the feed-forward layer
    vocab_size: int = 16_384
    context_length: int = 1_024  # longest sequence seen in training
    head_dim: int = 64
    norm_eps: float = 1e-5
    tied_embeddings: bool = True  # the unembedding is the embedding, transposed
    dropout: float = 0.0  # used in training only

    # Positions: rotary, or one learned vector for each.
    rope_theta: float = 10_000.0  # base of the rotary frequencies
    rope_divisors: tuple[float, ...] = ()  # one a rotary pair: how much slower it turns, for longer contexts
    rope_gain: float = 1.0  # queries and keys are multiplied by it (YaRN)
    learned_positions: bool = False

    # Small parts.
    gated: bool = True  # feed-forward of three matrices, act(gate) · up; else two
    activation: str = "silu"  # "silu", "gelu" or "gelu_tanh"
    layer_norm: bool = False  # LayerNorm with a bias; else RMSNorm
    biases: bool = False  # in all linear layers of the blocks
    qkv_bias: bool = False  # in queries, keys and values only
    qk_norm: bool = False  # RMSNorm on every query and key before it is turned

    def __post_init__(self):
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})")
        if self.head_dim % 2 and not self.learned_positions:
            raise ValueError(f"head_dim must be even for rotary positions, got {self.head_dim}")
        if self.rope_divisors and len(self.rope_divisors) != self.head_dim // 2:
            raise ValueError(f"rope_divisors must hold {self.head_dim // 2} numbers, got {len(self.rope_divisors)}")
