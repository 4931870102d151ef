"""Models in memory: several at once, the least recently used released first."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from core.checkpoints.errors import NotEnoughMemory
from core.checkpoints.memory import free_bytes
from core.models.language_model import LanguageModel

IDLE = 120.0  # seconds after which a model goes that is here in another mode too


@dataclass
class Shelf:
    """Loaded models by key, "name" or "name@mode": at most `most` of them and as many as the free memory takes.

    A model that is released lives on for whoever is still using it; its memory comes back when they are done, and whoever
    asks for it before gets the same one. Of one model in two modes, the one that nobody asks for is soon released.
    """

    most: int = 3
    clock: Callable[[], float] = time.monotonic
    held: OrderedDict[str, LanguageModel] = field(default_factory=OrderedDict)
    asked: dict[str, float] = field(default_factory=dict)  # when, by key
    alive: WeakValueDictionary = field(default_factory=WeakValueDictionary)  # those held, and those still used
    lock: threading.Lock = field(default_factory=threading.Lock)
    loading: dict[str, threading.Lock] = field(default_factory=dict)

    def get(self, key: str, load: Callable[[], LanguageModel]) -> LanguageModel:
        """The model `key`, loaded by `load()` the first time; others are released if it would not fit beside them."""
        found = self._found(key)
        if found is not None:
            return found
        with self.lock:
            one_at_a_time = self.loading.setdefault(key, threading.Lock())
        with one_at_a_time:  # the first visitors come together; the file is read once
            found = self._found(key)
            if found is None:
                try:
                    found = load()
                except NotEnoughMemory as error:
                    self.release(error.needed)
                    found = load()  # if it is still too much, the message says so
                with self.lock:
                    self._keep(key, found)
        return found

    def release(self, needed: int) -> None:
        """Let go of the least recently used until `needed` bytes are free, or none is left."""
        while True:
            free = free_bytes()
            with self.lock:
                if free is None or free >= needed or not self.held:
                    return
                self.held.popitem(last=False)

    def _found(self, key: str) -> LanguageModel | None:
        with self.lock:
            found = self.alive.get(key)
            if found is not None:
                self._keep(key, found)
            return found

    def _keep(self, key: str, found: LanguageModel) -> None:
        """Put a model in front, and let go of what need not be held beside it."""
        now = self.asked[key] = self.clock()
        self.held[key] = self.alive[key] = found
        self.held.move_to_end(key)
        name = key.partition("@")[0]
        for other in [k for k in self.held if k != key and k.partition("@")[0] == name and now - self.asked[k] > IDLE]:
            del self.held[other]
        while len(self.held) > self.most:
            self.held.popitem(last=False)
