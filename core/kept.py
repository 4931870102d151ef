"""Results that many viewers ask for: computed once, also when they ask at the same time; the longest unused are let go first."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

_everywhere: "weakref.WeakSet[Kept]" = weakref.WeakSet()


def let_go() -> None:
    """Memory is short: every memory gives up what was asked for least recently, half of what it holds."""
    for kept in list(_everywhere):
        kept.halve()


def shared(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two texts share from the start."""
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return i
    return min(len(a), len(b))


class Kept:
    """A bounded memory shared by all sessions. Nobody waits for another's question, but for their own where it is being answered.

    It holds `most` results, or as many as weigh `most` together where `weigh(result)` tells the weight of one; the newest always.
    """

    def __init__(self, most: int, weigh: Callable[[Any], int] = lambda result: 1):
        self.most, self.weigh = most, weigh
        self._results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # each with its weight
        self._under_way: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()
        _everywhere.add(self)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results

    def is_under_way(self, key: Hashable) -> bool:
        """Whether somebody computes the result for `key` now."""
        return key in self._under_way

    def items(self) -> list[tuple[Hashable, Any]]:
        """What is there now."""
        with self._lock:
            return [(key, result) for key, (result, _) in self._results.items()]

    def closest(self, name: Hashable, ids: Sequence[int]) -> tuple[Any, int]:
        """Of the results kept for (`name`, token ids), that whose text shares the longest beginning with `ids`, and how many tokens.

        (None, 0) where there is none.
        """
        found = ((result, shared(key[1], ids)) for key, result in self.items() if key[0] == name)
        return max(found, key=lambda both: both[1], default=(None, 0))

    @property
    def weight(self) -> int:
        """Of all that is there now."""
        with self._lock:
            return self._weight()

    def drop(self, which: Callable[[Hashable], bool]) -> None:
        """Let go of the results whose keys `which` says yes to."""
        with self._lock:
            for key in [key for key in self._results if which(key)]:
                del self._results[key]

    def halve(self) -> None:
        """Let go of the longest unused until at most half is left; of a single result, too."""
        with self._lock:
            least = self._weight() / 2
            while self._results and self._weight() > least:
                self._results.popitem(last=False)

    def get(self, key: Hashable, compute: Callable):
        """The result for `key`, from memory or from `compute()`; what `compute` raises is passed on, nothing is kept."""
        while True:
            with self._lock:
                if key in self._results:
                    self._results.move_to_end(key)
                    return self._results[key][0]
                other = self._under_way.get(key)
                if other is None:
                    mine = self._under_way[key] = threading.Event()
                    break
            if not self._may_wait():
                return compute()
            other.wait()  # then it is there, or whoever computed it went away: whoever comes first goes on
        try:
            result = compute()
            with self._lock:
                self._results[key] = result, self.weigh(result)
                while len(self._results) > 1 and self._weight() > self.most:
                    self._results.popitem(last=False)
            return result
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set()

    def _may_wait(self) -> bool:
        """Whether this thread may wait for another's answer."""
        return True

    def _weight(self) -> int:
        return sum(weight for _, weight in self._results.values())
