"""A viewer's sentence read with a small list of words, gaps and translations put side by side, and their pictures."""

import json
import random

import numpy as np
import pytest
import torch

from core.charts import translation as charts
from core.charts.distribution import distribution_chart
from core.charts.perplexity import surprisal_chart
from core.charts.speculative import split_chart
from core.checkpoints.errors import DamagedCheckpoint
from core.models.seq2seq import Seq2Seq, Seq2SeqConfig
from core.training.curriculum.parallel import sentence_pair
from core.translation import comparing, trained
from core.translation.reading import LONGEST, look_alikes, read_sentence, words_by_language
from core.translation.words import END, GAP, SPECIAL, START, TO_EN, Words, split

WORDS = Words((*SPECIAL, ".", *sorted(word for own in [words_by_language()] for word in own["de"] | own["en"])))
SMALL = {"n_words": 30, "d_model": 16, "n_heads": 4, "d_ff": 24, "most_words": 12}


def network(encoder: int, decoder: int) -> Seq2Seq:
    torch.manual_seed(3)
    return Seq2Seq(Seq2SeqConfig(n_encoder_layers=encoder, n_decoder_layers=decoder, **SMALL)).eval()


def read(text: str, language: str = "en"):
    found = read_sentence(WORDS, text, language)
    return WORDS.decode(found.ids), found


# --- reading ---


@pytest.mark.parametrize("text", ["Der Hund sieht den Ball.", "der hund sieht den ball", "DER HUND SIEHT DEN BALL!!", " Der Hund, sieht den\nBall ?"])
def test_capitals_and_signs_do_not_matter(text):
    """Also where the other language has the same word in small letters: Ball and ball."""
    sentence, found = read(text)
    assert sentence == "Der Hund sieht den Ball." and found.language == "de" and found.target == "en" and not found.unknown


def test_every_sentence_of_the_grammar_is_read_as_it_is():
    rng = random.Random(8)
    for _ in range(200):
        for language, text in zip(("de", "en"), sentence_pair(rng)):
            sentence, found = read(text)
            assert (sentence, found.language, found.unknown, found.beyond) == (text, language, (), 0)


def test_unknown_words_are_named_once_and_left_out():
    sentence, found = read("Das rote Auto und das rote Auto schläft im Wald.")
    assert sentence == "Das rote das rote schläft im Wald." and found.unknown == ("Auto", "und")
    assert look_alikes("Hudn", "de")[0] == "Hund" and look_alikes("teecher", "en")[0] == "teacher"
    assert set(look_alikes("x" * 100_000, "en")) <= words_by_language()["en"]


@pytest.mark.parametrize("text", ["", " ", "مرحبا بالعالم", "😀", "<b>?", "..."])
def test_nothing_known(text):
    assert read(text)[1].ids == () and read(text, "de")[1].language == "de"


def test_a_long_text_ends_where_the_networks_do():
    found = read("the dog " * 5_000)[1]
    assert len(found.ids) == LONGEST and found.beyond == 10_000 - LONGEST + 1


# --- comparing ---


def test_every_gap_at_once_is_one_gap_after_the_other():
    encoder, decoder, ids = network(2, 0), network(0, 2), [9, 12, 8, 20]
    both, left = comparing.gap_probs(encoder, decoder, ids)
    for i in range(4):
        row = torch.tensor([[GAP if j == i else word for j, word in enumerate(ids)]])
        torch.testing.assert_close(both[i], encoder.fill(row, torch.ones(1, 4, dtype=torch.bool))[0, i].softmax(-1))
        torch.testing.assert_close(left[i], decoder.decode(torch.tensor([[START, *ids[:i]]]))[0, -1].softmax(-1))


def test_self_attention_is_what_the_masks_allow():
    encoder, decoder, ids = network(2, 0), network(0, 2), [9, 12, 8]
    every, before = comparing.self_attention(encoder, ids), comparing.self_attention(decoder, ids)
    assert (every > 0).all() and (before.triu(1) == 0).all() and (before.tril() > 0)[np.tril_indices(3)].all()
    for pattern in (every, before):
        torch.testing.assert_close(pattern.sum(-1), torch.ones(3))


def test_probabilities_of_a_translation_are_the_largest_there_are():
    both = network(2, 2)
    found = comparing.translated(both, [9, 12, 8], "en")
    assert found.source == [TO_EN, 9, 12, 8] and len(found.probs) == len(found.ids) == len(found.looked)
    row, written = torch.tensor([found.source]), [START]
    for word, p in zip(found.ids, found.probs):
        shares = both(row, torch.ones_like(row, dtype=torch.bool), torch.tensor([written]))[0, -1].softmax(-1)
        assert int(shares.argmax()) == word and float(shares.detach().max()) == pytest.approx(float(p), rel=1e-4)
        written.append(word)
    assert found.ended == (found.ids[-1] == END)


def test_clearest_and_oddest_by_hand():
    looked = torch.tensor([[0.6, 0.3, 0.0, 0.1], [0.0, 0.1, 0.8, 0.1], [0.2, 0.5, 0.2, 0.1], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    found = comparing.Translation([TO_EN, 20, 21, 7], [10, 11, 12, 7, END], looked, torch.ones(5))
    assert comparing.clearest_and_oddest(found, 7) == ((1, 2), (0, 0))


# --- pictures ---


def test_candidates_of_a_gap():
    both, left = np.full(30, 0.001), np.full(30, 0.002)
    both[[3, 4]], left[[5, 6, 7]] = [0.6, 0.3], [0.5, 0.3, 0.1]
    data = charts.gap_data(both, left, [f"w{i}" for i in range(30)], right=9)
    assert data["word"].tolist()[:6] == ["w3", "w4", "w5", "w6", "w7", "w9"] and len(data) == charts.ROWS
    assert data["right"].tolist().index(True) == 5 and data["both"].iloc[6:].sum() == 0 and data["word"].is_unique


def test_words_that_the_encoder_rules_out_stand_by_the_decoder():
    both, left = np.array([0.9998, 0.0002, 0.00001, 0.0]), np.array([0.1, 0.2, 0.6, 0.1])
    assert charts.gap_data(both, left, list("abcd"), right=0)["word"].tolist()[:4] == ["a", "c", "b", "d"]


@pytest.mark.parametrize(
    ("chart", "field"),
    [
        (charts.gap_chart("e", "d", "word"), "row"),
        (distribution_chart(5, "before", "after", "token"), "rank"),
        (split_chart(5, "kept", "corrected", "surplus", "drawn", "token"), "row"),
        (surprisal_chart("computed", True, 8, **dict.fromkeys(("position", "token", "bits", "share", "so_far", "choices"), "word")), "position"),
    ],
)
def test_bars_stand_by_a_column_that_counts_them(chart, field):
    """In the order of arrival a word that stood there before the data changed keeps its old place in the browser."""
    axes = [axis for layer in chart["layer"] for axis in layer["encoding"].values() if isinstance(axis, dict)]
    rows = [axis["sort"] for axis in axes if axis.get("field") in ("word", "label") and axis.get("axis")]
    assert len(rows) > 1 and all(sort == {"field": field, "op": "min"} for sort in rows)


def test_cells_of_a_mask():
    data = charts.looks_data(np.eye(2), np.tri(2), ["the", "the"], ["a", "b"], framed=1)
    assert data["role"].tolist() == ["computed", "dropped", "computed", "computed"] and data["framed"].tolist() == [False, False, True, True]
    assert data["row"].nunique() == 2 and data["place"].tolist() == [1, 1, 2, 2]


# --- files ---


def test_damaged_files_are_said(tmp_path):
    with pytest.raises(DamagedCheckpoint, match="encoder.safetensors"):
        trained.load_kind("encoder", tmp_path)
    (tmp_path / "words.json").write_text("[", "utf-8")
    with pytest.raises(DamagedCheckpoint, match="words.json"):
        trained.load_words(tmp_path)
    (tmp_path / "words.json").write_text(json.dumps(["<pad>", "a"]), "utf-8")
    assert trained.load_words(tmp_path).words == ("<pad>", "a") and split("A b.") == ["a", "b", "."]
