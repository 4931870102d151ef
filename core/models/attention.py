"""Causal attention: who looks at whom, and what comes back."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_mask(n_new: int, n_keys: int, device=None) -> Tensor:
    """True where a query may look: (n_new, n_keys); the last query stands at the last key."""
    return torch.ones(n_new, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_new)


def attention_scores(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """q · k / sqrt(head_dim), -inf where the mask forbids: (B, H, T, D), (B, Hkv, S, D) -> (B, H, T, S)."""
    k = share_heads(k, q.shape[1])
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -torch.inf)


def attention_pattern(scores: Tensor) -> Tensor:
    """Softmax over the keys: every row of (B, H, T, S) becomes weights that sum to 1."""
    return scores.softmax(dim=-1)


def weighted_values(pattern: Tensor, v: Tensor) -> Tensor:
    """What the heads bring back: (B, H, T, S) weights on (B, Hkv, S, D) values -> (B, H, T, D)."""
    return pattern @ share_heads(v, pattern.shape[1])


def share_heads(x: Tensor, n_heads: int) -> Tensor:
    """Give every group of query heads its key/value head: (B, Hkv, S, D) -> (B, n_heads, S, D)."""
    repeats = n_heads // x.shape[1]
    return x if repeats == 1 else x.repeat_interleave(repeats, dim=1)


def fused_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same result as the three steps above in one kernel that never stores the score matrix."""
    n_new, n_keys = q.shape[2], k.shape[2]
    gqa = q.shape[1] != k.shape[1]
    if n_new == n_keys:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa)
    mask = None if n_new == 1 else causal_mask(n_new, n_keys, q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=gqa)
