"""Models in memory: several at once, the least recently used released first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from core.checkpoints.errors import NotEnoughMemory
from core.checkpoints.memory import free_bytes
from core.models.language_model import LanguageModel


@dataclass
class Shelf:
    """Loaded models by key, at most `most` of them and as many as the free memory takes.

    A model that is released lives on for whoever is still using it; its memory comes back when they are done.
    """

    most: int = 3
    held: OrderedDict[str, LanguageModel] = field(default_factory=OrderedDict)
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
                    self.held[key] = found
                    while len(self.held) > self.most:
                        self.held.popitem(last=False)
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
            if key in self.held:
                self.held.move_to_end(key)
            return self.held.get(key)
