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
