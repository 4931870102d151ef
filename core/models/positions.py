"""Rotary position embeddings (RoPE), https://arxiv.org/abs/2104.09864."""

from collections.abc import Sequence

import torch
from torch import Tensor


def rope_angles(
    positions: Tensor, head_dim: int, theta: float = 10_000.0, dtype=torch.float32, divisors: Sequence[float] = ()
) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of every rotation: positions (T,) -> two tensors (T, 1, head_dim).

    Pair i turns by position · theta^(-2i / head_dim) radians; the pairs are (x_i, x_{i + head_dim/2}),
    the layout of the Hugging Face weights. The first half of the sines is negative, as in
    (x cos - y sin, y cos + x sin). `divisors`, one a pair, slow the turning down for texts longer than those in
    training (`core.models.rope_scaling`).
    """
    pair = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    frequency = theta ** (-pair / head_dim)  # (head_dim / 2,)
    if divisors:
        frequency = frequency / torch.tensor(divisors, device=positions.device)
    angle = positions.float()[:, None] * frequency  # (T, head_dim / 2)
    cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
    return torch.cat((cos, cos), dim=-1)[:, None, :], torch.cat((-sin, sin), dim=-1)[:, None, :]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys x (B, T, H, head_dim) by their positions' angles, which are in the precision of x."""
    partner = x.roll(x.shape[-1] // 2, dims=-1)  # y beside x and x beside y
    return torch.addcmul(x * cos, partner, sin)
