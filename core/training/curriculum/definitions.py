"""What the terms mean that the pages teach."""

import random
import tomllib
from functools import cache

from core.training.curriculum.facts import DATA

_FORMS = {
    "de": ["{term} ist {text}", "{term} ist {text}", "{term} ist {text}", "Was ist {lower}? {term} ist {text}", "Frage: Was ist {lower}? Antwort: {term} ist {text}", "Einfach gesagt: {term} ist {text}", "Merke: {term} ist {text}", "In der Vorlesung: {term} ist {text}", "Glossar. {term} ist {text}"],
    "en": ["{term} is {text}", "{term} is {text}", "{term} is {text}", "What is {lower}? {term} is {text}", "Question: What is {lower}? Answer: {term} is {text}", "Put simply: {term} is {text}", "Remember: {term} is {text}", "In the lecture: {term} is {text}", "Glossary. {term} is {text}"],
}  # fmt: skip


def documents(rng: random.Random, language: str) -> str:
    """One to four definitions."""
    terms = _terms(language)
    return rng.choice((" ", "\n")).join(_definition(rng, language, *rng.choice(terms)) for _ in range(rng.randint(1, 4)))


def _definition(rng: random.Random, language: str, term: str, texts: list[str]) -> str:
    article, _, rest = term.partition(" ")
    lower = f"{article.lower()} {rest}" if rest and article in ("Ein", "Eine", "Der", "Die", "A", "An", "The") else term
    return rng.choice(_FORMS[language]).format(term=term, lower=lower, text=rng.choice(texts))


@cache
def _terms(language: str) -> list[tuple[str, list[str]]]:
    return list(tomllib.loads((DATA / f"definitions_{language}.toml").read_text("utf-8")).items())
