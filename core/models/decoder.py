"""A Llama-style decoder, read from top to bottom.

Shapes: B sequences, T new tokens, S keys (cached and new), C = d_model, H heads, D = head_dim, V = vocabulary.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.attention import (
    attention_pattern,
    attention_scores,
    causal_mask,
    fused_attention,
    weighted_values,
)
from core.models.config import DecoderConfig
from core.models.positions import rope_angles, rotate

# Called with the name of an activation and its value; whatever it returns is used from there on.
Tap = Callable[[str, Tensor], Tensor]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight, https://arxiv.org/abs/1910.07467."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.norm_eps

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Attention(nn.Module):
    """Every token asks (query), offers (key) and hands over (value)."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.q = nn.Linear(config.d_model, config.n_heads * config.head_dim, bias=False)
        self.k = nn.Linear(config.d_model, config.n_kv_heads * config.head_dim, bias=False)
        self.v = nn.Linear(config.d_model, config.n_kv_heads * config.head_dim, bias=False)
        self.o = nn.Linear(config.n_heads * config.head_dim, config.d_model, bias=False)
        self.qkv: nn.Module | None = None  # q, k and v in one product, where that is faster: core.quantization.packed

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, cache=None, tap: Tap | None = None) -> Tensor:
        B, T, _ = x.shape
        q, k, v = self.qkv(x) if self.qkv else (self.q(x), self.k(x), self.v(x))
        q = q.view(B, T, self.n_heads, self.head_dim)
        k = k.view(B, T, self.n_kv_heads, self.head_dim)
        v = v.view(B, T, self.n_kv_heads, self.head_dim)
        if tap:
            q, k, v = tap("attn.hook_q", q), tap("attn.hook_k", k), tap("attn.hook_v", v)
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


class SwiGLU(nn.Module):
    """silu(gate(x)) · up(x), projected down again, https://arxiv.org/abs/2002.05202."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.gate_up: nn.Module | None = None  # both in one product

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        gate, up = self.gate_up(x) if self.gate_up else (self.gate(x), self.up(x))  # (B, T, d_ff)
        if tap:
            gate = tap("mlp.hook_pre", gate)
        hidden = F.silu(gate) * up
        if tap:
            hidden = tap("mlp.hook_post", hidden)
        return self.down(hidden)


class Block(nn.Module):
    """Attention moves information between tokens, the feed-forward layer works on each; both add to the stream."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.ln1, self.attn = RMSNorm(config), Attention(config)
        self.ln2, self.mlp = RMSNorm(config), SwiGLU(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, cache=None, tap: Tap | None = None) -> Tensor:
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

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.ln_final = RMSNorm(config)
        self.unembed = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied_embeddings:
            self.unembed.weight = self.embed.weight

    def forward(self, ids: Tensor, cache=None, tap: Tap | None = None, last_only: bool = False) -> Tensor:
        """Logits (B, T, V) for ids (B, T); with `last_only` just the last position's, (B, 1, V).

        With a cache, `ids` are the new tokens only and the cache supplies the keys and values before them.
        """
        T = ids.shape[1]
        positions = torch.arange(T, device=ids.device) if cache is None else cache.next_positions(T)
        x = self.dropout(self.embed(ids))  # (B, T, C)
        angles = rope_angles(positions, self.config.head_dim, self.config.rope_theta, x.dtype)
        if tap:
            x = tap("hook_embed", x)
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, layer, cache, tap and _prefixed(tap, f"blocks.{layer}."))
        x = self.ln_final(x[:, -1:] if last_only else x)
        if tap:
            x = tap("ln_final.hook_normalized", x)
        return self.unembed(x)


def _prefixed(tap: Tap, prefix: str) -> Tap:
    return lambda name, value: tap(prefix + name, value)
