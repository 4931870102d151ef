"""Short fairy tales: a hero, a wish, a journey, a danger, an end."""

import random
import tomllib
from functools import cache

from core.training.curriculum.facts import DATA

_PARTS = ("openings", "wish", "departures", "meetings", "talks", "dangers", "turns", "endings")
_RELATIVE = {"er": "der", "sie": "die", "he": "", "she": ""}


def documents(rng: random.Random, language: str) -> str:
    """One tale of five to eight sentences or so."""
    words = _words(language)
    hero, pronoun = rng.choice(words["heroes"]).split("|")
    fields = {
        "h_": hero[0].lower() + hero[1:],
        "p": pronoun,
        "P": pronoun.capitalize(),
        "rel": _RELATIVE[pronoun],
        "place": rng.choice(words["places"]),
        "w": rng.choice(words["wishes"]),
    }
    return " ".join(
        rng.choice(words[part]).format(**fields)
        for part in _PARTS
        if part in ("openings", "departures", "endings") or rng.random() < 0.75
    )


@cache
def _words(language: str) -> dict[str, list[str]]:
    return tomllib.loads((DATA / "tales.toml").read_text("utf-8"))[language]
