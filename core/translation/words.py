"""Sentences as rows of whole words: the grammar has a few hundred, so no smaller pieces are needed."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from core.training.curriculum.parallel import sentence_pair

SPECIAL = ("<pad>", "<start>", "<end>", "<gap>", "<unknown>", "<to_de>", "<to_en>")
PAD, START, END, GAP, UNKNOWN, TO_DE, TO_EN = range(len(SPECIAL))
_PARTS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Words:
    """A list of words; a word's id is its place, the special ones come first."""

    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: str) -> list[int]:
        """Ids of the words and signs; what the list lacks becomes UNKNOWN."""
        return [self._places.get(word, UNKNOWN) for word in split(sentence)]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def decode(self, ids: Iterable[int]) -> str:
        """A sentence again; special words are left out, but for a gap and an unknown word."""
        return join([self.words[i] for i in ids if i >= len(SPECIAL) or i in (GAP, UNKNOWN)])


def split(sentence: str) -> list[str]:
    """Words and signs; the first word without its capital, since every sentence of the grammar begins with an article."""
    parts = _PARTS.findall(sentence)
    return [parts[0].lower(), *parts[1:]] if parts else []


def join(words: Sequence[str]) -> str:
    """The reverse of `split`."""
    text = " ".join(words)
    text = re.sub(r" ([.,!?;:])", r"\1", text)
    return text[:1].upper() + text[1:]


def vocabulary(n_sentences: int = 20_000, seed: int = 0) -> Words:
    """All words of many sentences of both languages, in the alphabet's order behind the special ones."""
    rng = random.Random(seed)
    found = {word for _ in range(n_sentences) for sentence in sentence_pair(rng) for word in split(sentence)}
    return Words((*SPECIAL, *sorted(found)))


def held_out(de: str) -> bool:
    """Whether training never sees this German sentence nor its English one: one in ten, by its characters alone."""
    return crc32(de.encode()) % 10 == 0


def pairs(rng: random.Random, n: int, kept_out: bool = False) -> list[tuple[str, str]]:
    """`n` drawn sentence pairs (German, English), all held out or none of them."""
    found: list[tuple[str, str]] = []
    while len(found) < n:
        pair = sentence_pair(rng)
        if held_out(pair[0]) == kept_out:
            found.append(pair)
    return found
