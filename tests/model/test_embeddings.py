"""The bundled model's words: hidden states against transformers, and what the page lets a viewer find."""

import tomllib
from pathlib import Path

import pytest
import torch

from core.measure.contextual import cosine_by_layer, find_word, residual_stream
from core.measure.embeddings import analogy, embedding_space, nearest, read_formula, word_tokens, word_vectors
from tests.model.reference import as_transformers

TEXTS = Path(__file__).resolve().parents[2] / "assets" / "texts"


@pytest.fixture(scope="module")
def space(mini):
    return embedding_space(mini)


def words(language):
    return tomllib.loads((TEXTS / language / "embeddings.toml").read_text("utf-8"))


def test_the_residual_stream_is_that_of_transformers(mini):
    ids = mini.tokenizer.encode("The boat lay on the river bank.")
    with torch.inference_mode():
        states = as_transformers(mini).model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    ours = residual_stream(mini, ids)
    assert len(ours) == len(states) == mini.config.n_layers + 1
    for layer in range(mini.config.n_layers):  # transformers' last state has been through the final norm already
        torch.testing.assert_close(ours[layer], states[layer][0], atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(mini.network.ln_final(ours[-1]), states[-1][0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("word, kind", [("Hund", "Fuchs Pferd Katze"), ("three", "two four five"), ("Montag", "Mittwoch Samstag Dienstag")])
def test_neighbours_are_of_the_same_kind(mini, space, word, kind):
    ids = word_tokens(mini.tokenizer, word)
    near = nearest(space, word_vectors(space, [ids])[0], 8, leave_out=ids)
    assert {mini.tokenizer.label(n.id).strip("␣") for n in near} >= set(kind.split())
    assert near[0].cosine > 0.4 and abs(space.chance) < 0.01 < space.chance_raw


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_list_of_analogies_holds_hits_and_misses(mini, space, language):
    found = [analogy(space, mini.tokenizer, *read_formula(line)) for line in words(language)["quiz"]["formulas"].strip().splitlines()]
    assert len(found) == 12
    hits, hits_without = sum(a.rank == 1 for a in found), sum(a.rank_without == 1 for a in found)
    assert hits <= 2 and 6 <= hits_without <= 9


@pytest.mark.parametrize("language, preset, word, together", [
    ("en", "sense", "bank", True), ("de", "sense", "Bank", True), ("en", "form", "ring", True), ("de", "form", "weiß", True),
    ("en", "unclear", "bat", False), ("de", "unclear", "Schloss", False),
])  # fmt: skip
def test_a_word_parts_with_its_meaning_or_does_not(mini, language, preset, word, together):
    """What each preset says: of three sentences the first two share a meaning; the vectors follow it, or fail to."""
    ids = [mini.tokenizer.encode(line) for line in words(language)["contexts_presets"][preset]["prompt"].splitlines()]
    places = [find_word(mini.tokenizer, some, word) for some in ids]
    similar = cosine_by_layer([residual_stream(mini, some) for some in ids], places)
    assert similar[0].min() > 0.999
    same, other = float(similar[-1, 0, 1]), max(float(similar[-1, 0, 2]), float(similar[-1, 1, 2]))
    assert (same > other + 0.1) == together
