"""Little stories in which a name returns: "Annas Hund heißt Bello. ... Annas Hund heißt" needs Bello.

Names are drawn from long lists or made up from syllables, so the model has to look back rather than to
remember. Between a statement and its return stand 0 to about 600 tokens of other text, and a whole story
fits the context of the model, so that nothing returns which is no longer to be seen.
"""

import random
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache

from core.training.curriculum.facts import DATA

SIGNS_PER_TOKEN = 4.3  # of simple text, to aim at a distance in tokens
LONGEST = 600  # tokens from the last statement to the first return
WHOLE = 900  # tokens of a story
_filler: dict[str, list[str]] = {"de": [], "en": []}

# {Annas} Hund -> by gender of the noun: articles, pronoun, and the endings of mein, dein, sein, ihr.
_GENDERS = {
    "m": {"der": "der", "Der": "Der", "einen": "einen", "Er": "Er", "acc": "en", "dat": "em", "nom": ""},
    "f": {"der": "die", "Der": "Die", "einen": "eine", "Er": "Sie", "acc": "e", "dat": "er", "nom": "e"},
    "n": {"der": "das", "Der": "Das", "einen": "ein", "Er": "Es", "acc": "", "dat": "em", "nom": ""},
}
_TIMES = {
    "de": ("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(), "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(), "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split(), "rot blau grün gelb schwarz weiß grau braun".split()),
    "en": ("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), "January February March April May June July August September October November December".split(), "two three four five six seven eight nine ten eleven twelve".split(), "red blue green yellow black white grey brown".split()),
}  # fmt: skip
_SLOT = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Person:
    name: str
    female: bool


@dataclass(frozen=True)
class Fact:
    """A statement, the ways to say it again, and what must come back."""

    statement: str
    recalls: tuple[str, ...]
    value: str
    topics: frozenset[str]  # of two facts with a topic in common, one would contradict the other


def set_filler(paragraphs: dict[str, list[str]]) -> None:
    """Paragraphs of real text per language, put between names and their return in half of the stories."""
    _filler.update(paragraphs)


def documents(rng: random.Random, language: str) -> str:
    """One story with one to four names or other facts about persons, each told and later asked for."""
    return story(rng, language)[0]


def story(rng: random.Random, language: str) -> tuple[str, list[Fact]]:
    """(the text, the facts in the order in which they return)."""
    people = [_person(rng, language) for _ in range(3)]
    facts, topics = [], set()
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        fact = _fact(rng, language, rng.choice(people))
        if not fact.topics & topics and all(fact.value not in f.statement for f in facts):
            facts.append(fact)
            topics |= fact.topics
    natural = bool(_filler[language]) and rng.random() < 0.5
    distance = 0 if rng.random() < 0.1 else rng.uniform(5, LONGEST)
    parts = [filler(rng, language, rng.uniform(10, 200), people)] if rng.random() < 0.15 else []
    for fact in facts:
        parts.append(fact.statement)
        if rng.random() < 0.15:
            parts.append(filler(rng, language, rng.uniform(20, 250), people))
    parts.append(filler(rng, language, distance * SIGNS_PER_TOKEN, people, natural))
    returned = []
    for fact in rng.sample(facts, len(facts)) + rng.choices(facts, k=rng.choice((0, 0, 1, 2))):
        if sum(map(len, parts)) > WHOLE * SIGNS_PER_TOKEN:
            break
        if returned and rng.random() < 0.5:
            parts.append(filler(rng, language, rng.uniform(5, 60) * SIGNS_PER_TOKEN, people, natural))
        parts.append(rng.choice(fact.recalls))
        returned.append(fact)
    return rng.choice((" ", " ", "\n")).join(part for part in parts if part), returned


def filler(rng: random.Random, language: str, signs: float, people: list[Person], natural: bool = False, held_out: bool = False) -> str:
    """About `signs` signs of text that says nothing about names; `held_out` sentences never stand in training."""
    parts, length = [], 0
    past, hero = rng.random() < 0.5, rng.choice(people)
    pronoun = False
    while length < signs:
        if natural:
            part = rng.choice(_filler[language])[: int(signs - length) + 200].rsplit(". ", 1)[0]
            part += "" if part.endswith((".", "!", "?", "“", '"')) else "."
        else:
            if not pronoun and rng.random() < 0.4:
                hero = rng.choice(people)
            part, about_hero = _sentence(rng, language, hero, people, past, pronoun, held_out)
            pronoun = about_hero and rng.random() < 0.45
        parts.append(part)
        length += len(part) + 1
    return " ".join(parts)


def name_probe(rng: random.Random, language: str, distance: int) -> tuple[str, str]:
    """A held-out story of about `distance` tokens between a name and its return: (prompt, answer)."""
    words = _words(language)
    owner, other = rng.sample(words["heldout_female"] + words["heldout_male"], 2)
    value, other_value = rng.sample(words["heldout_pet"], 2)
    nouns = sorted({noun.split("/")[0] for noun, _, kind in words["things"] if kind == "pet"})
    noun, other_noun = (n.replace("_", " ") for n in rng.sample(nouns, 2))
    says = "heißt" if language == "de" else "is called"
    start = f"{possessive(owner, language)} {noun} {says} {value}. {possessive(other, language)} {other_noun} {says} {other_value}."
    people = [Person(name, name in words["heldout_female"]) for name in (owner, other)]
    middle = filler(rng, language, distance * SIGNS_PER_TOKEN, people, held_out=True)
    return f"{start} {middle} {possessive(owner, language)} {noun} {says}", " " + value


def possessive(name: str, language: str) -> str:
    """Annas, Jonas', Anna's."""
    if language == "en":
        return name + "'s"
    return name + ("'" if name[-1] in "sxzß" else "s")


def made_up_name(rng: random.Random) -> str:
    """Two or three syllables nobody is called."""
    syllables = (rng.choice("bdfgklmnprstvwz") + rng.choice(("a", "e", "i", "o", "u", "ei", "au")) + rng.choice(("", "n", "l", "r", "s")) for _ in range(rng.randint(2, 3)))
    return "".join(syllables).capitalize()


def _person(rng: random.Random, language: str) -> Person:
    female = rng.random() < 0.5
    made_up = rng.random() < 0.2
    return Person(made_up_name(rng) if made_up else rng.choice(_words(language)["female" if female else "male"]), female)


def _fact(rng: random.Random, language: str, owner: Person) -> Fact:
    words = _words(language)
    owned = {"Anna": owner.name, "Annas": possessive(owner.name, language)}
    if rng.random() < 0.35:
        kind, statement, *recalls = rng.choice(words["facts"])
        value = _value(rng, language, kind)
        fields = owned | {"v": value}
        topics = frozenset(r.format(**owned, v="") for r in (statement, *recalls))
        return Fact(statement.format(**fields), tuple(r.format(**fields) for r in recalls), value, topics)
    noun, gender, kind = rng.choice(words["things"])
    value = _value(rng, language, kind)
    fields = owned | {"v": value} | _forms(language, noun, gender, owner)
    usual = words["usual"][kind]
    statement = rng.choice(usual["statements"])
    return Fact(statement.format(**fields), tuple(rng.choice(usual["recalls"]).format(**fields) for _ in range(3)), value, frozenset((owner.name + noun,)))


def _forms(language: str, noun: str, gender: str, owner: Person) -> dict[str, str]:
    """What a phrasing may need of a noun: its cases, articles, pronouns."""
    if language == "en":
        noun = noun.replace("_", " ")
        return {"noun": noun, "einen": "an" if noun[0] in "aeiou" else "a", "seinen": "her" if owner.female else "his"}
    nominative, _, oblique = noun.partition("/")
    forms = _GENDERS[gender]
    own = "ihr" if owner.female else "sein"
    return forms | {"noun": nominative, "nobl": oblique or nominative, "seinen": own + forms["acc"], "seinem": own + forms["dat"], "dein": "dein" + forms["nom"], "Mein": "Mein" + forms["nom"]}


def _value(rng: random.Random, language: str, kind: str) -> str:
    words = _words(language)
    if kind in ("pet", "thing", "place", "band") and rng.random() < 0.35 or kind == "word" and rng.random() < 0.3:
        return made_up_name(rng)
    match kind:
        case "person":
            return _person(rng, language).name
        case "street":
            return rng.choice(words["word"]) + rng.choice(("weg", "gasse", "straße")) if language == "de" else rng.choice(words["place"]) + rng.choice((" Road", " Lane", " Street"))
        case "number":
            return str(rng.randint(1, 10 ** rng.randint(1, 6)))
        case "age":
            return str(rng.randint(3, 99))
        case "hour":
            return str(rng.randint(1, 23 if language == "de" else 12))
        case "birthday":
            day, month = rng.randint(1, 28), rng.choice(_TIMES[language][1])
            return f"{day}. {month}" if language == "de" else f"{day} {month}"
        case "bag":
            *some, last = rng.sample(words["bag"], rng.randint(2, 4))
            return f"{', '.join(some)} {'und' if language == 'de' else 'and'} {last}"
    return rng.choice(words[kind])


def _sentence(rng: random.Random, language: str, hero: Person, people: list[Person], past: bool, pronoun: bool, held_out: bool) -> tuple[str, bool]:
    """(a sentence, whether the hero is its subject, so that the next one may say er or she)."""
    words = _words(language)
    others = [p for p in people if p.name != hero.name] or people
    tense = 0 if past else 1

    def fill(match: re.Match) -> str:
        key = match[1]
        if "/" in key:
            return key.split("/")[tense]
        match key:
            case "P":
                return rng.choice(others).name
            case "s":
                return ("ihr" if hero.female else "sein") if language == "de" else ("her" if hero.female else "his")
            case "zahl":
                return rng.choice(numbers) if rng.random() < 0.6 else str(rng.randint(2, 40))
            case "uhr":
                return rng.choice(numbers)
            case "tag":
                return rng.choice(days)
            case "monat":
                return rng.choice(months)
            case "farbe":
                return rng.choice(colors)
            case "essen":
                return rng.choice(words["essen"])[0]
            case "essendat":
                return rng.choice(words["essen"])[-1]
        return rng.choice(words[key])

    days, months, numbers, colors = _TIMES[language]
    form = rng.random()
    if form < 0.25:
        text = _SLOT.sub(fill, rng.choice(words["heldout_scenes" if held_out else "scenes"]))
        return text[0].upper() + text[1:], False
    if form < 0.37 and not held_out:
        text = _SLOT.sub(fill, rng.choice(words["speech"]))
        said = rng.choice(("sagte", "rief", "meinte") if language == "de" else ("said", "called", "thought"))
        if language == "de":
            end = "" if text[-1] in "?!" else "" if rng.random() < 0.5 else "."
            return (f"„{text}{end}“, {'fragte' if text[-1] == '?' else said} {hero.name}." if end == "" else f"{hero.name} {said}: „{text}.“"), False
        return (f'"{text}" {"asked" if text[-1] == "?" else said} {hero.name}.' if text[-1] in "?!" else f'"{text}," {said} {hero.name}.'), False
    clauses = words["heldout_clauses" if held_out else "clauses"]
    (verbs, rest), more = rng.choice(clauses), rng.choice(clauses)
    subject = hero.name if not pronoun else ("sie" if hero.female else "er") if language == "de" else ("she" if hero.female else "he")
    time = rng.choice(words["times"]) if rng.random() < 0.5 else ""
    if language == "de":
        text = f"{time} {verbs[tense]} {subject} {rest}" if time else f"{subject} {verbs[tense]} {rest}"
    else:
        text = f"{time}{rng.choice((', ', ' ', ', '))}{subject} {verbs[tense]} {rest}" if time else f"{subject} {verbs[tense]} {rest}"
    if rng.random() < 0.3 and more[0] != verbs:
        text += f" {'und' if language == 'de' else 'and'} {more[0][tense]} {more[1]}"
    text = _SLOT.sub(fill, text)
    return text[0].upper() + text[1:] + ".", True


@lru_cache(maxsize=None)
def _words(language: str) -> dict:
    """The lists of one language, split and sorted by use."""
    names = tomllib.loads((DATA / "names.toml").read_text("utf-8"))[language]
    raw = tomllib.loads((DATA / f"stories_{language}.toml").read_text("utf-8"))
    words = {key: text.strip().split("\n") for key, text in (raw | raw.pop("values")).items() if isinstance(text, str)}
    words |= {kind: text.split() for kind, text in names.items()}
    words["people"] = words["female"] + words["male"]
    words["things"] = [tuple(line.split()) for line in words["things"]]
    words["facts"] = [line.split(" | ") for line in words["facts"]]
    words["essen"] = [line.split("|") for line in words["essen"]]
    clauses = [(line.split("|")[0].split("/"), line.split("|")[1]) for line in words["clauses"]]
    words["heldout_clauses"] = clauses[::9]
    words["clauses"] = [clause for i, clause in enumerate(clauses) if i % 9]
    # One has a dog and calls it by a name; one doesn't have a mother called so, and no boat answers to its name.
    odd = {"pet": (), "thing": ("hört",)}
    words["usual"] = {
        kind: {use: [s for s in words[use] if not any(sign in s for sign in odd.get(kind, ("hört", "{einen}", "{seinen}", "{seinem}")))] for use in ("statements", "recalls")}
        for kind in {kind for _, _, kind in words["things"]}
    }
    return words
