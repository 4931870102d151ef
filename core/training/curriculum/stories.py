"""Little stories in which a name returns: "Annas Hund heißt Bello. ... Annas Hund heißt" needs Bello.

Names are drawn from long lists or made up from syllables, so the model has to look back rather than to
remember. Between a name and its return stand 0 to about 700 tokens of other text.
"""

import random
import tomllib
from functools import cache

from core.training.curriculum.facts import DATA

SIGNS_PER_TOKEN = 4.3  # of simple text, to aim at a distance in tokens
_filler: dict[str, list[str]] = {"de": [], "en": []}


def set_filler(paragraphs: dict[str, list[str]]) -> None:
    """Paragraphs of real text per language, put between names and their return in half of the stories."""
    _filler.update(paragraphs)


def documents(rng: random.Random, language: str) -> str:
    """One story with one to four names or other facts about persons, each told and later asked for."""
    facts = [_fact(rng, language) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    facts = list({(owner, what): fact for fact in facts for owner, what in [fact[2]]}.values())
    people = [fact[2][0] for fact in facts]
    distance = rng.choice((0, 10, 25, 50, 100, 200, 300, 450, 700)) * rng.uniform(0.5, 1.2) * SIGNS_PER_TOKEN
    natural = _filler[language] and rng.random() < 0.5
    parts = [fact[0] for fact in facts]
    for fact in rng.sample(facts, len(facts)) + rng.choices(facts, k=rng.randint(0, 2)):
        parts.append(filler(rng, language, distance * rng.uniform(0.3, 1.0), people, natural))
        parts.append(rng.choice(fact[1]))
    return (rng.choice((" ", " ", "\n"))).join(p for p in parts if p)


def filler(rng: random.Random, language: str, signs: float, people: list[str], natural: bool = False, scenes: str = "scenes") -> str:
    """About `signs` signs of text that says nothing about names."""
    words, parts, length = _words(language), [], 0
    while length < signs:
        if natural:
            part = rng.choice(_filler[language])
            part = part[: int(signs - length) + 200].rsplit(". ", 1)[0]
            part += "" if part.endswith((".", "!", "?", "“", '"')) else "."
        elif rng.random() < 0.3:
            part = rng.choice(words[scenes])
        else:
            part = f"{rng.choice(words['times'])} {rng.choice(words['doing'])}.".replace("{p}", rng.choice(people))
            if language == "en":
                part = part.replace(" " + people[0] + " ", ", " + people[0] + " ", 1) if rng.random() < 0.2 else part
        parts.append(part)
        length += len(part) + 1
    return " ".join(parts)


def name_probe(rng: random.Random, language: str, distance: int) -> tuple[str, str]:
    """A held-out story of about `distance` tokens between a name and its return: (prompt, answer)."""
    words = _words(language)
    owner, other = rng.sample(words["heldout_female"] + words["heldout_male"], 2)
    value, other_value = rng.sample(words["heldout_pet"], 2)
    noun, other_noun = rng.sample([t.split("|")[1] for t in words["things"] if t.startswith("pet")], 2)
    state = words["state"][0]
    start = state.format(o=possessive(owner, language), n=noun, v=value)
    start += " " + state.format(o=possessive(other, language), n=other_noun, v=other_value)
    middle = filler(rng, language, distance * SIGNS_PER_TOKEN, [owner, other], scenes="heldout_scenes")
    question = state.format(o=possessive(owner, language), n=noun, v="").removesuffix(" .")
    return f"{start} {middle} {question}", " " + value


def heard_probe(rng: random.Random, language: str, distance: int) -> tuple[str, str, str]:
    """A name that training texts know, told about `distance` tokens before it returns: (prompt, the same with another name told, answer).

    How much likelier the answer is after the first than after the second is what a network remembers of having heard it.
    """
    words = _words(language)
    owner = rng.choice(words["people"])
    names = rng.sample(words["pet"], 2)
    noun = rng.choice([t.split("|")[1] for t in words["things"] if t.startswith("pet")])
    told = words["state"][0].format(o=possessive(owner, language), n=noun, v="{v}")
    middle = filler(rng, language, distance * SIGNS_PER_TOKEN, [owner])
    question = told.replace("{v}", "").removesuffix(" .")
    return *(f"{told.format(v=name)} {middle} {question}" for name in names), " " + names[0]


def possessive(name: str, language: str) -> str:
    """Annas, Jonas', Anna's."""
    if language == "en":
        return name + "'s"
    return name + ("'" if name[-1] in "sxzß" else "s")


def made_up_name(rng: random.Random) -> str:
    """Two or three syllables nobody is called."""
    syllables = (rng.choice("bdfgklmnprstvwz") + rng.choice(("a", "e", "i", "o", "u", "ei", "au")) + rng.choice(("", "n", "l", "r", "s")) for _ in range(rng.randint(2, 3)))
    return "".join(syllables).capitalize()


def _fact(rng: random.Random, language: str) -> tuple[str, list[str], tuple[str, str]]:
    """(statement, ways to say it again, (owner, what it is about))."""
    words = _words(language)
    owner = made_up_name(rng) if rng.random() < 0.15 else rng.choice(words["people"])
    if rng.random() < 0.75:
        kind, noun = rng.choice(words["things"]).split("|")
        value = made_up_name(rng) if rng.random() < 0.3 else rng.choice(words[kind])
        fields = {"o": possessive(owner, language), "n": noun, "v": value}
        state = rng.choice(words["state"]).format(**fields)
        return state, [r.format(**fields) for r in words["recall"]], (owner, noun)
    phrasing, kind = rng.choice(words["other_state"]).split("|")
    value = str(rng.randint(10, 9999)) if kind == "zahl" else rng.choice(words[kind])
    state = phrasing.format(o=owner, v=value)
    return state, [state], (owner, phrasing)


@cache
def _words(language: str) -> dict[str, list[str]]:
    names = tomllib.loads((DATA / "names.toml").read_text("utf-8"))[language]
    words = tomllib.loads((DATA / "stories.toml").read_text("utf-8"))[language]
    words |= {kind: text.split() for kind, text in names.items()}
    words["people"] = words["female"] + words["male"]
    return words
