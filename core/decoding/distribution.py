"""From scores to probabilities: temperature and the three filters."""

import math

import torch
from torch import Tensor


def distribution(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> Tensor:
    """Probabilities (..., V) of the next token from logits (..., V).

    softmax(logits / temperature), after which only these stay, each filter acting on what the one before
    left: the `top_k` likeliest; the fewest that together reach `top_p`; those at least `min_p` times as
    likely as the likeliest. What stays is scaled to sum to 1. Temperature 0 is the limit: all on the
    likeliest token. Raises ValueError for settings out of range.
    """
    _check(temperature, top_k, top_p, min_p)
    logits = logits.float()
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    scores = (logits - logits.amax(-1, keepdim=True)) / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        weakest_kept = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < weakest_kept, -torch.inf)
    if top_p is not None and top_p < 1:
        ascending, index = scores.sort(dim=-1)
        unneeded = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
        unneeded[..., -1] = False  # the likeliest always stays
        scores = scores.masked_fill(torch.zeros_like(unneeded).scatter(-1, index, unneeded), -torch.inf)
    probs = scores.softmax(-1)
    if min_p:
        probs = probs.masked_fill(probs < min_p * probs.amax(-1, keepdim=True), 0.0)
        probs = probs / probs.sum(-1, keepdim=True)
    return probs


def entropy_bits(probs: Tensor) -> Tensor:
    """Uncertainty of distributions (..., V) in bits: -Σ p log2 p; 0 = certain, log2 V = anything goes."""
    return torch.special.entr(probs).sum(-1) / math.log(2)


def _check(temperature, top_k, top_p, min_p) -> None:
    if not temperature >= 0:
        raise ValueError(f"temperature must be >= 0, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be >= 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if min_p is not None and not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be in [0, 1], got {min_p}")
