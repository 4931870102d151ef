"""Beam searches after one prompt, one after the other: what an earlier one has asked the network is not asked again."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.decoding.beam import BeamTree, Likeliest, search_steps
from core.kv_cache import Cache, SharedPrefixCache
from core.models.language_model import LanguageModel, as_batch

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
    asked = _Asked(lm, as_batch(ids, lm.config.vocab_size)[:1], width, max_new_tokens, prefix, known)
    yield from search_steps(asked.first(), asked.go_on, width, max_new_tokens, length_penalty, stops, asked.held)


class _Asked:
    """The network as a search asks it."""

    def __init__(self, lm: LanguageModel, ids: Tensor, width: int, room: int, prefix: Callable[[], Cache], known: Foresight):
        self.lm, self.ids, self.n, self.room, self.prefix, self.known = lm, ids, 2 * width, room, prefix, known
        self.beginnings: list[tuple[int, ...]] = [()]  # alive, as new tokens
        self.prompt: Cache | None = None  # filled with the prompt, once it is needed
        self.cache: Cache | None = None
        self.cached = -1  # new tokens of every living beginning that the cache holds; -1 = it holds others

    def first(self) -> Likeliest:
        """What follows the prompt."""
        return self._from_memory() or self._read_prompt()

    def go_on(self, step: int, rows: list[int], tokens: list[int]) -> Likeliest:
        """What follows every beginning: row r of the last answer, continued by a token."""
        self.beginnings = [(*self.beginnings[row], token) for row, token in zip(rows, tokens)]
        if remembered := self._from_memory():
            self.cached = -1
            return remembered
        if self.prompt is None:
            self._read_prompt()
        if self.cached == step - 1:  # it holds what every beginning had before
            if step > 1:
                self.cache.reorder(torch.tensor(rows))
            new = torch.tensor(tokens)[:, None]  # (rows, 1)
        else:  # the steps before were remembered: all their tokens are read in one go
            self.cache, new = SharedPrefixCache(self.prompt, len(rows), self.room), torch.tensor(self.beginnings)  # (rows, step)
        self.cached = step
        return self._ask(self.beginnings, new, self.cache)

    def held(self) -> int:
        """Bytes of keys and values for the beginnings alive."""
        return self.known.bytes_held[self._size(self.beginnings)]

    def _read_prompt(self) -> Likeliest:
        self.prompt = self.prefix()
        found = self._ask([()], self.ids[:, self.prompt.seen[0] :], self.prompt)
        self.cache, self.cached = SharedPrefixCache(self.prompt, self.n // 2, self.room), 0
        return found

    def _ask(self, beginnings: list[tuple[int, ...]], new: Tensor, cache: Cache) -> Likeliest:
        logprobs = self.lm.forward(new, cache, last_only=True)[:, -1].float().log_softmax(-1)  # (rows, V)
        found = logprobs.topk(min(max(self.n, AT_LEAST), logprobs.shape[-1]), dim=-1)
        self.known.likeliest.update(zip(beginnings, zip(*found)))
        self.known.bytes_held[self._size(beginnings)] = cache.bytes_held
        return tuple(part[:, : self.n] for part in found)

    def _from_memory(self) -> Likeliest | None:
        enough = min(self.n, self.lm.config.vocab_size)
        found = [self.known.likeliest.get(beginning) for beginning in self.beginnings]
        if self._size(self.beginnings) not in self.known.bytes_held or any(one is None or len(one[0]) < enough for one in found):
            return None
        return tuple(torch.stack(part)[:, : self.n] for part in zip(*found))

    @staticmethod
    def _size(beginnings: list[tuple[int, ...]]) -> tuple[int, int]:
        return len(beginnings[0]), len(beginnings)
