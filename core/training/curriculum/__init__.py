"""Synthetic German and English text with true facts and clear structure.

It makes a small model crisp on short prompts: facts in many phrasings, stories in which a name returns,
lists that repeat, definitions of the terms the pages teach, tales, parallel sentences.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from core.training.curriculum import definitions, facts, lists, openings, parallel, stories

# Generator and its share of the documents; stories are longest, so fewer of them make as much text.
MIXTURE = {facts.documents: 120, stories.documents: 13, lists.documents: 18, definitions.documents: 8, openings.documents: 7, parallel.documents: 7}


@dataclass(frozen=True)
class Probe:
    """A question to the model: its likeliest continuation of `prompt` must begin with `answer`."""

    language: str
    kind: str
    prompt: str
    answer: str


def documents(seed: int, language: str | None = None) -> Iterator[str]:
    """Endless documents in both languages, or in one ("de", "en"); the same seed gives the same text."""
    rng = random.Random(seed)
    generators, shares = zip(*MIXTURE.items())
    while True:
        chosen = language or rng.choice(("de", "en"))
        yield rng.choices(generators, shares)[0](rng, chosen)


def use_filler(paragraphs: dict[str, list[str]]) -> None:
    """Real paragraphs per language to stand between a name and its return."""
    stories.set_filler(paragraphs)


def probes(kind: str = "facts", split: str = "held_out", language: str | None = None) -> list[Probe]:
    """Questions with one right answer. kind "facts": phrasings never used in training (split "held_out") or
    used ("train"); "names": returning names at 200 tokens."""
    languages = (language,) if language else ("de", "en")
    if kind == "names":
        return [p for p in name_probes(200) if p.language in languages]
    if kind != "facts" or split not in ("held_out", "train"):
        raise ValueError(f"no probes of kind {kind!r} and split {split!r}; there are facts (held_out, train) and names")
    return [Probe(lang, *p) for lang in languages for p in facts.phrasing_probes(lang, split == "held_out")]


def name_probes(distance: int, n: int = 200) -> list[Probe]:
    """`n` stories per language with names kept out of training, about `distance` tokens to the name's return."""
    found = []
    for language in ("de", "en"):
        rng = random.Random(f"{language} {distance}")
        found += [Probe(language, "name", *stories.name_probe(rng, language, distance)) for _ in range(n)]
    return found
