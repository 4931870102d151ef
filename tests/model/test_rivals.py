"""The shipped GRU and Transformer: what their card says, and a part of it measured anew."""

import json
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from core.checkpoints.compared import shared_tokenizer
from core.checkpoints.rivals import FOLDER, KINDS, load_rival
from core.training import curriculum, evaluate
from core.training.architectures import networks
from core.training.saving import parameters

ROOT = Path(__file__).resolve().parents[2]
CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
RUN = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_repeats_the_evaluation_and_the_files(kind):
    measured = RUN["networks"][kind]
    assert CARD["parameters"][kind] == measured["parameters"] == parameters(load_rival(kind)) == parameters(networks()[kind])
    assert CARD["weights_sha256"][kind] == sha256((FOLDER / f"{kind}.safetensors").read_bytes()).hexdigest()
    assert (FOLDER / f"{kind}.safetensors").stat().st_size <= 10_000_000
    for source, told in CARD["held_out_nats_per_token"][kind].items():
        assert told == pytest.approx(measured["held_out_nats_per_token"][source], abs=0.006)
    assert {lang: measured["names"]["200"][lang] for lang in ("de", "en")} == CARD["names"][kind]
    assert measured["tokens_seen"] == CARD["data"]["tokens_seen"]


def test_fair_is_what_the_card_says():
    assert max(CARD["parameters"].values()) <= 1.05 * min(CARD["parameters"].values())
    best = min(RUN["gru_settings"], key=lambda one: one["held_out"])
    assert len(RUN["gru_settings"]) == 5 and best["learning_rate"] == RUN["networks"]["gru"]["learning_rate"]
    held_out = RUN["networks"]["gru"]["held_out_nats_per_token"].values()
    assert best["held_out"] == pytest.approx(sum(held_out) / len(held_out), abs=1e-3)
    rows = [line.split(",") for line in (ROOT / CARD["log"]).read_text("utf-8").splitlines()[1:]]
    assert all(max(int(row[2]) for row in rows if row[0] == kind) == CARD["data"]["tokens_seen"] for kind in KINDS)


def test_names_anew():
    """Of a few of the recorded probes at 100 tokens, the Transformer gives back nearly all, the GRU none."""
    probes = evaluate.thinned(curriculum.name_probes(100), 24)
    tokenizer = shared_tokenizer()
    right = {kind: sum(evaluate.answers_right(load_rival(kind), tokenizer, probes, batch=8)) for kind in KINDS}
    assert right["transformer"] >= 20 and right["gru"] <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_known_names_anew(kind):
    recorded = RUN["networks"][kind]["memory"]["de"]["20"]
    again = evaluate.memory_of_names(load_rival(kind), shared_tokenizer(), [20], n=100 if kind == "gru" else 20)["de"]["20"]
    gain = again["another"] - again["told"]
    assert gain == pytest.approx(recorded["another"] - recorded["told"], rel=0.1 if kind == "gru" else 0.25)
