"""Many draws from one prediction."""

import torch
from torch import Tensor


def drawn_shares(probs: Tensor, n: int, seed: int) -> Tensor:
    """How often each token came up in `n` draws from probabilities (V,), as shares that sum to 1, (V,)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(probs, n, replacement=True, generator=generator)
    return torch.bincount(drawn, minlength=len(probs)) / n
