"""True facts in many phrasings: capitals, colours, opposites, animals, numbers and so on.

Every relation is a table of rows and a list of phrasings; some phrasings are held out, to test whether a
model has learnt the fact or only the sentence.
"""

import csv
import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Relation:
    """One kind of fact: rows of fields for the phrasings. The field `y` is the answer."""

    name: str
    rows: tuple[dict[str, str], ...]
    train: tuple[str, ...]
    held: tuple[str, ...]
    prefixes: tuple[str, ...] = ("",)


@cache
def relations(language: str) -> tuple[Relation, ...]:
    """All relations of a language ("de" or "en")."""
    return (*_countries(language), *_tables(language), *_arithmetic(language))


def documents(rng: random.Random, language: str) -> str:
    """One short text of facts: a few sentences of one relation, a mixture, or several phrasings of one fact."""
    form = rng.random()
    if form < 0.45:
        relation = _weighted(rng, language)
        return " ".join(sentence(rng, relation) for _ in range(rng.choice((1, 1, 2, 3, 5, 8))))
    if form < 0.75:
        return " ".join(sentence(rng, _weighted(rng, language)) for _ in range(rng.randint(2, 8)))
    if form < 0.88:
        relation = _weighted(rng, language)
        row = rng.choice(relation.rows)
        return "\n".join(sentence(rng, relation, row) for _ in range(rng.randint(2, 5)))
    relation = _weighted(rng, language)
    phrasing = rng.choice(relation.train)
    rows = rng.sample(relation.rows, min(len(relation.rows), rng.randint(3, 10)))
    return "\n".join(phrasing.format_map(row) for row in rows)


def sentence(rng: random.Random, relation: Relation, row: dict[str, str] | None = None) -> str:
    """One fact in one of its training phrasings."""
    row = row or rng.choice(relation.rows)
    phrasing = rng.choice(relation.train)
    prefix = "" if "?" in phrasing else rng.choice(relation.prefixes)
    return prefix + phrasing.format_map(row)


def phrasing_probes(language: str, held_out: bool = True) -> list[tuple[str, str, str]]:
    """(relation, prompt, answer) for every row and every held-out (or training) phrasing that ends with the answer."""
    probes = []
    for relation in relations(language):
        for row in relation.rows:
            for phrasing in relation.held if held_out else relation.train:
                prompt, found, rest = phrasing.rpartition("{y}")
                if found and len(rest) <= 1:
                    probes.append((relation.name, prompt.rstrip().format_map(row), " " + row["y"]))
    return probes


def _weighted(rng: random.Random, language: str) -> Relation:
    """A relation, those with many rows more often."""
    all_relations = relations(language)
    return rng.choices(all_relations, _weights(language))[0]


@cache
def _weights(language: str) -> tuple[float, ...]:
    return tuple(30 + len(r.rows) * (1.5 if r.name == "capital" else 1) for r in relations(language))


def _tables(language: str) -> list[Relation]:
    """The relations of facts_<language>.toml."""
    found = []
    for name, table in tomllib.loads((DATA / f"facts_{language}.toml").read_text("utf-8")).items():
        verbs = dict(v.split("|") for v in table.get("verbs", ()))
        pairs = [line.split("|") for line in table["rows"].strip().splitlines()]
        if table.get("both"):
            pairs += [(y, x) for x, y in pairs]
        rows = tuple({"x": x, "X": x[0].upper() + x[1:], "y": y, "v": verbs.get(x, "")} for x, y in pairs)
        found.append(Relation(name, rows, tuple(table["train"]), tuple(table["held"]), _PREFIXES[language]))
    return found


def _countries(language: str) -> list[Relation]:
    """Country to capital, capital to country, country to continent."""
    phrasings = tomllib.loads((DATA / "capitals.toml").read_text("utf-8"))
    with open(DATA / "countries.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter=";"))
    rows: dict[str, list[dict[str, str]]] = {"capital": [], "country": [], "continent": []}
    for line in table:
        city = line["capital_de"] or line["capital_en"] if language == "de" else line["capital_en"]
        fields = german_country(line["de"], line["gender"]) if language == "de" else english_country(line["en"])
        rows["capital"].append(fields | {"y": city})
        if city != fields["land"]:
            rows["country"].append(fields | {"city": city, "y": fields["gen"]})
        if line["continent"]:
            rows["continent"].append(fields | {"y": phrasings["names"][language][line["continent"]]})
    return [
        Relation(name, tuple(rows[name]), tuple(p["train"]), tuple(p["held"]), tuple(p["prefixes"]))
        for name, p in phrasings[language].items()
    ]


def german_country(name: str, gender: str) -> dict[str, str]:
    """A country in the cases the phrasings need; gender "" (no article), "f", "m" or "p" (plural)."""
    article = {"": "", "f": "die ", "m": "der ", "p": "die "}[gender]
    genitive = {"": "von ", "f": "der ", "m": "des ", "p": "der "}[gender]
    nominative = article + ("Vereinigten Arabischen Emirate" if name.startswith("Vereinigten") else name)
    declined = name.replace("ische ", "ischen ") if gender == "f" else name
    many = gender == "p"
    return {
        "land": "Vereinigte Arabische Emirate" if name.startswith("Vereinigten") else name,
        "gen": genitive + declined,
        "nom": nominative,
        "Nom": nominative[0].upper() + nominative[1:],
        "hat": "haben" if many else "hat",
        "liegt": "liegen" if many else "liegt",
        "gehört": "gehören" if many else "gehört",
    }


def english_country(name: str) -> dict[str, str]:
    return {"x": name, "X": name[0].upper() + name[1:], "land": name, "gen": name}


_PREFIXES = {
    "de": ("", "", "", "", "Im Heft steht: ", "Tom sagt: ", "Ein Satz zum Lernen: ", "Heute lernen wir: ", "Das ist bekannt: "),
    "en": ("", "", "", "", "The notebook says: ", "Tom says: ", "A sentence to learn: ", "Today we learn: ", "This is well known: "),
}
_WORDS = {
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig".split(),
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(),
}  # fmt: skip
_SUMS = {
    "de": (("{X} ist {y}.", "{X} gibt {y}.", "Wie viel ist {x}? {X} ist {y}.", "Frage: Was ist {x}? Antwort: {y}.", "Rechne: {x} = {y}.", "Die Aufgabe {x} hat das Ergebnis {y}."),
           ("Im Kopf gerechnet: {x} ist {y}.", "Das Ergebnis von {x} ist {y}.", "Wir rechnen, {x} gibt {y}.")),
    "en": (("{X} is {y}.", "{X} makes {y}.", "How much is {x}? {X} is {y}.", "Question: What is {x}? Answer: {y}.", "Calculate: {x} = {y}.", "The sum {x} has the result {y}."),
           ("Done in the head: {x} is {y}.", "The result of {x} is {y}.", "We calculate, {x} makes {y}.")),
}  # fmt: skip


def _arithmetic(language: str) -> list[Relation]:
    """Small sums and products in words, and the number after a number."""
    words, (train, held) = _WORDS[language], _SUMS[language]
    times = {"de": "mal", "en": "times"}[language]
    sums = [(f"{words[a]} plus {words[b]}", words[a + b]) for a in range(11) for b in range(11) if a + b <= 20]
    products = [(f"{words[a]} {times} {words[b]}", words[a * b]) for a in range(1, 11) for b in range(1, 11) if a * b <= 20]
    after = [(words[n], words[n + 1]) for n in range(20)]
    follow = {
        "de": (("Nach {x} kommt {y}.", "Die Zahl nach {x} ist {y}.", "Gleich nach {x} kommt {y}.", "Zählen: Nach {x} kommt {y}.", "Die folgende Zahl nach {x} ist {y}.", "Beim Zählen folgt auf {x} die Zahl {y}.", "Welche Zahl kommt nach {x}? Nach {x} kommt {y}."), ("Wir zählen: Nach {x} kommt {y}.", "Die nächste Zahl nach {x} ist {y}.")),
        "en": (("After {x} comes {y}.", "The number after {x} is {y}.", "Right after {x} comes {y}.", "Counting: after {x} comes {y}.", "The following number after {x} is {y}.", "When we count, {x} is followed by the number {y}.", "Which number comes after {x}? After {x} comes {y}."), ("We count: after {x} comes {y}.", "The next number after {x} is {y}.")),
    }[language]  # fmt: skip
    return [
        Relation("sum", _xy(sums), train, held),
        Relation("product", _xy(products), train, held),
        Relation("count", _xy(after), *follow),
    ]


def _xy(pairs) -> tuple[dict[str, str], ...]:
    return tuple({"x": x, "X": x[0].upper() + x[1:], "y": y} for x, y in pairs)
