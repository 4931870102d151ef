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
    scores = _by_group(q, k.shape[1]) @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return scores.view(*q.shape[:3], -1).masked_fill(~mask, -torch.inf)


def attention_pattern(scores: Tensor) -> Tensor:
    """Softmax over the keys: every row of (B, H, T, S) becomes weights that sum to 1."""
    return scores.softmax(dim=-1)


def weighted_values(pattern: Tensor, v: Tensor) -> Tensor:
    """What the heads bring back: (B, H, T, S) weights on (B, Hkv, S, D) values -> (B, H, T, D)."""
    return (_by_group(pattern, v.shape[1]) @ v).view(*pattern.shape[:3], -1)


def _by_group(x: Tensor, n_kv_heads: int) -> Tensor:
    """The query heads that share a key/value head, one below the other: (B, H, T, n) -> (B, Hkv, H / Hkv · T, n).

    So keys and values need no copy for each head of a group.
    """
    B, _, _, n = x.shape
    return x.reshape(B, n_kv_heads, -1, n)


def fused_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same result as the three steps above in one kernel that never stores the score matrix."""
    n_new, n_keys = q.shape[2], k.shape[2]
    if n_new == 1:  # nothing to mask, so a group's heads can stand in for a row of queries
        return F.scaled_dot_product_attention(_by_group(q, k.shape[1]), k, v).view(*q.shape)
    gqa = q.shape[1] != k.shape[1]
    if n_new == n_keys:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa)
    mask = causal_mask(n_new, n_keys, q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=gqa)
