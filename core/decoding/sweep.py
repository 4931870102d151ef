"""The same scores at many temperatures, for a picture that follows a slider without asking again."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.decoding.distribution import distribution, entropy_bits


def sweep(logits: Tensor, temperatures: Sequence[float], ids: Sequence[int], **filters) -> tuple[Tensor, Tensor, Tensor]:
    """`distribution` of logits (V,) at G temperatures, each with the same top_k, top_p, min_p.

    Returns the probabilities of the tokens ids (n,), shape (G, n); the entropy of each whole distribution
    in bits, (G,); and how many tokens each leaves possible, (G,).
    """
    shares, bits, kept = [], [], []
    for temperature in temperatures:
        probs = distribution(logits, temperature, **filters)
        shares.append(probs[list(ids)])
        bits.append(entropy_bits(probs))
        kept.append((probs > 0).sum())
    return torch.stack(shares), torch.stack(bits), torch.stack(kept)
