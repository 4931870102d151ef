"""Whether a noisy curve really rises."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trend:
    """Means of the first and of the last part, and the 95 % half width of their difference."""

    first: float
    last: float
    half: float

    @property
    def clear(self) -> bool:
        """The rise is larger than chance would make it."""
        return self.last - self.first > self.half


def trend(values: Sequence[float], part: int = 10) -> Trend | None:
    """Compare the first `part` values with the last: 1.96 standard errors of a difference of means; None if there are too few."""
    if len(values) < 2 * part:
        return None
    first, last = values[:part], values[-part:]
    means = [sum(some) / part for some in (first, last)]
    variances = [sum((x - mean) ** 2 for x in some) / (part - 1) for some, mean in zip((first, last), means)]
    return Trend(*means, 1.96 * math.sqrt(sum(variances) / part))
