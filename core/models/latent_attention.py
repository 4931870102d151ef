"""Multi-head latent attention (MLA): one short vector a token stands for the keys and values of all heads.

DeepSeek-V2, https://arxiv.org/abs/2405.04434, section 2.1. Shapes: B sequences, T new tokens, S keys (cached and new), H heads,
D = head_dim (the part of a query without position), R = rope_dim, C = d_model, c = width of the latent vector.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.models.attention import attention_pattern, causal_mask
from core.models.config import DecoderConfig
from core.models.decoder import Angles, Decoder, Tap
from core.models.norms import RMSNorm
from core.models.positions import rotate


@dataclass(frozen=True)
class LatentConfig:
    """The widths of what is cached for a token; DeepSeek takes 4 and a half times head_dim."""

    latent: int = 128  # of the vector from which keys and values of all heads are made
    rope_dim: int = 16  # of the one key that carries the position, shared by all heads


class LatentAttention(nn.Module):
    """Takes the place of `core.models.decoder.Attention`; the cache gets the latent vector as key, the rotary key as value.

    Content and position are scored apart, since a rotation between the two matrices that make keys of latent vectors
    and queries of tokens would keep them from being multiplied into one.
    """

    def __init__(self, config: DecoderConfig, latent: LatentConfig):
        super().__init__()
        if config.learned_positions or config.head_dim % latent.rope_dim or latent.rope_dim % 2:
            raise ValueError(f"rope_dim must be even and divide head_dim ({config.head_dim}), got {latent.rope_dim}")
        self.n_heads, self.head_dim, self.latent = config.n_heads, config.head_dim, latent
        self.q = nn.Linear(config.d_model, config.n_heads * (config.head_dim + latent.rope_dim), bias=False)
        self.down = nn.Linear(config.d_model, latent.latent + latent.rope_dim, bias=False)
        self.latent_norm = RMSNorm(latent.latent, config.norm_eps)
        self.up_k = nn.Linear(latent.latent, config.n_heads * config.head_dim, bias=False)
        self.up_v = nn.Linear(latent.latent, config.n_heads * config.head_dim, bias=False)
        self.o = nn.Linear(config.n_heads * config.head_dim, config.d_model, bias=False)
        self.absorb: bool | None = None  # how to compute; None: absorbed where the cache holds more than comes

    def forward(self, x: Tensor, angles: Angles, layer: int, cache=None, tap: Tap | None = None) -> Tensor:
        B, T, _ = x.shape
        cos, sin = (_thinned(part, self.latent.rope_dim) for part in angles)  # (T, 1, R)
        q, q_rope = self.q(x).view(B, T, self.n_heads, -1).split((self.head_dim, self.latent.rope_dim), -1)
        short, k_rope = self.down(x).split((self.latent.latent, self.latent.rope_dim), -1)
        short = self.latent_norm(short)[:, None]  # (B, 1, T, c)
        q, q_rope = q.transpose(1, 2), rotate(q_rope, cos, sin).transpose(1, 2)  # (B, H, T, D), (B, H, T, R)
        k_rope = rotate(k_rope[:, :, None], cos, sin).transpose(1, 2)  # (B, 1, T, R)
        if cache is not None:
            short, k_rope = cache.update(short, k_rope, layer)  # (B, 1, S, c), (B, 1, S, R)
        absorb = short.shape[2] > T if self.absorb is None else self.absorb
        tap = tap or (lambda name, value: value)
        z = (self.absorbed if absorb else self.expanded)(q, q_rope, short, k_rope, cache, layer, tap)  # (B, H, T, D)
        return self.o(tap("attn.hook_z", z.transpose(1, 2)).reshape(B, T, -1))

    def expanded(self, q: Tensor, q_rope: Tensor, short: Tensor, k_rope: Tensor, cache, layer: int, tap: Tap) -> Tensor:
        """Keys and values of every head are made of the latent vectors: few products a pair, but long keys for all S tokens."""
        k, v = (_heads(up(short[:, 0]), self.n_heads) for up in (self.up_k, self.up_v))  # (B, H, S, D)
        pattern = self._pattern(q @ k.transpose(-1, -2), q_rope, k_rope, cache, layer, tap)
        return pattern @ v

    def absorbed(self, q: Tensor, q_rope: Tensor, short: Tensor, k_rope: Tensor, cache, layer: int, tap: Tap) -> Tensor:
        """The same without making any key or value of the S tokens: q · (W c) = (Wᵀ q) · c, and Σ p (W c) = W (Σ p c).

        The two matrices meet the new tokens' queries and outputs instead. All heads read the same short vectors, as in MQA.
        """
        up_k, up_v = (up.weight.view(self.n_heads, self.head_dim, -1) for up in (self.up_k, self.up_v))  # (H, D, c)
        pattern = self._pattern(q @ up_k @ short.transpose(-1, -2), q_rope, k_rope, cache, layer, tap)
        return pattern @ short @ up_v.transpose(-1, -2)

    def _pattern(self, content: Tensor, q_rope: Tensor, k_rope: Tensor, cache, layer: int, tap: Tap) -> Tensor:
        """Weights (B, H, T, S) from the scores of content and of position together."""
        T, S = content.shape[-2:]
        scores = (content + q_rope @ k_rope.transpose(-1, -2)) / math.sqrt(self.head_dim + self.latent.rope_dim)
        scores = scores.masked_fill(~causal_mask(T, S, scores.device), -torch.inf)
        pattern = tap("attn.hook_pattern", attention_pattern(tap("attn.hook_attn_scores", scores)))
        if cache is not None and cache.needs_pattern:
            cache.observe(pattern, layer)
        return pattern


def with_latent_attention(config: DecoderConfig, latent: LatentConfig) -> Decoder:
    """A decoder whose attention layers are all latent ones; weights are random."""
    network = Decoder(config)
    for block in network.blocks:
        block.attn = LatentAttention(config, latent)
    return network


def _heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, S, H · D) -> (B, H, S, D)."""
    return x.view(*x.shape[:2], n_heads, -1).transpose(1, 2)


def _thinned(angles: Tensor, width: int) -> Tensor:
    """Cosines or signed sines (T, 1, D) of all pairs -> those of every (D / width)-th, which are a head's of that width."""
    step = angles.shape[-1] // width
    return torch.cat([half[..., ::step] for half in angles.chunk(2, -1)], -1)
