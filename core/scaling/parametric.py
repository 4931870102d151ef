"""Size and data at once: L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, section 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

HUBER = 1e-3  # residuals of log loss beyond this count by their length, not their square
# The starts of the paper: alpha, beta, ln E, ln A, ln B.
STARTS = ((0, 0.5, 1, 1.5, 2), (0, 0.5, 1, 1.5, 2), (-1, -0.5, 0, 0.5, 1), (0, 5, 10, 15, 20, 25), (0, 5, 10, 15, 20, 25))


@dataclass(frozen=True)
class Parametric:
    """E: what no model can lose; A, alpha: what a larger one wins; B, beta: what more data wins."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __call__(self, N, D):
        """Loss in nats a token of N parameters trained on D tokens (numbers or arrays)."""
        return self.E + self.A * np.asarray(N, float) ** -self.alpha + self.B * np.asarray(D, float) ** -self.beta

    def optimum(self, flops: float) -> tuple[float, float]:
        """The N and D with the lowest loss for C = 6 N D FLOPs (equation 4 of the paper).

        N = G (C / 6)^(beta / (alpha + beta)), D = (C / 6) / N, G = (alpha A / (beta B))^(1 / (alpha + beta)).
        """
        G = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        N = G * (flops / 6) ** (self.beta / (self.alpha + self.beta))
        return N, flops / 6 / N

    @property
    def size_exponent(self) -> float:
        """a of N ∝ C^a along the optimum."""
        return self.beta / (self.alpha + self.beta)


def fit_parametric(
    N: Sequence[float], D: Sequence[float], loss: Sequence[float], tries: int = 12, near: Parametric | None = None
) -> Parametric:
    """The law through runs N (n,), D (n,), loss (n,): the least SUM of Huber losses of log loss, by L-BFGS.

    Of the paper's 4,500 starts the `tries` with the lowest loss are followed to their end; with `near`, a law known to
    lie close (for redrawn runs), only that one is. The sum matters: where losses
    are averaged, L-BFGS takes the small gradient for an end and stops early; that is what went wrong in the paper's own
    fit (Besiroglu et al. 2024, arXiv 2404.10102). Raises ValueError for fewer runs than the five numbers to find.
    """
    N, D, loss = (np.asarray(values, float) for values in (N, D, loss))
    if len(np.unique(np.stack([N, D]), axis=1).T) < 5 or len(np.unique(N)) < 2 or len(np.unique(D)) < 2:
        raise ValueError("at least five different runs with two sizes and two amounts of data are needed")
    n, d, target = np.log(N), np.log(D), np.log(loss)

    def objective(p):
        terms = np.stack([np.full_like(n, p[2]), p[3] - p[0] * n, p[4] - p[1] * d])  # (3, n) logs of E, A/N^alpha, B/D^beta
        log_loss = logsumexp(terms, axis=0)
        away = log_loss - target
        small = np.abs(away) <= HUBER
        huber = np.where(small, away**2 / 2, HUBER * (np.abs(away) - HUBER / 2))
        slope = np.where(small, away, HUBER * np.sign(away)) * np.exp(terms - log_loss)  # (3, n)
        return huber.sum(), np.array([-(slope[1] * n).sum(), -(slope[2] * d).sum(), *slope.sum(1)])

    if near:
        best = [np.array([near.alpha, near.beta, np.log(near.E), np.log(near.A), np.log(near.B)])]
    else:
        starts = np.array(list(product(*STARTS)), float)
        best = starts[np.argsort([objective(start)[0] for start in starts])[:tries]]
    options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-12}
    found = min((minimize(objective, start, jac=True, method="L-BFGS-B", options=options) for start in best), key=lambda one: one.fun)
    alpha, beta, e, a, b = found.x
    return Parametric(float(np.exp(e)), float(np.exp(a)), float(np.exp(b)), float(alpha), float(beta))
