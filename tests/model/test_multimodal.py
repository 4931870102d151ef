"""The pair of encoders: its loss against transformers' CLIP, what it finds, and its card."""

import hashlib
import json
import random
import tomllib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import DamagedCheckpoint
from core.multimodal.captions import ARTICLES, LANGUAGES, any_caption, caption, vocabulary, words_of
from core.multimodal.contrastive import contrastive_loss
from core.multimodal.encoders import PairConfig, cut
from core.multimodal.pair import FOLDER, load_pair
from core.multimodal.scenes import COLOURS, PLACES, SHAPES, SIZES, Scene, draw, held_out, scenes
from core.training import shapes

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("n, scale", [(1, 1.0), (7, 14.3), (64, 100.0)])
def test_the_loss_is_the_one_of_clip(n, scale):
    """transformers' own loss, and the formula written out: the mean surprise over rows and over columns."""
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    generator = torch.Generator().manual_seed(n)
    pictures, captions = (torch.nn.functional.normalize(torch.randn(n, 16, generator=generator), dim=-1) for _ in range(2))
    ours = contrastive_loss(pictures, captions, scale)
    logits = scale * captions @ pictures.T
    assert ours == pytest.approx(float(image_text_contrastive_loss(logits)), abs=1e-5)
    shares = np.exp(logits.double().numpy())
    rows, columns = shares / shares.sum(1, keepdims=True), shares / shares.sum(0, keepdims=True)
    by_hand = -(np.log(np.diag(rows)).mean() + np.log(np.diag(columns)).mean()) / 2
    assert float(ours) == pytest.approx(by_hand, abs=1e-5)


def test_pictures_never_trained_on_find_their_captions_and_the_other_way_round():
    found = shapes.evaluate(load_pair(), seed=5, pictures_each=1)
    assert found["pictures"] == found["held_out_scenes"] == 72
    for language, way in product(LANGUAGES, ("picture_finds_caption", "caption_finds_picture")):
        assert found[f"{way}_{language}"] >= 0.9


def test_the_card_tells_what_was_measured_of_these_weights():
    card = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
    measured = json.loads((ROOT / card["evaluation"]).read_text("utf-8"))
    assert card["sha256"] == hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert card["parameters"] == measured["parameters"] == sum(p.numel() for p in load_pair().network.parameters())
    assert card["data"]["pairs_seen"] == measured["recipe"]["steps"] * measured["recipe"]["pairs"]
    for way in ("picture_finds_caption", "caption_finds_picture"):
        assert {language: measured[f"{way}_{language}"] for language in LANGUAGES} == card["held_out"][way]


def test_what_is_held_out_covers_every_name():
    asked = [scene for scene in scenes() if held_out(scene)]
    assert len(asked) == 72 and len(list(scenes())) == 648
    for names, part in ((SHAPES, "shape"), (COLOURS, "colour"), (SIZES, "size"), (PLACES, "place")):
        assert {getattr(scene, part) for scene in asked} == set(names)


@pytest.mark.parametrize("scene, article, german", [
    (Scene("diamond", "red", "small", "top_left"), "a", "eine kleine rote Raute oben links"),
    (Scene("circle", "black", "large", "middle_centre"), "", "großer schwarzer Kreis in der Mitte"),
    (Scene("square", "violet", "large", "bottom_right"), "the", "das große violette Quadrat unten rechts"),
    (Scene("triangle", "green", "small", "top_centre"), "a", "ein kleines grünes Dreieck oben"),
    (Scene("star", "blue", "small", "middle_left"), "the", "der kleine blaue Stern links"),
    (Scene("cross", "yellow", "large", "bottom_centre"), "list", "Kreuz, groß, gelb, unten"),
])  # fmt: skip
def test_german_grammar(scene, article, german):
    assert caption(scene, "de", article) == german


def test_every_caption_is_made_of_known_words():
    pair, rng = load_pair(), random.Random(3)
    assert pair.words == vocabulary() and len(pair.words) == pair.network.config.n_words - 1
    for scene in scenes():
        for language, article in product(LANGUAGES, ARTICLES):
            assert pair.read(caption(scene, language, article))[1] == []
        assert len(words_of(any_caption(scene, rng))) <= PairConfig().most_words
    ids, unknown = pair.read("Ein ROTER Elefant, links!")
    assert unknown == ["elefant"] and len(ids) == 3


@pytest.mark.parametrize("text", ["", "Elefant", "rot " * 500, "😀 <b>x</b>"])
def test_any_text_has_a_place(text):
    vector = load_pair().embed_captions([text])
    assert torch.isfinite(vector).all() and vector.shape == (1, 48)


def test_a_picture_is_cut_into_patches_row_by_row():
    pixels = torch.arange(32 * 32 * 3).view(1, 32, 32, 3) % 251
    patches = cut(pixels, 8)
    assert patches.shape == (1, 16, 192)
    assert torch.equal(patches[0, 5], pixels[0, 8:16, 8:16].float().reshape(-1) / 127.5 - 1)


def test_drawing_is_repeatable_and_never_leaves_the_picture():
    shown = list(scenes())[::7]
    assert np.array_equal(draw(shown), draw(shown))
    one, two = (draw(shown, np.random.default_rng(seed)) for seed in (1, 2))
    assert one.dtype == np.uint8 and one.shape == (len(shown), 32, 32, 3) and not np.array_equal(one, two)
    ink = (draw(shown) < 200).any(-1).sum((1, 2))
    assert ink.min() > 12  # every thing can be seen


def test_training_brings_pairs_together():
    recipe = shapes.ShapesRecipe(steps=12, pairs=32, learning_rate=3e-3, warmup_steps=2)
    config = PairConfig(n_layers=1, d_model=32, n_heads=2, d_ff=32, d_shared=16, n_words=len(vocabulary()) + 1)
    _, records = shapes.train(recipe, config)
    assert records[-1]["loss"] < 0.9 * records[0]["loss"]


def test_damaged_files_say_so(tmp_path):
    with pytest.raises(DamagedCheckpoint, match="missing"):
        load_pair(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DamagedCheckpoint, match="damaged"):
        load_pair(tmp_path)
