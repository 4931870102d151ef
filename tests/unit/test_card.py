"""The card of the bundled model says what its weights are and what the recorded evaluation measured, no more."""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "assets" / "models" / "mini"
CARD = tomllib.loads((MODEL / "card.toml").read_text("utf-8"))
EVALUATION = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))
CONFIG = json.loads((MODEL / "config.json").read_text("utf-8"))


def test_the_card_and_the_evaluation_belong_to_these_very_weights():
    """Other weights need another evaluation and another card."""
    found = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    assert found == CARD["weights_sha256"] == EVALUATION["weights_sha256"]


def test_parameters_and_shape_are_those_of_the_file():
    with safe_open(MODEL / "model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]
    count = sum(one[0] * (one[1] if len(one) == 2 else 1) for one in shapes)
    assert count == CARD["parameters"] == EVALUATION["parameters"]
    assert CONFIG["max_position_embeddings"] == CARD["context"] == EVALUATION["config"]["context_length"]
    said = CARD["architecture"]
    for words in (
        f"{CONFIG['num_hidden_layers']} layers", f"width {CONFIG['hidden_size']}", f"SwiGLU {CONFIG['intermediate_size']}",
        f"{CONFIG['num_attention_heads']} heads of {CONFIG['hidden_size'] // CONFIG['num_attention_heads']}", f"{CONFIG['vocab_size']:,} tokens",
    ):  # fmt: skip
        assert words in said


def test_data_are_the_recorded_ones():
    passes = {name: n for name, n in CARD["data"]["passes"].items() if name != "curriculum"}
    assert passes == EVALUATION["passes"]
    assert CARD["data"]["tokens_seen"] == EVALUATION["tokens_seen"]
    assert CARD["data"]["curriculum_share"].startswith(f"{EVALUATION['curriculum_share']:.0%}".replace("%", " %"))


def test_losses_facts_and_names_are_the_recorded_ones():
    assert CARD["held_out_nats_per_token"] == pytest.approx(EVALUATION["held_out_nats_per_token"], abs=0.005)
    for language in ("de", "en"):
        assert CARD["facts_top1"][language] == pytest.approx(EVALUATION["facts"]["top1"][language], abs=5e-4)
        assert CARD["returning_names_top1"][language] == pytest.approx(EVALUATION["names"]["200"][language], abs=5e-4)


def test_the_readme_tells_the_size_of_this_model():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"`mini` has {CARD['parameters'] / 1e6:.0f} million parameters" in readme
    assert f"the model ({(MODEL / 'model.safetensors').stat().st_size / 1e6:.0f} MB)" in readme
