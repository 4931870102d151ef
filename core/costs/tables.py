"""Models and hardware by name."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class ModelSpec:
    """What the closed forms need to know of a model."""

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    vocab_size: int
    context_length: int
    source: str
    local_layers: int = 0  # layers that see only the last `window` tokens
    window: int = 0
    kv_latent: int = 0  # multi-head latent attention: numbers of the shared latent vector a token
    rope_key: int = 0  # and of the rotary key beside it
    index_bytes: int = 0  # bytes a token and layer for an indexer's own keys
    n_experts: int = 1  # feed-forward networks a layer
    gated: bool = True  # SwiGLU: three matrices; else two
    biases: bool = False
    learned_positions: bool = False
    tied_embeddings: bool = False
    published_parameters: float = 0.0  # the makers' figure, where the form above is too simple for `parameters`


@dataclass(frozen=True)
class Gpu:
    """An accelerator: dense bf16 rate, memory bandwidth, memory."""

    name: str
    bf16_tflops: float
    bandwidth_tb: float  # TB/s
    memory_gb: float


@lru_cache(maxsize=None)
def models() -> dict[str, ModelSpec]:
    """Name -> shape, each with its source."""
    table = tomllib.loads((Path(__file__).parent / "models.toml").read_text("utf-8"))
    return {name: ModelSpec(name, **row) for name, row in table.items()}


@lru_cache(maxsize=None)
def gpus() -> dict[str, Gpu]:
    """Name -> accelerator."""
    table = tomllib.loads((Path(__file__).parent / "gpus.toml").read_text("utf-8"))
    return {name: Gpu(name, **row) for name, row in table.items()}
