"""IsoFLOP curves: for one budget of computing, loss against size; its lowest point is the best size (arXiv 2203.15556, section 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Parabola:
    """loss = lowest + width · (ln N - ln best)²: what a budget's runs are fitted with."""

    best: float  # the size of the lowest loss, parameters
    lowest: float  # nats a token
    width: float
    inside: bool  # the lowest point lies between the sizes that were run, not beyond them

    def __call__(self, N):
        return self.lowest + self.width * (np.log(np.asarray(N, float)) - np.log(self.best)) ** 2


def fit_parabola(N: Sequence[float], loss: Sequence[float]) -> Parabola:
    """The parabola in ln N through runs of one budget: N (n,), loss (n,).

    Raises ValueError for fewer than three sizes, or where it opens downwards and has no lowest point.
    """
    N, loss = np.asarray(N, float), np.asarray(loss, float)
    if len(np.unique(N)) < 3:
        raise ValueError(f"at least three sizes are needed, got {len(np.unique(N))}")
    middle = np.log(N).mean()
    curve, slope, base = np.polyfit(np.log(N) - middle, loss, 2)
    if curve <= 0:
        raise ValueError("the runs have no lowest point")
    at = -slope / (2 * curve)
    best = float(np.exp(middle + at))
    return Parabola(best, float(base + slope * at / 2), float(curve), bool(N.min() <= best <= N.max()))


def on_budget(N: Sequence[float], D: Sequence[float], loss: Sequence[float], flops: float) -> tuple[np.ndarray, np.ndarray]:
    """What a grid of runs says about one budget: sizes (k,) and their losses (k,) at D = C / 6 N.

    For each size ln loss is read off between its two neighbouring amounts of data, straight in ln D; sizes whose runs do
    not reach around that D are left out, as nothing is extrapolated.
    """
    N, D, loss = (np.asarray(values, float) for values in (N, D, loss))
    sizes, losses = [], []
    for size in np.unique(N):
        order = np.flatnonzero(N == size)[np.argsort(D[N == size])]
        wanted = flops / 6 / size
        if len(order) > 1 and D[order[0]] <= wanted <= D[order[-1]]:
            sizes.append(size)
            losses.append(np.exp(np.interp(np.log(wanted), np.log(D[order]), np.log(loss[order]))))
    return np.array(sizes), np.array(losses)


def isoflop(N: Sequence[float], D: Sequence[float], loss: Sequence[float], budgets: Sequence[float]) -> dict[float, Parabola]:
    """The parabola of every budget (FLOPs) for which the grid has three sizes and a lowest point."""
    found = {}
    for flops in budgets:
        sizes, losses = on_budget(N, D, loss, flops)
        try:
            found[float(flops)] = fit_parabola(sizes, losses)
        except ValueError:  # this budget lies at the rim of the grid
            continue
    return found
