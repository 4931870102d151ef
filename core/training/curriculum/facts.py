"""True facts in many phrasings: capitals, colours, opposites, animals, numbers and so on.

A relation is a table of rows with several statements and questions; every statement and question stands in many
frames (phrasings.py). Some statements and frames are held out, to test whether a model has learnt the fact or only
the sentence.
"""

import csv
import random
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

from core.training.curriculum.numbers import arithmetic, number_words
from core.training.curriculum.phrasings import FRAMES, PEOPLE, Clause, capital, clause, english_country, frame_kinds, german_country

DATA = Path(__file__).parent / "data"
_INNER = {"de": str.maketrans("„“", "‚‘"), "en": str.maketrans("“”", "‘’")}
_WORDS = {language: [number_words(n, language) for n in range(21)] for language in ("de", "en")}


@dataclass(frozen=True)
class Fact:
    """One row of a relation, spelt out. The first statement is the plainest one and ends with the answer."""

    relation: str
    subject: str
    answer: str
    says: tuple[Clause, ...]
    asks: tuple[str, ...]
    short: str
    pair: str
    held: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """One kind of fact. `topic` is a heading; `weight` how often it is drawn."""

    name: str
    topic: str
    facts: tuple[Fact, ...]
    weight: float


def documents(rng: random.Random, language: str) -> str:
    """One short text of facts: sentences on one relation or several, all about one subject, a quiz, a list or a lesson."""
    form = rng.random()
    if form < 0.36:
        facts = _drawn(rng, language).facts
        text = " ".join(sentence(rng, rng.choice(facts), language) for _ in range(rng.choice((1, 1, 2, 3, 5, 8))))
    elif form < 0.58:
        text = " ".join(sentence(rng, rng.choice(_drawn(rng, language).facts), language) for _ in range(rng.randint(2, 8)))
    elif form < 0.70:
        text = _portrait(rng, language)
    elif form < 0.78:
        fact = rng.choice(_drawn(rng, language).facts)
        text = "\n".join(sentence(rng, fact, language) for _ in range(rng.randint(2, 5)))
    elif form < 0.85:
        text = _quiz(rng, language)
    elif form < 0.92:
        text = _list(rng, language)
    else:
        text = _lesson(rng, language)
    return text.replace("..", ".")  # "Washington, D.C." at the end of a sentence


def sentence(rng: random.Random, fact: Fact, language: str) -> str:
    """One fact in one of its training phrasings."""
    said = rng.choice(fact.says) if rng.random() < 0.6 else fact.says[0]
    kind = "plain" if ": " in said.plain else rng.choice(frame_kinds(said, bool(fact.asks)))
    if kind == "plain":
        return said.sentence + "."
    return fill(rng, rng.choice(FRAMES[language][kind]), language, said, rng.choice(fact.asks) if kind == "question" else "", fact.short)


def fill(rng: random.Random, frame: str, language: str, said: Clause, ask: str = "", short: str = "", topic: str = "") -> str:
    """A frame with its fields filled in."""
    n, m = rng.sample(PEOPLE[language], 2) if "{n}" in frame else ("", "")
    if frame.count("“") and "“" in said.plain:  # a quotation inside a quotation
        said, ask = Clause(said.plain.translate(_INNER[language])), ask.translate(_INNER[language])
    question = capital(ask) if ask else ""
    return frame.format(
        S=said.sentence,
        s=said.plain,
        i=said.inverted,
        d=said.last if language == "de" else said.plain,
        Q=question,
        A=short,
        n=n,
        m=m,
        t=topic,
    )


def phrasing_probes(language: str, held_out: bool = True) -> list[tuple[str, str, str]]:
    """(relation, prompt, answer) for every row: with all held-out phrasings, or the plain training statements."""
    probes = []
    for relation in relations(language):
        for fact in relation.facts:
            texts = held_out_texts(fact, language) if held_out else [said.sentence for said in fact.says]
            for text in texts:
                if text.endswith(" " + fact.answer):
                    probes.append((relation.name, text.removesuffix(" " + fact.answer), " " + fact.answer))
    return probes


def held_out_texts(fact: Fact, language: str) -> list[str]:
    """A fact in its phrasings that no training text has, without the full stop."""
    rng, frames, plain = random.Random(0), FRAMES[language], fact.says[0]
    kinds = ["held_lead", "held_inverted"] if plain.inverted or language == "en" else ["held_lead"]
    texts = [fill(rng, frame, language, plain) for kind in kinds for frame in frames[kind]]
    texts += [fill(rng, frame, language, plain, fact.asks[0], fact.short) for frame in frames["held_question"] if fact.asks]
    return texts + [capital(clause(text).plain) for text in fact.held]


@cache
def relations(language: str) -> tuple[Relation, ...]:
    """All relations of a language ("de" or "en")."""
    tables = tomllib.loads((DATA / f"facts_{language}.toml").read_text("utf-8"))
    rows = {name: _rows(table) for name, table in tables.items() if "rows" in table} | _country_rows(language, tables.pop("names"))
    rows |= _element_rows(language) | arithmetic(language)
    rows |= {name: [row | {"y": row[table["answer"]]} for row in rows[table["like"]]] for name, table in tables.items() if "like" in table}
    if unknown := rows.keys() ^ tables.keys():
        raise ValueError(f"facts_{language}.toml: relations without rows or without phrasings: {sorted(unknown)}")
    return tuple(_relation(name, table, rows[name]) for name, table in tables.items())


@cache
def _cumulative(language: str) -> tuple[float, ...]:
    return tuple(accumulate(r.weight for r in relations(language)))


def _drawn(rng: random.Random, language: str) -> Relation:
    """A relation, those with many rows more often."""
    return rng.choices(relations(language), cum_weights=_cumulative(language))[0]


@cache
def _subjects(language: str) -> tuple[tuple[Fact, ...], ...]:
    """Facts of subjects that several relations speak of."""
    by_subject: dict[str, list[Fact]] = {}
    for relation in relations(language):
        for fact in relation.facts:
            by_subject.setdefault(fact.subject, []).append(fact)
    return tuple(tuple(facts) for facts in by_subject.values() if len({f.relation for f in facts}) > 1)


def _portrait(rng: random.Random, language: str) -> str:
    """Several facts about one subject."""
    known = rng.choice(_subjects(language))
    facts = rng.sample(known, min(len(known), rng.randint(2, 6)))
    if rng.random() < 0.5:
        return " ".join(rng.choice(fact.says[:2]).sentence + "." for fact in facts)
    return " ".join(sentence(rng, fact, language) for fact in facts)


def _quiz(rng: random.Random, language: str) -> str:
    """Numbered or bare questions with short answers."""
    mixed, relation = rng.random() < 0.4, _drawn(rng, language)
    lines = (
        [fill(rng, rng.choice(FRAMES[language]["quiz"]), language, relation.facts[0].says[0], topic=relation.topic)]
        if not mixed and rng.random() < 0.6
        else []
    )
    numbered = rng.random() < 0.6
    facts = [rng.choice((_drawn(rng, language) if mixed else relation).facts) for _ in range(rng.randint(2, 6))]
    asked = [fact for fact in facts if fact.asks]
    for number, fact in enumerate(asked, start=1):
        said = fact.says[0].sentence if rng.random() < 0.4 else capital(fact.short)
        lines.append(f"{number}. " * numbered + f"{capital(rng.choice(fact.asks))}? {said}.")
    return "\n".join(lines) if asked else sentence(rng, facts[0], language)


def _list(rng: random.Random, language: str) -> str:
    """Rows of one relation under each other in the same form."""
    relation = _drawn(rng, language)
    facts = rng.sample(relation.facts, min(len(relation.facts), rng.randint(3, 10)))
    if rng.random() < 0.6:
        head = fill(rng, rng.choice(FRAMES[language]["list"]), language, facts[0].says[0], topic=relation.topic)
        return "\n".join([head, *(fact.pair for fact in facts)])
    which = rng.randrange(min(len(fact.says) for fact in facts))
    return rng.choice("\n ").join(fact.says[which].sentence + "." for fact in facts)


def _lesson(rng: random.Random, language: str) -> str:
    """An opening sentence and facts of one relation, some as questions."""
    relation = _drawn(rng, language)
    head = fill(rng, rng.choice(FRAMES[language]["lesson"]), language, relation.facts[0].says[0], topic=relation.topic)
    facts = rng.sample(relation.facts, min(len(relation.facts), rng.randint(3, 7)))
    return " ".join([head, *(sentence(rng, fact, language) for fact in facts)])


def _relation(name: str, table: dict, rows: list[dict[str, str]]) -> Relation:
    """Spell out all rows of a relation."""
    facts = []
    for row in rows:
        row = row | {"X": capital(row["x"])}
        says, asks, held = ([text.format_map(row) for text in table.get(key, ())] for key in ("say", "ask", "held"))
        short, pair = (
            table.get(key, default).format_map(row).replace(" /", " ").replace("/ ", " ")
            for key, default in (("short", "{y}"), ("pair", "{x} – {y}"))
        )
        facts.append(Fact(name, row["x"], row["y"], tuple(clause(s) for s in says), tuple(asks), short, pair, tuple(held)))
    return Relation(name, table["topic"], tuple(facts), (8 + len(facts)) * table.get("weight", 1.0))


def _rows(table: dict) -> list[dict[str, str]]:
    """Rows from text: `subject | answer` or other columns, separated by semicolons or line ends; `x = y` says both ways."""
    columns, rows = table.get("columns", ["x", "y"]), []
    for item in table["rows"].replace("\n", ";").split(";"):
        if not (item := item.strip()):
            continue
        both = " = " in item
        values = item.split(" = " if both else "|")
        if len(values) != len(columns):
            raise ValueError(f"row {item!r} has {len(values)} columns, not {len(columns)}")
        rows.append(dict(zip(columns, values)))
        if both:
            rows.append(dict(zip(columns, reversed(values))))
    return rows


def _csv(name: str) -> list[dict[str, str]]:
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _country_rows(language: str, names: dict[str, dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Capital, country of a capital, continent, language and currency; a fact left empty in the table is left out."""
    rows: dict[str, list[dict[str, str]]] = {name: [] for name in ("capital", "country", "continent", "language", "currency")}
    for line in _csv("countries.csv"):
        fields = german_country(line["de"], line["gender"]) if language == "de" else english_country(line["en"])
        city = line["capital_de"] or line["capital_en"] if language == "de" else line["capital_en"]
        if city:
            rows["capital"].append(fields | {"y": city})
            if city != fields["x"]:
                rows["country"].append(fields | {"city": city, "y": fields["gen"] if language == "de" else fields["x"]})
        for relation in ("continent", "language", "currency"):
            if code := line[relation]:
                article, _, name = names[relation][code].rpartition(" ")
                rows[relation].append(
                    fields | {"y": name, "art": article} if relation == "currency" else fields | {"y": names[relation][code]}
                )
    return rows


def _element_rows(language: str) -> dict[str, list[dict[str, str]]]:
    """Chemical elements: symbol of a name and name of a symbol."""
    elements = [(line[language], line["symbol"]) for line in _csv("elements.csv")]
    return {"symbol": [{"x": x, "y": y} for x, y in elements], "element": [{"x": y, "y": x} for x, y in elements]}
