"""The glossary in both languages, the search over pages and terms, and the terms under a page."""

import pytest

from core.ui import frame, glossary
from core.ui.texts import load

STEMS = {stem for _, stem, _ in frame.PAGES}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_term_has_a_page_and_one_short_sentence(language):
    terms = glossary.terms(language)
    assert len(terms) >= 40 and len({term.title for term in terms}) == len(terms)
    for term in terms:
        assert term.page in STEMS, term
        assert 20 < len(term.meaning) < 160 and term.meaning.endswith("."), term


def test_both_languages_send_a_term_to_the_same_page():
    pages = [{term.name: term.page for term in glossary.terms(language)} for language in ("en", "de")]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_term_can_be_found_by_its_title(language):
    for term in glossary.terms(language):
        assert term in glossary.search(term.title, {}, language)[1]


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_with_texts_uses_terms_that_its_words_hold(language):
    for stem, _ in (entry for entries in frame.sections().values() for entry in entries):
        found = glossary.terms_on(stem, language)
        written = " ".join(load(language, stem).values()).casefold()
        assert len(found) >= 2, stem
        assert all(any(word.casefold() in written for word in term.words) for term in found)


def test_the_search_on_home_finds_pages_and_terms_and_says_when_there_is_nothing(open_page):
    at = open_page("home", lang="de")
    field = at.text_input(key="home_find")
    field.set_value("temperatur").run()
    shown = " ".join(caption.value for caption in at.caption)
    assert "niedrig wählt sicher" in shown
    at.text_input(key="home_find").set_value("<b>**zzz**</b>").run()
    assert not at.exception and "Keine Seite und kein Begriff" in " ".join(caption.value for caption in at.caption)
