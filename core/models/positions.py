"""Rotary position embeddings (RoPE), https://arxiv.org/abs/2104.09864."""

import torch
from torch import Tensor


def rope_angles(positions: Tensor, head_dim: int, theta: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every rotation: positions (T,) -> two tensors (T, 1, head_dim).

    Pair i turns by position · theta^(-2i / head_dim) radians; the pairs are (x_i, x_{i + head_dim/2}),
    the layout of the Hugging Face weights.
    """
    pair = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    frequency = theta ** (-pair / head_dim)  # (head_dim / 2,)
    angle = positions.float()[:, None] * frequency  # (T, head_dim / 2)
    angle = torch.cat((angle, angle), dim=-1)[:, None, :]  # (T, 1, head_dim)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys x (B, T, H, head_dim) by their positions' angles."""
    half = x.shape[-1] // 2
    quarter_turn = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + quarter_turn * sin.to(x.dtype)
