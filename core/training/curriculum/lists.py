"""Lists, tables and repetitions: what comes next stands further up (induction)."""

import csv
import random
from functools import cache

from core.training.curriculum.facts import _WORDS, DATA
from core.training.curriculum.stories import _words, made_up_name

_DAYS = {
    "de": ("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(), "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()),
    "en": ("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), "January February March April May June July August September October November December".split()),
}  # fmt: skip
_HEADS = {
    "de": ["", "", "Die Liste: ", "Einkaufsliste: ", "Wir wiederholen: ", "Auf dem Zettel steht: ", "Noch einmal von vorn: "],
    "en": ["", "", "The list: ", "Shopping list: ", "We repeat: ", "The note says: ", "Once more from the start: "],
}


def documents(rng: random.Random, language: str) -> str:
    """One list, table, count or pattern that repeats."""
    forms = (_repeated, _repeated, _lookup, _lookup, _counting, _calendar, _pattern, _translation, _plurals, _copied_words)
    return rng.choice(forms)(rng, language)


def _repeated(rng: random.Random, language: str) -> str:
    """A random sequence two to four times."""
    items = [_item(rng, language) for _ in range(rng.randint(3, 14))]
    comma, end = rng.choice(((", ", "; "), (", ", ".\n"), (" ", ". "), ("\n", "\n\n"), ("; ", " | "), (" – ", "\n")))
    return rng.choice(_HEADS[language]) + end.join(comma.join(items) for _ in range(rng.randint(2, 4))) + end.strip(" ")


def _lookup(rng: random.Random, language: str) -> str:
    """A table of names and values, then questions to it."""
    names = rng.sample(_words(language)["people"], rng.randint(2, 12))
    table = {name: str(rng.randint(10, 99)) if rng.random() < 0.5 else _noun(rng, language) for name in names}
    sign, end = rng.choice(((": ", ", "), (": ", "\n"), (" = ", "; "), (" -> ", "\n"), (" – ", "\n")))
    asked = rng.choices(names, k=rng.randint(2, 6))
    return end.join(f"{n}{sign}{table[n]}" for n in names) + rng.choice((".\n", "\n\n", ". ")) + end.join(f"{n}{sign}{table[n]}" for n in asked)


def _counting(rng: random.Random, language: str) -> str:
    """Counting up or down, in digits or words."""
    if rng.random() < 0.4:
        start = rng.randint(0, 12)
        words = _WORDS[language][start : start + rng.randint(4, 9)]
        return ", ".join(words if rng.random() < 0.7 else words[::-1])
    start, step = rng.randint(0, 90), rng.choice((1, 1, 1, 2, 5, 10, -1))
    return rng.choice((", ", " ")).join(str(n) for n in range(start, start + step * rng.randint(5, 15), step) if n >= 0)


def _calendar(rng: random.Random, language: str) -> str:
    names = rng.choice(_DAYS[language])
    start = rng.randrange(len(names))
    return ", ".join(names[(start + i) % len(names)] for i in range(rng.randint(3, len(names) + 3)))


def _pattern(rng: random.Random, language: str) -> str:
    """ABAB, AAB and other short patterns."""
    signs = [_item(rng, language) for _ in range(3)]
    pattern = rng.choice(("AB", "AAB", "ABB", "ABC", "ABAC", "AABB"))
    return rng.choice((" ", ", ")).join(signs["ABC".index(p)] for p in pattern * rng.randint(3, 8))


def _translation(rng: random.Random, language: str) -> str:
    """Words and their translation in one fixed form, so that a few examples show the task."""
    rows = rng.sample(_lexicon(), rng.randint(4, 12))
    pairs = [(r["de"], r["en"]) if language == "de" else (r["en"], r["de"]) for r in rows]
    sign, end = rng.choice(((" -> ", ", "), (" = ", "\n"), (": ", "\n"), (" – ", "; "), (" => ", "\n")))
    return end.join(f"{a}{sign}{b}" for a, b in pairs)


def _plurals(rng: random.Random, language: str) -> str:
    rows = rng.sample(_lexicon(), rng.randint(4, 10))
    pairs = [(r["de"], r["plural"]) if language == "de" else (r["en"], r["en_plural"]) for r in rows]
    return rng.choice((", ", "\n")).join(f"{a} -> {b}" for a, b in pairs)


def _copied_words(rng: random.Random, language: str) -> str:
    """Made-up words said twice, each pair in the same form."""
    words = [made_up_name(rng) for _ in range(rng.randint(3, 8))]
    return "\n".join(f"{w}: {w}" for w in words) if rng.random() < 0.5 else " ".join(words) + ". " + " ".join(words) + "."


def _item(rng: random.Random, language: str) -> str:
    kind = rng.random()
    if kind < 0.6:
        return _noun(rng, language)
    if kind < 0.75:
        return str(rng.randint(0, 99))
    return made_up_name(rng) if kind < 0.85 else rng.choice(_words(language)["people"])


def _noun(rng: random.Random, language: str) -> str:
    return rng.choice(_lexicon())[language]


@cache
def _lexicon() -> list[dict[str, str]]:
    with open(DATA / "lexicon.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))
