"""A viewer's sentence for networks that know a few hundred words: what they know is read, the rest is named."""

import random
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from core.translation.words import SPECIAL, UNKNOWN, Words, pairs, split

LONGEST = 30  # words and signs of a sentence; the networks read 32 with what stands before and after
STOP = "."
_COMPARED = 24  # signs of an unknown word that are compared


@dataclass(frozen=True)
class Sentence:
    """What was read of a text."""

    ids: tuple[int, ...]  # known words, the full stop last; empty where none was known
    language: str  # de or en: which has more of the words
    unknown: tuple[str, ...]  # left out
    beyond: int  # known words after the LONGEST, left out too

    @property
    def target(self) -> str:
        """The other language."""
        return "en" if self.language == "de" else "de"


def read_sentence(words: Words, text: str, language: str = "en") -> Sentence:
    """The words of `text` that the list holds, in small letters or capitals, and a full stop; other signs do not count.

    `language` counts where the words leave it open.
    """
    tongues = words_by_language()
    parts = [part for part in split(text) if any(sign.isalnum() for sign in part)]
    found = {name: sum(any(form in own for form in _forms(part)) for part in parts) for name, own in tongues.items()}
    most = max(found, key=found.get) if len(set(found.values())) > 1 else language
    read = [_known(words, part, tongues[most]) for part in parts]
    ids = [i for i in read if i != UNKNOWN]
    unknown = dict.fromkeys(part for part, i in zip(parts, read) if i == UNKNOWN)
    kept = ids[: LONGEST - 1]
    stop = words.encode(f"a {STOP}")[-1:] if kept else []
    return Sentence((*kept, *stop), most, tuple(unknown), len(ids) - len(kept))


def look_alikes(unknown: str, language: str, n: int = 3) -> list[str]:
    """The words of a language that look most like one that is unknown, the most alike first."""
    short = unknown[:_COMPARED].lower()
    ratio = {word: SequenceMatcher(None, short, word.lower()).ratio() for word in sorted(words_by_language()[language])}
    return sorted(ratio, key=lambda word: -ratio[word])[:n]


@lru_cache(maxsize=1)
def words_by_language() -> dict[str, frozenset[str]]:
    """The words of each language, from many sentences of the grammar: {"de": ..., "en": ...}."""
    drawn = pairs(random.Random(0), 4_000)
    return {name: frozenset(word for pair in drawn for word in split(pair[i]) if word != STOP) for i, name in enumerate(("de", "en"))}


def _known(words: Words, part: str, own: frozenset[str]) -> int:
    """The id of a word, in the sentence's language where both have it; UNKNOWN for none."""
    forms = _forms(part)
    for listed in (own, words.words[len(SPECIAL) :]):
        for form in forms:
            if form in listed:
                return words.words.index(form)
    return UNKNOWN


def _forms(part: str) -> tuple[str, ...]:
    return part, part.lower(), part.lower().capitalize()
