"""A decoder, read from top to bottom: Llama, Qwen2, Qwen3 and GPT-2 differ in a few switches of the config.

Shapes: B sequences, T new tokens, S keys (cached and new), C = d_model, H heads, D = head_dim, V = vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.models.attention import (
    attention_pattern,
    attention_scores,
    causal_mask,
    fused_attention,
    weighted_values,
)
from core.models.config import DecoderConfig
from core.models.mlp import MLP, SwiGLU
from core.models.norms import RMSNorm, make_norm
from core.models.positions import rope_angles, rotate

# Called with the name of an activation and its value; whatever it returns is used from there on.
Tap = Callable[[str, Tensor], Tensor]
Angles = tuple[Tensor, Tensor] | None  # cosine and sine of the rotary positions; None = learned positions


class Attention(nn.Module):
    """Every token asks (query), offers (key) and hands over (value)."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        bias = config.biases or config.qkv_bias
        self.q = nn.Linear(config.d_model, config.n_heads * config.head_dim, bias=bias)
        self.k = nn.Linear(config.d_model, config.n_kv_heads * config.head_dim, bias=bias)
        self.v = nn.Linear(config.d_model, config.n_kv_heads * config.head_dim, bias=bias)
        self.o = nn.Linear(config.n_heads * config.head_dim, config.d_model, bias=config.biases)
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else None
        self.qkv: nn.Module | None = None  # q, k and v in one product, where that is faster: core.quantization.packed

    def forward(self, x: Tensor, angles: Angles, layer: int, cache=None, tap: Tap | None = None) -> Tensor:
        B, T, _ = x.shape
        q, k, v = self.qkv(x) if self.qkv else (self.q(x), self.k(x), self.v(x))
        q = q.view(B, T, self.n_heads, self.head_dim)
        k = k.view(B, T, self.n_kv_heads, self.head_dim)
        v = v.view(B, T, self.n_kv_heads, self.head_dim)
        if tap:
            q, k, v = tap("attn.hook_q", q), tap("attn.hook_k", k), tap("attn.hook_v", v)
        if self.q_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if angles is not None:
            q, k = rotate(q, *angles), rotate(k, *angles)
        if tap:
            q, k = tap("attn.hook_rot_q", q), tap("attn.hook_rot_k", k)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, H, T, D)
        if cache is not None:
            k, v = cache.update(k, v, layer)  # (B, Hkv, S, D)

        if tap is None and not (cache is not None and cache.needs_pattern):
            z = fused_attention(q, k, v).transpose(1, 2)  # (B, T, H, D)
        else:
            tap = tap or (lambda name, value: value)
            scores = tap("attn.hook_attn_scores", attention_scores(q, k, causal_mask(T, k.shape[2], x.device)))
            pattern = tap("attn.hook_pattern", attention_pattern(scores))
            if cache is not None and cache.needs_pattern:
                cache.observe(pattern, layer)
            z = tap("attn.hook_z", weighted_values(pattern, v).transpose(1, 2))
        return self.o(z.reshape(B, T, -1))


class Block(nn.Module):
    """Attention moves information between tokens, the feed-forward layer works on each; both add to the stream."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.ln1, self.attn = make_norm(config), Attention(config)
        self.ln2, self.mlp = make_norm(config), SwiGLU(config) if config.gated else MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, angles: Angles, layer: int, cache=None, tap: Tap | None = None) -> Tensor:
        if tap is None:  # (B, T, C) throughout
            x = x + self.dropout(self.attn(self.ln1(x), angles, layer, cache))
            return x + self.dropout(self.mlp(self.ln2(x)))
        x = tap("hook_resid_pre", x)
        x = x + tap("hook_attn_out", self.attn(self.ln1(x), angles, layer, cache, tap))
        x = tap("hook_resid_mid", x)
        x = x + tap("hook_mlp_out", self.mlp(self.ln2(x), tap))
        return tap("hook_resid_post", x)


class Decoder(nn.Module):
    """Token ids in, a score for every possible next token out."""

    dtype = torch.float32  # what it computes in; `core.quantization.prepare` may choose another

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        if config.learned_positions:
            self.pos_embed = nn.Parameter(torch.zeros(config.context_length, config.d_model))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.ln_final = make_norm(config)
        self.unembed = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied_embeddings:
            self.unembed.weight = self.embed.weight

    def forward(self, ids: Tensor, cache=None, tap: Tap | None = None, last_only: bool = False) -> Tensor:
        """Logits (B, T, V) for ids (B, T); with `last_only` just the last position's, (B, 1, V).

        With a cache, `ids` are the new tokens only and the cache supplies the keys and values before them.
        """
        T = ids.shape[1]
        positions = torch.arange(T, device=ids.device) if cache is None else cache.next_positions(T)
        x = self.embed(ids)  # (B, T, C)
        if tap:
            x = tap("hook_embed", x)
        if self.config.learned_positions:
            angles, pos_embed = None, self.learned_positions(positions)  # (T, C)
            x = x + (tap("hook_pos_embed", pos_embed[None]) if tap else pos_embed)
        else:
            angles = self.rotary_positions(positions, x.dtype)
        x = self.dropout(x)
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, layer, cache, tap and _prefixed(tap, f"blocks.{layer}."))
        x = self.ln_final(x[:, -1:] if last_only else x)
        if tap:
            x = tap("ln_final.hook_normalized", x)
        return self.unembed(x)

    def rotary_positions(self, positions: Tensor, dtype=torch.float32) -> tuple[Tensor, Tensor]:
        """Cosine and signed sine (T, 1, D) that queries and keys at positions (T,) are turned by."""
        config = self.config
        cos, sin = rope_angles(positions, config.head_dim, config.rope_theta, dtype, config.rope_divisors)
        return (cos, sin) if config.rope_gain == 1 else (cos * config.rope_gain, sin * config.rope_gain)

    def learned_positions(self, positions: Tensor) -> Tensor:
        """The vectors (T, C) of positions (T,); ValueError beyond the last one learned."""
        if int(positions[-1]) >= self.config.context_length:
            raise ValueError(f"the model has learned {self.config.context_length} positions, the text has {int(positions[-1]) + 1}")
        return self.pos_embed[positions]


def _prefixed(tap: Tap, prefix: str) -> Tap:
    return lambda name, value: tap(prefix + name, value)
