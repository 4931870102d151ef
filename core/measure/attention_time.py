"""How long attention takes on this machine, with the score matrix in memory and without."""

import time

import torch
from torch import Tensor

from core.models.attention import attention_pattern, attention_scores, causal_mask, fused_attention, weighted_values


def in_three_steps(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention that stores scores and weights: (B, H, T, D) -> (B, H, T, D)."""
    scores = attention_scores(q, k, causal_mask(q.shape[2], k.shape[2]))
    return weighted_values(attention_pattern(scores), v)


@torch.inference_mode()
def attention_seconds(n: int, head_dim: int, seed: int = 0, repeats: int = 5, at_least: float = 0.15) -> dict[str, float]:
    """Seconds of one head over `n` random tokens, "standard" and "fused" (torch SDPA), taken in turn.

    The best of `repeats` runs, or of as many as `at_least` seconds hold: whatever disturbs a run makes it longer.
    """
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 1, 1, n, head_dim, generator=generator)
    best = {"standard": float("inf"), "fused": float("inf")}
    begun, runs = time.perf_counter(), 0
    while runs < repeats or time.perf_counter() - begun < at_least:
        runs += 1
        for name, attention in (("standard", in_three_steps), ("fused", fused_attention)):
            start = time.perf_counter()
            attention(q, k, v)
            best[name] = min(best[name], time.perf_counter() - start)
    return best
