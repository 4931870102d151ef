"""Which tokens a cache lets go, and what the model still says without them."""

import torch
from torch import Tensor

from core.kv_cache import Cache, SharedPrefixCache
from core.models.language_model import LanguageModel, as_batch

ORDERS = ("random", "attention", "heads")
RECENT = 8


@torch.inference_mode()
def attention_received(lm: LanguageModel, ids, last: int | None = None) -> Tensor:
    """Attention that each token got, summed over the queries: (L, Hkv, T). `last`: from the last so many queries only.

    The score of H2O (arXiv 2306.14048); with `last` that of SnapKV's observation window (arXiv 2404.14469). It needs
    every weight, which a fused kernel never stores.
    """
    config, received = lm.config, []

    def tap(name: str, value: Tensor) -> Tensor:
        if name.endswith("hook_pattern"):
            rows = value[0] if last is None else value[0, :, -last:]
            received.append(rows.sum(1).view(config.n_kv_heads, -1, rows.shape[-1]).sum(1).float())
        return value

    lm.forward(as_batch(ids, config.vocab_size)[:1], tap=tap, last_only=True)
    return torch.stack(received)


def eviction_ranks(order: str, received: Tensor, seed: int = 0) -> Tensor:
    """When each token goes: (lists, T) ranks, 0 first; one list for all heads, or one for every head of every layer.

    "random": a shuffle; "attention": least attention first, summed over all heads; "heads": each head by its own. The
    last two let the newest RECENT tokens go last, since these had little time to be looked at (H2O keeps recent ones, too).
    Raises ValueError for another order.
    """
    T = received.shape[-1]
    if order == "random":
        return torch.randperm(T, generator=torch.Generator().manual_seed(seed))[None]
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    scores = received.sum((0, 1))[None] if order == "attention" else received.flatten(0, 1)  # (lists, T)
    scores = scores.clone()
    scores[:, -RECENT:] += torch.inf
    return scores.argsort(dim=-1, stable=True).argsort(dim=-1)


def kept_by_heads(ranks: Tensor, gone: int, n_layers: int, n_kv_heads: int) -> Tensor:
    """Who still holds what when each list has let `gone` tokens go: (L, Hkv, T) bool."""
    return (ranks >= gone).expand(n_layers * n_kv_heads, -1).view(n_layers, n_kv_heads, -1)


@torch.inference_mode()
def logits_after_eviction(lm: LanguageModel, token: int, cache: Cache, kept: Tensor) -> Tensor:
    """Scores (B, V) of what comes after `token`, which sees of the n tokens in `cache` only those `kept` (B, L, Hkv, n), and itself.

    A head that dropped a token looks at it with weight 0, as if the cache did not hold it. All B cases are read at once and
    share the cache, which stays as it is.
    """
    shared, cases = lm.config.n_heads // lm.config.n_kv_heads, len(kept)

    def tap(name: str, value: Tensor) -> Tensor:
        if not name.endswith("hook_attn_scores"):
            return value
        mask = kept[:, int(name.split(".")[1])].repeat_interleave(shared, 1)[:, :, None]  # (B, H, 1, n)
        return torch.cat((value[..., :-1].masked_fill(~mask, -torch.inf), value[..., -1:]), -1)

    rows = SharedPrefixCache(cache, cases, capacity=1)
    return lm.forward(torch.full((cases, 1), token), rows, tap=tap)[:, -1].float()
