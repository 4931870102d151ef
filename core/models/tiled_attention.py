"""Attention in tiles with an online softmax, as FlashAttention does it, and a count of what it moves.

Dao et al. 2022, https://arxiv.org/abs/2205.14135; the order of the loops is that of FlashAttention-2, section 3.2,
https://arxiv.org/abs/2307.08691: rows of queries outside, keys and values inside. One head: q (T, D), k and v (T, D).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.attention import causal_mask


@dataclass
class Traffic:
    """Floats that went between the large slow memory (HBM) and the small fast one (SRAM), counted as they go."""

    loaded: int = 0
    stored: int = 0
    held: int = 0  # most floats in fast memory at the same time

    def load(self, x: Tensor) -> Tensor:
        self.loaded += x.numel()
        return x

    def store(self, x: Tensor) -> Tensor:
        self.stored += x.numel()
        return x

    def hold(self, *tensors: Tensor) -> None:
        self.held = max(self.held, sum(x.numel() for x in tensors))

    @property
    def moved(self) -> int:
        return self.loaded + self.stored


@dataclass(frozen=True)
class Tile:
    """What fast memory knows after one tile; r rows of queries, c keys."""

    rows: range  # of the queries, in the text
    cols: range  # of the keys
    scores: Tensor  # (r, c) gone when the next tile comes
    largest: Tensor  # (r,) m: the largest score so far
    total: Tensor  # (r,) l: sum of exp(score - m) so far
    output: Tensor  # (r, D) sum of exp(score - m) · value so far, not yet divided by l


def standard_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = True, traffic: Traffic | None = None) -> Tensor:
    """softmax(q kᵀ / √D) v in three steps; each reads from slow memory what the last one wrote there: (T, D)."""
    move = traffic or Traffic()
    scores = move.store(move.load(q) @ move.load(k).T / math.sqrt(q.shape[-1]))  # (T, T)
    if causal:  # part of the softmax: nothing more is moved
        scores = scores.masked_fill(~causal_mask(len(q), len(k), q.device), -torch.inf)
    weights = move.store(move.load(scores).softmax(-1))  # (T, T)
    return move.store(move.load(weights) @ move.load(v))


def tiled_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rows: int,
    cols: int,
    causal: bool = True,
    traffic: Traffic | None = None,
    watch: Callable[[Tile], None] | None = None,
) -> Tensor:
    """The same result (T, D), but never more than `rows` × `cols` scores exist at once.

    Softmax needs the largest score and the sum of a whole row. Both are kept as they are known so far; when a tile
    brings a larger score, the sum and the output are scaled down to it. Tiles wholly in the future are skipped.
    `watch` is shown every tile. Raises ValueError for a tile size below 1.
    """
    if rows < 1 or cols < 1:
        raise ValueError(f"a tile needs at least 1 row and 1 column, got {rows} × {cols}")
    move, (T, D), S = traffic or Traffic(), q.shape, len(k)
    mask = causal_mask(T, S, q.device) if causal else torch.ones(T, S, dtype=torch.bool, device=q.device)
    result = torch.empty(T, v.shape[-1], dtype=q.dtype, device=q.device)  # in slow memory
    for r in range(0, T, rows):
        q_tile = move.load(q[r : r + rows])
        m = q_tile.new_full((len(q_tile),), -torch.inf)  # largest score so far
        l = torch.zeros_like(m)  # sum of exp(score - m)
        output = q_tile.new_zeros(len(q_tile), v.shape[-1])
        last_seen = S - T + r + len(q_tile) if causal else S  # the last query looks at no key beyond
        for c in range(0, last_seen, cols):
            k_tile, v_tile = move.load(k[c : c + cols]), move.load(v[c : c + cols])
            scores = q_tile @ k_tile.T / math.sqrt(D)
            scores = scores.masked_fill(~mask[r : r + rows, c : c + cols], -torch.inf)
            before, m = m, torch.maximum(m, scores.amax(-1))
            shrink = (before - m).exp()  # 1 where the largest score stayed
            weights = (scores - m[:, None]).exp()
            l = shrink * l + weights.sum(-1)
            output = shrink[:, None] * output + weights @ v_tile
            move.hold(q_tile, k_tile, v_tile, scores, m, l, output)
            if watch:
                watch(Tile(range(r, r + len(q_tile)), range(c, c + len(k_tile)), scores, m, l, output))
        result[r : r + rows] = move.store(output / l[:, None])
        move.store(m + l.log())  # one number a row, from which the backward pass makes the weights again
    return result
