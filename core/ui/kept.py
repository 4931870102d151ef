"""Results that many viewers ask for, as `core.kept` keeps them; what is long to compute takes its turn."""

from collections.abc import Callable, Hashable
from typing import Any

from core import kept
from core.ui import turns


class Kept(kept.Kept):
    """What is `long` to compute takes its turn in the server's queue."""

    def __init__(self, most: int, weigh: Callable[[Any], int] = lambda result: 1, long: bool = False):
        super().__init__(most, weigh)
        self.long = long

    def get(self, key: Hashable, compute: Callable):
        """The result for `key`, from memory or from `compute()`; what `compute` raises is passed on, nothing is kept."""
        if self.long and key not in self:
            with turns.turn(elsewhere=lambda: self.is_under_way(key)):
                return super().get(key, compute)
        return super().get(key, compute)

    def _may_wait(self) -> bool:
        return not turns.turns().held  # else whoever answers it may wait for this turn to end
