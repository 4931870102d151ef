"""One quantity, one law: L(x) = floor + coefficient · x^-exponent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares


@dataclass(frozen=True)
class PowerLaw:
    """A fitted law; on logarithmic axes a straight line where the floor is 0."""

    coefficient: float
    exponent: float
    floor: float = 0.0  # the loss that no amount of x would remove

    def __call__(self, x):
        """The loss at x (number or array)."""
        return self.floor + self.coefficient * np.asarray(x, float) ** -self.exponent

    @property
    def scale(self) -> float:
        """x_c of the form (x_c / x)^exponent, as Kaplan et al. write it."""
        return self.coefficient ** (1 / self.exponent)


def fit_power_law(x: Sequence[float], loss: Sequence[float], floor: bool = False, near: PowerLaw | None = None) -> PowerLaw:
    """The law through points x (n,), loss (n,), by least squares of log loss.

    Without a floor that is a straight line through the logarithms (numpy's polyfit). With one, the floor is searched
    between 0 and the lowest loss from several starts, since it and the exponent make up for each other; with `near`, a
    law known to lie close (for redrawn runs), only from that one and to four digits.
    Raises ValueError for fewer points than numbers to find, or for values that are not positive.
    """
    x, loss = _checked(x, loss, 3 if floor else 2)
    if not floor:
        slope, intercept = np.polyfit(np.log(x), np.log(loss), 1)
        return PowerLaw(float(np.exp(intercept)), float(-slope))
    middle = np.exp(np.log(x).mean())  # x is measured from here: coefficient and exponent are then hardly tied

    def away(p):
        return np.log(p[0] + np.exp(p[1]) * (x / middle) ** -p[2]) - np.log(loss)

    lowest = loss.min()
    bounds = ([0, -np.inf, 0], [lowest, np.inf, np.inf])
    if near:
        share = np.clip(near.floor / lowest, 1e-3, 0.99)
        start = (np.log(share / (1 - share)), np.log(near.coefficient) - near.exponent * np.log(middle), np.log(max(near.exponent, 1e-3)))

        def free(u):  # the same three numbers without bounds, for a search that needs none
            return lowest / (1 + np.exp(-u[0])), u[1], np.exp(min(u[2], 3))

        best = free(least_squares(lambda u: away(free(u)), start, method="lm", xtol=1e-6, ftol=1e-6, max_nfev=100).x)
        return PowerLaw(float(np.exp(best[1]) * middle ** best[2]), float(best[2]), float(best[0]))
    starts = [(share * lowest, np.log(max(loss.mean() - share * lowest, 1e-9)), power) for share in (0.1, 0.5, 0.9) for power in (0.1, 0.5)]
    tries = [least_squares(away, start, bounds=bounds, xtol=1e-12, ftol=1e-12, gtol=1e-12, x_scale="jac") for start in starts]
    best = min(tries, key=lambda found: found.cost).x
    return PowerLaw(float(np.exp(best[1]) * middle ** best[2]), float(best[2]), float(best[0]))


def residuals(law, x: Sequence[float], loss: Sequence[float]) -> np.ndarray:
    """How far each point lies above the law, as a share of it: loss / law - 1, (n,)."""
    return np.asarray(loss, float) / law(x) - 1


def _checked(x, loss, least: int) -> tuple[np.ndarray, np.ndarray]:
    x, loss = np.asarray(x, float), np.asarray(loss, float)
    if x.shape != loss.shape or len(np.unique(x)) < least:
        raise ValueError(f"at least {least} different points with a loss each are needed, got {len(np.unique(x))}")
    if not (np.isfinite(x) & np.isfinite(loss) & (x > 0) & (loss > 0)).all():
        raise ValueError("sizes and losses must be positive numbers")
    return x, loss
