"""How sure a fit is: the same fit on points drawn anew, with replacement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """The middle share of what redrawn fits gave."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def bootstrap(fit: Callable, points: tuple, asked: Callable, times: int = 500, share: float = 0.95, seed: int = 0):
    """Intervals of `asked(fit(*points))`, an array or a number, over `times` fits of redrawn points (Efron 1979).

    points: arrays (n,) that belong together, drawn in rows. A draw that cannot be fitted (ValueError: too few different
    points) is drawn again. Returns one Interval, or an array of them in the shape of the answer. Raises ValueError where
    a hundred draws in a row fail.
    """
    rng, n, found, failed = np.random.default_rng(seed), len(points[0]), [], 0
    points = tuple(np.asarray(column) for column in points)
    while len(found) < times:
        rows = rng.integers(0, n, n)
        try:
            found.append(asked(fit(*(column[rows] for column in points))))
            failed = 0
        except ValueError:
            failed += 1
            if failed >= 100:
                raise
    low, high = np.quantile(np.asarray(found, float), [(1 - share) / 2, (1 + share) / 2], axis=0)
    if np.ndim(low) == 0:
        return Interval(float(low), float(high))
    made = np.empty(low.shape, object)
    for place in np.ndindex(low.shape):
        made[place] = Interval(float(low[place]), float(high[place]))
    return made
