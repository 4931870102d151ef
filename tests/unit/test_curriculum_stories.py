"""The narrative half of the curriculum: what returns is what was said, and held-out names stay out."""

import random
import re
import time

import pytest

from core.training.curriculum import definitions, lists, openings, parallel, stories

MODULES = (stories, lists, definitions, openings, parallel)
LANGUAGES = ("de", "en")


@pytest.fixture(scope="module")
def corpus() -> dict:
    """5,000 documents a language, spread over the modules."""
    made = {}
    for language in LANGUAGES:
        for module in MODULES:
            rng, start = random.Random(7), time.perf_counter()
            made[module, language] = [module.documents(rng, language) for _ in range(1000)]
            signs = sum(map(len, made[module, language]))
            print(f"{module.__name__} {language}: {signs / (time.perf_counter() - start) / 1e6:.1f} MB/s")
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("module", MODULES)
def test_same_seed_same_text(module, language):
    assert module.documents(random.Random(3), language) == module.documents(random.Random(3), language)
    assert module.documents(random.Random(3), language) != module.documents(random.Random(4), language)


def test_no_unfilled_slots_and_no_double_spaces(corpus):
    for texts in corpus.values():
        for text in texts:
            assert "  " not in text and "{" not in text and "}" not in text, text
            assert text == text.strip()


def test_held_out_names_stay_out(corpus):
    for (module, language), texts in corpus.items():
        words = stories._words(language)
        names = words["heldout_female"] + words["heldout_male"] + words["heldout_pet"]
        found = re.search(rf"\b({'|'.join(names)})s?\b", "\n".join(texts))
        assert found is None, (module.__name__, found)


def test_held_out_sentences_stay_out(corpus):
    for language in LANGUAGES:
        text = "\n".join(corpus[stories, language])
        assert not any(scene in text for scene in stories._words(language)["heldout_scenes"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_returns_was_said_before(language):
    rng = random.Random(11)
    returns = 0
    for _ in range(1000):
        text, returned = stories.story(rng, language)
        for fact in returned:
            assert fact.value in fact.statement
            assert all(fact.value in recall for recall in fact.recalls), fact
            after = text.index(fact.statement) + len(fact.statement)
            assert any(recall in text[after:] for recall in fact.recalls), (fact, text)
            returns += 1
    assert returns > 1500


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_facts_contradict_each_other(language):
    rng = random.Random(5)
    for _ in range(500):
        _, returned = stories.story(rng, language)
        facts = {fact.statement: fact for fact in returned}.values()
        prefixes = [recall[: recall.rindex(fact.value)] for fact in facts for recall in set(fact.recalls)]
        values = {}
        for fact in facts:
            for recall in set(fact.recalls):
                prefix = recall[: recall.rindex(fact.value)]
                assert values.setdefault(prefix, fact.value) == fact.value, (prefix, prefixes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_story_fits_the_context(language):
    rng = random.Random(1)
    assert max(len(stories.documents(rng, language)) for _ in range(2000)) < 1024 * 4.2


@pytest.mark.parametrize("distance", (20, 200, 500))
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_of_a_probe_stands_in_its_prompt(language, distance):
    rng = random.Random(2)
    for _ in range(200):
        prompt, answer = stories.name_probe(rng, language, distance)
        assert prompt.count(answer) == 1 and not prompt.endswith(" ")
        assert prompt.startswith(prompt[prompt.rindex(". ") + 2 :] + answer + ".")
        assert 0.7 * distance < len(prompt) / stories.SIGNS_PER_TOKEN < distance + 80


def test_natural_filler_is_used(monkeypatch):
    monkeypatch.setattr(stories, "_filler", {"de": [], "en": []})
    stories.set_filler({"de": ["Der Blauwal taucht tief. Er atmet Luft."], "en": []})
    rng = random.Random(0)
    share = sum("Blauwal" in stories.documents(rng, "de") for _ in range(400)) / 400
    assert 0.3 < share < 0.6


@pytest.mark.parametrize(("name", "de", "en"), [("Anna", "Annas", "Anna's"), ("Jonas", "Jonas'", "Jonas's"), ("Max", "Max'", "Max's")])
def test_possessive(name, de, en):
    assert stories.possessive(name, "de") == de
    assert stories.possessive(name, "en") == en


@pytest.mark.parametrize("noun,gender,female,expected", [("Hund", "m", True, ("einen", "ihren", "ihrem", "Er")), ("Katze", "f", False, ("eine", "seine", "seiner", "Sie")), ("Pferd", "n", True, ("ein", "ihr", "ihrem", "Es"))])  # fmt: skip
def test_german_forms(noun, gender, female, expected):
    forms = stories._forms("de", noun, gender, stories.Person("X", female))
    assert (forms["einen"], forms["seinen"], forms["seinem"], forms["Er"]) == expected


# Nominative and accusative with an adjective, for each gender; written by hand.
@pytest.mark.parametrize("noun,case,expected", [("Hut", "acc", "den kleinen Hut"), ("Hut", "nom", "der kleine Hut"), ("Lampe", "acc", "die kleine Lampe"), ("Lampe", "nom", "die kleine Lampe"), ("Buch", "acc", "das kleine Buch"), ("Buch", "nom", "das kleine Buch")])  # fmt: skip
def test_german_endings(noun, case, expected):
    rng = random.Random(0)
    found = {parallel._noun_phrase(rng, (noun,), case, [("klein", "small")])[0] for _ in range(50)}
    assert found == {expected, expected.replace("kleinen ", "").replace("kleine ", "")}


def test_every_noun_of_the_grammar_is_in_the_lexicon():
    assert set(parallel._ANIMALS + parallel._THINGS) <= set(parallel._rows())


def test_the_gradient_points_uphill():
    assert "wächst" in " ".join(dict(definitions._terms("de"))["Der Gradient"])
    assert "grows" in " ".join(dict(definitions._terms("en"))["The gradient"])
