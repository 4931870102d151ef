"""Which recorded runs a law is fitted to, and which it has to foretell."""

from collections.abc import Sequence

import numpy as np

from core.scaling.runs import GridRun

AGAINST = ("parameters", "tokens", "flops")
LEAST = 4  # points that stay in a fit: with fewer, redrawing them says nothing about how sure it is
FACTOR = 3.0  # of computing that one step of holding out means; sizes and amounts of data are held out one by one


def along(runs: Sequence[GridRun], against: str) -> list[GridRun]:
    """The runs that a law in one quantity speaks of, in its order: nothing else may be what holds them back.

    Against parameters those on the most text, against tokens those of the largest model, against FLOPs the front: runs
    that no cheaper one beats. Raises ValueError for another quantity.
    """
    if against not in AGAINST:
        raise ValueError(f"against must be one of {', '.join(AGAINST)}, got {against}")
    if against == "flops":
        front, lowest = [], np.inf
        for run in sorted(runs, key=lambda run: (run.flops, run.held_out)):
            if run.held_out < lowest:
                front.append(run)
                lowest = run.held_out
        return front
    other = "tokens" if against == "parameters" else "parameters"
    most = max(getattr(run, other) for run in runs)
    return sorted((run for run in runs if getattr(run, other) > 0.99 * most), key=lambda run: getattr(run, against))


def split(x: np.ndarray, held: int, left: int, by_factor: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Points x (n,), rising -> which are fitted (n,) and which are held out to be foretold (n,), as booleans.

    The `held` largest are held out, the `left` smallest left aside, or, `by_factor`, so many factors of FACTOR at either
    end; fewer where less than LEAST points would stay.
    """
    x = np.asarray(x, float)

    def chosen(held: int, left: int) -> tuple[np.ndarray, np.ndarray]:
        if by_factor:
            beyond, below = x > 1.0001 * x[-1] / FACTOR**held, x < 0.9999 * x[0] * FACTOR**left
        else:
            place = np.arange(len(x))
            beyond, below = place >= len(x) - held, place < left
        return ~beyond & ~below, beyond

    while left and chosen(held, left)[0].sum() < LEAST:
        left -= 1
    while held and chosen(held, left)[0].sum() < LEAST:
        held -= 1
    return chosen(held, left)
