"""Results that many viewers ask for: computed once, also when they ask at the same time; the longest unused are let go first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from core.ui import turns


class Kept:
    """A bounded memory shared by all sessions. Nobody waits for another's question, but for their own where it is being answered.

    It holds `most` results, or as many as weigh `most` together where `weigh(result)` tells the weight of one; the newest always.
    What is `long` to compute takes its turn in the server's queue.
    """

    def __init__(self, most: int, weigh: Callable[[Any], int] = lambda result: 1, long: bool = False):
        self.most, self.weigh, self.long = most, weigh, long
        self._results: OrderedDict = OrderedDict()
        self._under_way: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results

    def items(self) -> list[tuple[Hashable, Any]]:
        """What is there now."""
        with self._lock:
            return list(self._results.items())

    def get(self, key: Hashable, compute: Callable):
        """The result for `key`, from memory or from `compute()`; what `compute` raises is passed on, nothing is kept."""
        if self.long and key not in self._results:
            with turns.turn():
                return self._get(key, compute)
        return self._get(key, compute)

    def _get(self, key: Hashable, compute: Callable):
        while True:
            with self._lock:
                if key in self._results:
                    self._results.move_to_end(key)
                    return self._results[key]
                other = self._under_way.get(key)
                if other is None:
                    mine = self._under_way[key] = threading.Event()
                    break
                if turns.turns().held:  # whoever answers it may wait for this turn to end
                    return compute()
            other.wait()  # then it is there, or whoever computed it went away: whoever comes first goes on
        try:
            result = compute()
            with self._lock:
                self._results[key] = result
                while len(self._results) > 1 and sum(map(self.weigh, self._results.values())) > self.most:
                    self._results.popitem(last=False)
            return result
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set()
