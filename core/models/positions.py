"""Where a token stands: rotary positions (RoPE, https://arxiv.org/abs/2104.09864), which the models here use, and
two that need no training either: sinusoids added to the embeddings, and ALiBi's penalty on the scores.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def rope_frequencies(head_dim: int, theta: float = 10_000.0, divisors: Sequence[float] = (), device=None) -> Tensor:
    """How far every pair turns from one position to the next, in radians: theta^(-2i / head_dim) over its divisor, (head_dim / 2,)."""
    pair = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32)
    frequency = theta ** (-pair / head_dim)
    return frequency / torch.tensor(divisors, device=device) if divisors else frequency


def rope_angles(
    positions: Tensor, head_dim: int, theta: float = 10_000.0, dtype=torch.float32, divisors: Sequence[float] = ()
) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of every rotation: positions (T,) -> two tensors (T, 1, head_dim).

    Pair i turns by position · theta^(-2i / head_dim) radians; the pairs are (x_i, x_{i + head_dim/2}),
    the layout of the Hugging Face weights. The first half of the sines is negative, as in
    (x cos - y sin, y cos + x sin). `divisors`, one a pair, slow the turning down for texts longer than those in
    training (`core.models.rope_scaling`).
    """
    angle = positions.float()[:, None] * rope_frequencies(head_dim, theta, divisors, positions.device)  # (T, head_dim / 2)
    cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
    return torch.cat((cos, cos), dim=-1)[:, None, :], torch.cat((-sin, sin), dim=-1)[:, None, :]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries or keys x (B, T, H, head_dim) by their positions' angles, which are in the precision of x."""
    partner = x.roll(x.shape[-1] // 2, dims=-1)  # y beside x and x beside y
    return torch.addcmul(x * cos, partner, sin)


def sinusoidal_positions(n_positions: int, d_model: int) -> Tensor:
    """The vectors (n_positions, d_model) that the first Transformer adds to its embeddings, position 0 first.

    Dimension 2i is sin(position / 10000^(2i / d_model)), dimension 2i + 1 the cosine of the same:
    https://arxiv.org/abs/1706.03762, section 3.5. Two of them multiplied depend on their distance alone.
    """
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    frequency = 10_000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)  # (d_model / 2,)
    angle = torch.arange(n_positions, dtype=torch.float64)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


def alibi_slopes(n_heads: int) -> Tensor:
    """How much of its score each head takes off for every token of distance: (n_heads,).

    A geometric series from 2^(-8 / n_heads) down to 2^(-8); where n_heads is no power of two, the series of the next
    smaller one, and then every second number of the next larger one: https://arxiv.org/abs/2108.12409, section 3.
    """
    if n_heads < 1:
        raise ValueError(f"n_heads must be >= 1, got {n_heads}")
    whole = 2 ** int(math.log2(n_heads))

    def series(n: int) -> list[float]:
        return [2 ** (-8 * head / n) for head in range(1, n + 1)]

    return torch.tensor(series(whole) + series(2 * whole)[0::2][: n_heads - whole])


def alibi_bias(n_heads: int, n_tokens: int) -> Tensor:
    """What ALiBi adds to the scores before the softmax, (n_heads, n_tokens, n_tokens): -slope · distance, 0 above the diagonal."""
    place = torch.arange(n_tokens)
    distance = (place[:, None] - place[None]).clamp(min=0)  # (query, key)
    return -alibi_slopes(n_heads)[:, None, None] * distance
