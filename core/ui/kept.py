"""Results that many viewers ask for: computed once, kept up to a number, the longest unused let go first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Kept:
    """A bounded memory shared by all sessions. Computing happens outside the lock, so nobody waits for another."""

    def __init__(self, most: int):
        self.most = most
        self._results: OrderedDict = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results

    def get(self, key: Hashable, compute: Callable):
        """The result for `key`, from memory or from `compute()`; what `compute` raises is passed on, nothing is kept."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = compute()
        with self._lock:
            self._results[key] = result
            while len(self._results) > self.most:
                self._results.popitem(last=False)
        return result
