"""Beam searches after one prompt, one after the other: what an earlier one has asked the network is not asked again."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import torch

from core.decoding.beam import Asked, BeamTree, Likeliest, search_steps
from core.kv_cache import Cache
from core.models.language_model import LanguageModel

AT_LEAST = 16  # likeliest tokens that are kept for every beginning: enough for a search of 8
MOST = 1_000  # beginnings that are kept


@dataclass
class Foresight:
    """What the network has said about beginnings after one prompt, for searches of another width, length or penalty."""

    likeliest: dict[tuple[int, ...], Likeliest] = field(default_factory=dict)  # by new tokens: logprobs and ids (n,), best first
    bytes_held: dict[tuple[int, int], int] = field(default_factory=dict)  # by new tokens and beginnings alive: the cache's size


@torch.inference_mode()
def remembered_steps(
    lm: LanguageModel, ids, width: int, max_new_tokens: int, length_penalty: float, stops: Collection[int],
    prefix: Callable[[], Cache], known: Foresight,
) -> Iterator[BeamTree]:  # fmt: skip
    """`beam_steps` with a memory: the network is asked only about steps of which `known` does not hold every beginning.

    `prefix()` gives a full cache that holds a beginning of `ids`, not all of it; it is called where the network is asked at all.
    """
    if len(known.likeliest) > MOST:
        known.likeliest.clear()
    n = min(2 * width, lm.config.vocab_size)
    remembered = _Remembered(lambda: Asked(lm, ids, max(n, AT_LEAST), max_new_tokens, prefix()), n, known)
    yield from search_steps(remembered.first(), remembered.go_on, width, max_new_tokens, length_penalty, stops, remembered.held)


class _Remembered:
    """The network, or what it said before: the `n` likeliest tokens after every living beginning."""

    def __init__(self, ask: Callable[[], Asked], n: int, known: Foresight):
        self.ask, self.n, self.known = ask, n, known
        self.asked: Asked | None = None  # the network, once it is needed
        self.beginnings: list[tuple[int, ...]] = [()]  # alive, as new tokens
        self.follows = False  # whether the network was asked about the step before, so that it can go on from there

    def first(self) -> Likeliest:
        """What follows the prompt."""
        return self._from_memory() or self._heard(self._network_first())

    def go_on(self, step: int, rows: list[int], tokens: list[int]) -> Likeliest:
        """What follows every beginning: row r of the last answer, continued by a token."""
        self.beginnings = [(*self.beginnings[row], token) for row, token in zip(rows, tokens)]
        if remembered := self._from_memory():
            return remembered
        if self.asked is None:
            self._network_first()
        return self._heard(self.asked.go_on(step, rows, tokens) if self.follows else self.asked.read(self.beginnings))

    def held(self) -> int:
        """Bytes of keys and values for the beginnings alive."""
        return self.known.bytes_held[self._size]

    @property
    def _size(self) -> tuple[int, int]:
        return len(self.beginnings[0]), len(self.beginnings)

    def _network_first(self) -> Likeliest:
        self.asked = self.ask()
        return self.asked.first()

    def _heard(self, found: Likeliest) -> Likeliest:
        self.known.likeliest.update(zip(self.beginnings, zip(*found)))
        self.known.bytes_held[self._size] = self.asked.cache.bytes_held
        self.follows = True
        return tuple(part[:, : self.n] for part in found)

    def _from_memory(self) -> Likeliest | None:
        found = [self.known.likeliest.get(beginning) for beginning in self.beginnings]
        if self._size not in self.known.bytes_held or any(one is None or len(one[0]) < self.n for one in found):
            return None
        self.follows = False
        return tuple(torch.stack(part)[:, : self.n] for part in zip(*found))
