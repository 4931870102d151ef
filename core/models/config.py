"""The numbers that define a decoder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of a Llama-style decoder; the defaults are those of `mini`."""

    n_layers: int = 10
    d_model: int = 384  # width of the residual stream
    n_heads: int = 6  # query heads
    n_kv_heads: int = 6  # key and value heads; fewer than n_heads = grouped-query attention
    d_ff: int = 1024  # hidden width of the SwiGLU feed-forward layer
    vocab_size: int = 16_384
    context_length: int = 1_024  # longest sequence seen in training
    head_dim: int = 64
    rope_theta: float = 10_000.0  # base of the rotary frequencies
    norm_eps: float = 1e-5
    tied_embeddings: bool = True  # the unembedding is the embedding, transposed
    dropout: float = 0.0  # used in training only

    def __post_init__(self):
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})")
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even for rotary positions, got {self.head_dim}")
