"""The embeddings page's memory: the space of the model, groups of words and their map, sentences read once."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from core.charts.embeddings import OWN
from core.measure.contextual import residual_stream
from core.measure.embeddings import (
    Analogy,
    Neighbour,
    Space,
    analogy,
    embedding_space,
    nearest,
    read_formula,
    word_tokens,
    word_vectors,
    words_of,
)
from core.measure.projection import Projection, pca, tsne
from core.ui import url
from core.ui.kept import Kept
from core.ui.texts import LANGUAGES, load

_spaces = Kept(4)  # 64 kB of lengths each for 16,000 tokens; the matrix is the model's own
_maps = Kept(64)  # a few kB each
_neighbours = Kept(256)  # of words
_streams = Kept(48)  # of sentences; 15 kB a token for `mini`
NEIGHBOURS = 8
GROUPS = ("animals", "colours", "numbers", "days", "countries", "capitals", "professions")


@dataclass(frozen=True)
class WordMap:
    """Words, the group of each (OWN: the viewer's), their tokens, and where they stand."""

    words: list[str]
    groups: list[str]
    tokens: list[list[int]]
    points: Tensor  # (n, k)
    shares: list[float]  # of the groups' variance on each axis; empty for t-SNE


def space(lm) -> Space:
    """The model's embedding space, worked out once."""
    return _spaces.get(lm.name, lambda: embedding_space(lm))


def piece(lm, token: int) -> str:
    """A token as a word is written: "Frau", or "…cker" for one that goes on where another ended."""
    label = lm.tokenizer.label(token)
    return label[1:] if len(label) > 1 and label[0] == "␣" else f"…{label}" if label[0].isalpha() else label


def pieces(lm, tokens: Sequence[int]) -> str:
    """The tokens of a word: "Bä …cker"."""
    return " ".join(piece(lm, token) for token in tokens)


def whole(lm, words: Sequence[str]) -> str:
    """The first word that is one token, so that its vector is its own; else the first."""
    return next((word for word in words if len(word_tokens(lm.tokenizer, word)) == 1), words[0])


def group_words(page, group: str, both: bool) -> list[str]:
    """The words of a group in the page's language, or in both (texts `groups.<group>.words`)."""
    languages = [page.language, *(other for other in LANGUAGES if both and other != page.language)]
    texts = [load(language, page.name)[f"groups.{group}.words"] for language in languages]
    return words_of(", ".join(texts), 200)[0]


def word_map(page, own: Sequence[str], groups: Sequence[str], both: bool, method: str) -> WordMap:
    """Where words stand on the map: `method` is flat (PCA, two axes), deep (three) or tsne.

    The axes of PCA are those of the groups alone, so that the map stays while a viewer types; without groups, those
    of the viewer's words. t-SNE places all words together.
    """
    theirs = [(word, group) for group in groups for word in group_words(page, group, both) if word not in own]
    words, names = [word for word, _ in theirs] + list(own), [group for _, group in theirs] + [OWN] * len(own)
    lm = page.lm

    def compute() -> WordMap:
        tokens = [word_tokens(lm.tokenizer, word) for word in words]
        vectors = _units(lm, tokens)
        if method == "tsne":
            return WordMap(words, names, tokens, tsne(vectors), [])
        fixed = tuple(word for group in groups for word in group_words(page, group, both))
        projection = _axes(lm, fixed or tuple(words), 3 if method == "deep" else 2)
        return WordMap(words, names, tokens, projection(vectors), projection.shares.tolist())

    return _maps.get((lm.name, tuple(words), tuple(names), method), compute)


def _units(lm, tokens: Sequence[Sequence[int]]) -> Tensor:
    """The vectors of words (n, C) at length 1: distances on the map are then those of cosines."""
    vectors = word_vectors(space(lm), tokens)
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)


def _axes(lm, words: tuple[str, ...], k: int) -> Projection:
    """The k directions in which these words differ most."""
    return _maps.get((lm.name, "axes", words, k), lambda: pca(_units(lm, [word_tokens(lm.tokenizer, word) for word in words]), k))


def neighbours(lm, word: str) -> tuple[list[int], list[Neighbour]]:
    """The tokens of a word, and the others that are nearest to it."""
    ids, around = word_tokens(lm.tokenizer, word), space(lm)
    return ids, _neighbours.get((lm.name, *ids), lambda: nearest(around, word_vectors(around, [ids])[0], NEIGHBOURS, leave_out=ids))


def looked_at(page, words: Sequence[str], others: Sequence[str]) -> str:
    """The word whose neighbours are shown: one that was clicked, else the last one typed. In the link as `<page>_word`."""
    key, belongs = page.key("word"), page.key("word_of")
    url.seed(page, "word", None, lambda raw: raw[:80])
    if st.session_state.setdefault(belongs, tuple(words)) != tuple(words):
        st.session_state[belongs], st.session_state[key] = tuple(words), None
    chosen = st.session_state[key]
    chosen = chosen if chosen in {*words, *others} else None
    url.share(page, "word", chosen)
    return chosen or words[-1]


def solve(lm, formula: str) -> tuple[Analogy, list[tuple[int, str]], str | None]:
    """What `king - man + woman = queen` leads to, its terms, and the answer that is hoped for."""
    terms, answer = read_formula(formula)
    return analogy(space(lm), lm.tokenizer, terms, answer), terms, answer


def quiz(page) -> list[tuple[str, Analogy, list[tuple[int, str]], str | None]]:
    """The list of analogies in the page's texts (`quiz.formulas`, one a line), all worked out."""
    formulas = load(page.language, page.name)["quiz.formulas"].strip().splitlines()
    return _maps.get((page.lm.name, "quiz", page.language), lambda: [(line, *solve(page.lm, line)) for line in formulas])


def score(page) -> dict[str, int]:
    """How many of the listed analogies hit their word at the first place, with the inputs in the list and without."""
    found = [row[1] for row in quiz(page)]
    return {"n": len(found), "hits": sum(a.rank == 1 for a in found), "hits_without": sum(a.rank_without == 1 for a in found)}


@dataclass(frozen=True)
class Sentences:
    """Lines of a text, each read by itself."""

    lines: list[str]
    ids: list[list[int]]
    streams: list[Tensor]  # (layers + 1, T, C) each
    cut: bool  # lines or tokens were left out


def read_sentences(lm, text: str, most: int, longest: int) -> Sentences:
    """The different lines of a text, at most `most` of them and `longest` tokens of each."""
    lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    tokens = [lm.tokenizer.encode(line) for line in lines[:most]]
    ids = [some[:longest] for some in tokens]
    streams = [_streams.get((lm.name, tuple(some)), lambda some=some: residual_stream(lm, some)) for some in ids]
    return Sentences(lines[:most], ids, streams, len(lines) > most or ids != tokens)
