"""What the closed forms need to know: the shape of a model, the limits of a machine."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class ModelSpec:
    """The shape of a decoder. The fields without a default are those of `core.models.DecoderConfig`."""

    name: str
    source: str  # where the numbers stand
    n_layers: int
    d_model: int
    n_heads: int  # query heads
    n_kv_heads: int  # key and value heads
    head_dim: int
    d_ff: int  # hidden width of a dense feed-forward layer
    vocab_size: int
    context_length: int
    tied_embeddings: bool = False  # the unembedding is the embedding, transposed

    # Local attention: `local_layers` of the layers see at most `window` tokens, the others everything.
    local_layers: int = 0
    window: int = 0
    window_kind: str = ""  # "sliding": the last W tokens; "chunked": those since the last multiple of W

    # Multi-head latent attention (MLA): one small vector a token stands for the keys and values of all heads.
    kv_lora_rank: int = 0  # its width; 0 = no MLA
    qk_rope_dim: int = 0  # width of the one rotary key stored beside it
    q_lora_rank: int = 0  # width of the queries' own bottleneck

    # Sparse attention (DSA): an indexer scores every earlier token, attention reads the best.
    index_heads: int = 0
    index_dim: int = 0
    index_top_k: int = 0

    # Mixture of experts (MoE) in `moe_layers` of the layers; the others have one network of width d_ff.
    moe_layers: int = 0
    n_experts: int = 0
    active_experts: int = 0  # chosen for each token
    shared_experts: int = 0  # used by every token
    d_expert: int = 0

    # Small things that count as parameters.
    gated: bool = True  # feed-forward of three matrices (SwiGLU, GeGLU); else two
    biases: bool = False  # in the linear layers
    qkv_bias: bool = False  # in queries, keys and values only
    layer_norm: bool = False  # norms with a bias (LayerNorm); else RMSNorm
    norms_per_layer: int = 2
    qk_norm: bool = False  # a norm on queries and one on keys
    sinks: bool = False  # a learned sink logit a head
    learned_positions: bool = False

    def __post_init__(self):
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"{self.name}: n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})")
        if not 0 <= self.local_layers <= self.n_layers or (self.local_layers > 0) != (self.window > 0):
            raise ValueError(f"{self.name}: {self.local_layers} of {self.n_layers} layers with a window of {self.window}")
        if not self.active_experts <= self.n_experts or (self.moe_layers > 0) != (self.n_experts > 0):
            raise ValueError(f"{self.name}: {self.active_experts} of {self.n_experts} experts in {self.moe_layers} layers")

    @property
    def attention(self) -> str:
        """How keys and values are shared: "MHA" (not), "GQA" (by groups), "MQA" (by all), "MLA" (a latent vector)."""
        if self.kv_lora_rank:
            return "MLA"
        if self.n_kv_heads == self.n_heads:
            return "MHA"
        return "MQA" if self.n_kv_heads == 1 else "GQA"


@dataclass(frozen=True)
class Gpu:
    """A machine's limits. Rates are dense: NVIDIA's headline figures with 2:4 sparsity are twice as high."""

    name: str
    source: str
    bf16_tflops: float  # 1e12 FLOP/s on 16-bit numbers, accumulated in 32 bits
    bandwidth_tb: float  # 1e12 bytes/s between memory and chip
    memory_gb: float  # 1e9 bytes
    fp8_tflops: float = 0.0  # 0 = the machine has none
    rough: bool = False  # the rate is an estimate, not the maker's figure

    def tflops(self, format: str = "bf16") -> float:
        """Peak rate, 1e12 FLOP/s, in "bf16" (also fp16) or "fp8"; ValueError if the machine has none."""
        rates = {"bf16": self.bf16_tflops, "fp8": self.fp8_tflops}
        if not rates.get(format):
            raise ValueError(f"{self.name} has no {format!r} rate; there are: {', '.join(f for f in rates if rates[f])}")
        return rates[format]

    def ridge(self, format: str = "bf16") -> float:
        """FLOPs per byte from which arithmetic is the limit, no longer memory."""
        return self.tflops(format) / self.bandwidth_tb


def as_spec(config) -> ModelSpec:
    """A ModelSpec as it is; of any other config, such as a DecoderConfig, the fields of the same name."""
    if isinstance(config, ModelSpec):
        return config
    same = {f.name: getattr(config, f.name) for f in fields(ModelSpec) if hasattr(config, f.name)}
    return ModelSpec(**{"name": type(config).__name__, "source": "its own configuration", **same})


def unshared(config) -> ModelSpec:
    """The same shape if every query head had a key and a value of its own (MHA), and no latent vector and no index."""
    spec = as_spec(config)
    return replace(spec, n_kv_heads=spec.n_heads, kv_lora_rank=0, qk_rope_dim=0, q_lora_rank=0, index_heads=0, index_dim=0, index_top_k=0)
