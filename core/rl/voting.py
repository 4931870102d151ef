"""What many answers to one problem are good for: the vote, the verifier, and their accuracy.

Shapes: P problems with S answers each; `values` (P, S) are the numbers answered, NONE where there is none.
"""

from math import comb

import numpy as np

NONE = -1  # no number in the required form: no vote


def vote(values) -> int:
    """Self-consistency (arXiv 2203.11171): the number answered most often; of equals the one written first. NONE without votes."""
    counts: dict[int, int] = {}
    for value in values:
        if value != NONE:
            counts[int(value)] = counts.get(int(value), 0) + 1
    return max(counts, key=counts.get) if counts else NONE


def prospect(share: float, voted: float) -> str:
    """What a vote can do where a `share` of the answers is right and the vote of many is right with probability `voted`.

    "never" and "always": no answer or every one is right; "most": more than half are, so that even votes for one single
    other number could not win; "helps": fewer are, but wrong ones scatter; "hurts": a wrong one is more frequent.
    """
    if share in (0, 1):
        return "always" if share else "never"
    if voted <= share:
        return "hurts"
    return "most" if share > 0.5 else "helps"


def majority_probability(p: float, n: int) -> float:
    """More than half of n independent votes are right, each with probability p: the sum of binomials above n / 2.

    An idealisation: only right and wrong exist, so all wrong answers are the same one.
    """
    if n < 1 or n % 2 == 0:
        raise ValueError(f"n must be odd, so that no vote is tied, got {n}")
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))


def vote_accuracy(values: np.ndarray, solutions: np.ndarray, n: int, draws: int = 20, seed: int = 0) -> float:
    """Share of problems whose vote of n answers is right; the n are drawn from the S without repetition, `draws` times."""
    rng, right = np.random.default_rng(seed), 0
    for row, solution in zip(values, solutions):
        for _ in range(draws):
            right += vote(rng.choice(row, n, replace=False)) == solution
    return right / (draws * len(values))


def any_right(right: np.ndarray, n: int) -> float:
    """Best of n with a verifier that is never wrong: 1 - C(S - c, n) / C(S, n), mean over problems (arXiv 2107.03374, eq. 1).

    `right` (P, S) says which answers are; c of them are, of a problem.
    """
    S = right.shape[1]
    if not 1 <= n <= S:
        raise ValueError(f"n must be from 1 to the {S} answers there are, got {n}")
    return float(np.mean([1 - comb(S - int(c), n) / comb(S, n) for c in right.sum(1)]))


def best_scored(right: np.ndarray, scores: np.ndarray, n: int, draws: int = 20, seed: int = 0) -> float:
    """Best of n with a reward model: the answer it scores highest is taken, (P, S) and (P, S)."""
    rng, total = np.random.default_rng(seed), 0.0
    for _ in range(draws):
        chosen = np.argsort(rng.random(right.shape), axis=1)[:, :n]  # n different answers of each problem
        best = np.take_along_axis(scores, chosen, 1).argmax(1)
        total += np.take_along_axis(right, chosen, 1)[np.arange(len(right)), best].mean()
    return total / draws
