"""Terms in one clear sentence each: found by a search, and listed under every page that uses them."""

import re
from dataclasses import dataclass
from functools import cache

import streamlit as st

from core.ui.texts import TEXTS, Texts, load

MOST_FOUND = 8  # pages and terms that a search shows


@dataclass(frozen=True)
class Term:
    """A term of the field, the words that pages use for it, the page about it, and one sentence."""

    name: str
    title: str
    words: tuple[str, ...]
    page: str
    meaning: str


@cache  # bounded by the languages there are
def terms(language: str) -> tuple[Term, ...]:
    """All terms, sorted by their title as the language writes it."""
    texts, flat = Texts("glossary", language), load(language, "glossary")
    names = [key.removesuffix(".term") for key in flat if key.endswith(".term")]
    found = (
        Term(n, texts.plain(f"{n}.term"), tuple(flat[f"{n}.words"].split("|")), flat[f"{n}.page"], texts.plain(f"{n}.meaning"))
        for n in names
    )
    return tuple(sorted(found, key=lambda term: term.title.casefold()))


@cache  # bounded by pages and languages
def terms_on(page: str, language: str) -> tuple[Term, ...]:
    """The terms whose words occur in a page's texts."""
    if not (TEXTS / language / f"{page}.toml").exists():
        return ()
    written = " ".join(load(language, page).values())
    return tuple(term for term in terms(language) if _pattern(term.words).search(written))


def search(asked: str, titles: dict[str, tuple[str, str]], language: str) -> tuple[list[str], list[Term]]:
    """Pages (stem -> title, question) and terms in which every word of `asked` occurs; best first, titles before sentences."""
    words = asked.casefold().split()[:8]
    if not words:
        return [], []
    about: dict[str, str] = {}
    for term in terms(language):
        about[term.page] = " ".join([about.get(term.page, ""), term.title, *term.words])
    pages = {stem: (title, f"{question} {about.get(stem, '')}") for stem, (title, question) in titles.items()}
    meanings = {term: (" ".join((term.title, *term.words)), term.meaning) for term in terms(language)}
    return _ranked(words, pages)[:MOST_FOUND], _ranked(words, meanings)[:MOST_FOUND]


def draw_terms(t: Texts, page: str, existing: set[str]) -> None:
    """Under a page: what its terms mean, each with a way to the page about it."""
    found = terms_on(page, t.language)
    if found:
        with st.expander(t("glossary_title"), icon=":material/dictionary:"):
            draw_list(found, existing - {page})


def draw_list(found, existing: set[str]) -> None:
    """Terms with their sentences; the term is a link where there is a page about it."""
    for term in found:
        if term.page in existing:
            with st.container(gap=None):
                st.page_link(f"pages/{term.page}.py", label=f"**{term.title}**", icon=":material/arrow_forward:")
                st.caption(term.meaning)
        else:
            st.markdown(f"**{term.title}**  \n{term.meaning}")


def _pattern(words) -> re.Pattern:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})(?:s|es|n|en)?\b", re.IGNORECASE)


def _ranked(words: list[str], texts: dict) -> list:
    """Keys whose (title, text) hold all words, those with a word at the start of the title first."""

    def rank(item):
        title, text = item[1][0].casefold(), item[1][1].casefold()
        if not all(word in title or word in text for word in words):
            return None
        return sum((word not in title) * 2 + (not title.startswith(word)) for word in words)

    ranked = [(rank(item), item[0]) for item in texts.items()]
    return [key for value, key in sorted((r for r in ranked if r[0] is not None), key=lambda r: r[0])]
