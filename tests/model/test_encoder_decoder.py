"""The shipped encoder, decoder and translator: what their card says, measured anew."""

import json
import random
import tomllib
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from core.training.encoder_decoder import CONFIG, KINDS, evaluate
from core.translation.comparing import gap_probs, translated
from core.translation.reading import LONGEST
from core.translation.trained import FOLDER, load_kind, load_words
from core.translation.words import END, SPECIAL, START, held_out, pairs, split, vocabulary

ROOT = Path(__file__).resolve().parents[2]
CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
RUN = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))


def test_the_card_repeats_the_evaluation_and_the_files():
    for kind, network in RUN["networks"].items():
        assert CARD["parameters"][kind] == network["parameters"] == sum(p.numel() for p in load_kind(kind).parameters())
        assert CARD["weights_sha256"][kind] == sha256((FOLDER / f"{kind}.safetensors").read_bytes()).hexdigest()
    told, best = CARD["held_out"], RUN["networks"]["translator"]
    assert told["sentences"] == best["sentences"] and (told["de_to_en"], told["en_to_de"]) == (best["de_to_en"], best["en_to_de"])
    assert all(told[f"{kind}_loss"] == pytest.approx(RUN["networks"][kind]["loss"], abs=1e-3) for kind in ("encoder", "decoder"))
    assert max(CARD["parameters"].values()) <= 1.05 * min(CARD["parameters"].values())
    assert CARD["data"]["sentences_seen"] == RUN["steps"] * RUN["recipe"]["batch_rows"]


def test_the_log_is_of_this_run():
    rows = [line.split(",") for line in (ROOT / CARD["log"]).read_text("utf-8").splitlines()[1:]]
    assert {row[0] for row in rows} == set(KINDS) and max(int(row[2]) for row in rows) == CARD["data"]["sentences_seen"]


def test_words_are_those_of_the_grammar():
    assert load_words() == vocabulary() and CONFIG.most_words >= LONGEST + 2


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_held_out_loss_anew(kind):
    again = evaluate(load_kind(kind), kind, load_words(), 500)["loss"]
    assert again == pytest.approx(RUN["networks"][kind]["loss"], rel=0.01)


def test_held_out_sentences_are_translated_exactly():
    """At least 95 % of whole sentences each way, of sentences that were never trained on."""
    words, rng = load_words(), random.Random(77)
    sentences = pairs(rng, 60, kept_out=True)
    assert all(held_out(de) for de, _ in sentences)
    for target, asked in (("en", sentences), ("de", [pair[::-1] for pair in sentences])):
        right = [words.decode(translated(load_kind("translator"), words.encode(a), target).ids) == b for a, b in asked]
        assert sum(right) >= 0.95 * len(right)


def test_probabilities_are_the_grammars_own_frequencies():
    """The first word of a sentence as often as the grammar begins with it; the verb of a place as the grammar draws it."""
    words = load_words()
    _, left = gap_probs(load_kind("encoder"), load_kind("decoder"), words.encode("Der Hund schläft im Wald."))
    begun = Counter(split(text)[0] for pair in pairs(random.Random(5), 4_000) for text in pair)
    for word in ("the", "der", "die", "das"):
        assert float(left[0, words.words.index(word)]) == pytest.approx(begun[word] / begun.total(), abs=0.03)
    both, _ = gap_probs(load_kind("encoder"), load_kind("decoder"), words.encode("Der Hund schläft im Wald."))
    verbs = {b: 0.6 / 6 for b in ("schläft", "wartet", "sitzt", "spielt", "steht", "arbeitet")}
    for verb, share in verbs.items():
        assert float(both[2, words.words.index(verb)]) == pytest.approx(share, abs=0.05)


def test_outside_of_the_grammar_it_fails_as_the_card_says():
    words = load_words()
    found = translated(load_kind("translator"), words.encode("The cat looks for the mouse."), "de")
    assert not found.ended and len(found.ids) == CONFIG.most_words - 1
    good = translated(load_kind("translator"), words.encode("The cat looks for the egg."), "de")
    assert good.ended and torch.allclose(good.looked.sum(-1), torch.ones(len(good.ids)), atol=1e-4)
    assert words.decode(good.ids) == "Die Katze sucht das Ei." and good.ids[-1] == END and START not in good.ids and len(SPECIAL) == 7
