"""The shipped mixtures of experts: their card, their evaluation, and figures measured anew from the weights on a small piece."""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.checkpoints import DamagedCheckpoint
from core.checkpoints.experts import FOLDER, load_experts
from core.measure.experts import loss, routes
from core.models.moe import active_parameters
from core.training.moe import CONFIG, EXPERTS, KINDS

ROOT = Path(__file__).resolve().parents[2]
CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
EVALUATION = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))["networks"]
RECORDED = json.loads((ROOT / CARD["experts"]).read_text("utf-8"))
LOG = pd.read_csv(ROOT / CARD["log"])


@pytest.fixture(scope="module")
def pieces():
    """1,024 tokens of a book in each language."""
    encode = load_experts("loss").tokenizer.encode
    texts = [(ROOT / "assets" / "corpora" / f"{book}.txt").read_text("utf-8")[3_000:9_000] for book in ("alice", "heidi")]
    return [encode(text)[:1_024] for text in texts]


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_speaks_of_these_very_weights(kind):
    file, lm = FOLDER / f"{kind}.safetensors", load_experts(kind)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == CARD["weights_sha256"][kind] and file.stat().st_size < 10e6
    count = sum(p.numel() for p in lm.network.parameters())
    assert count == EVALUATION[kind]["parameters"] == CARD["dense_parameters" if kind == "dense" else "parameters"]
    assert active_parameters(lm.network) == EVALUATION[kind]["active_parameters"]
    assert kind == "dense" or active_parameters(lm.network) == CARD["active_parameters"]
    assert lm.config == CONFIG and (kind == "dense" or lm.network.blocks[0].mlp.moe == EXPERTS)
    losses = EVALUATION[kind]["held_out_nats_per_token"].values()
    assert CARD["held_out_nats_per_token"][kind] == pytest.approx(np.mean(list(losses)), abs=5e-4)
    assert EVALUATION[kind]["tokens_seen"] == CARD["data"]["tokens_seen"] == LOG[LOG["kind"] == kind]["tokens"].max()


def test_on_a_book_the_mixtures_are_better_by_about_what_was_recorded(pieces):
    """Loss anew: near that of the recorded novels, and ahead of the dense network by as much, within what two short pieces can show."""
    found = {kind: np.mean([loss(load_experts(kind), ids) for ids in pieces]) for kind in KINDS}
    for kind in KINDS:
        told = np.mean([EVALUATION[kind]["held_out_nats_per_token"][source] for source in ("de-novels", "en-novels")])
        assert found[kind] == pytest.approx(told, abs=0.3)
        if kind != "dense":
            gain = CARD["held_out_nats_per_token"]["dense"] - CARD["held_out_nats_per_token"][kind]
            assert found["dense"] - found[kind] == pytest.approx(gain, abs=0.08)


@pytest.mark.parametrize("kind", ["none", "loss", "bias"])
def test_tokens_recorded_as_an_experts_own_go_there_in_a_book_too(kind, pieces):
    lm, there = load_experts(kind), []
    for ids in pieces:
        experts, names = routes(lm, ids).experts[..., 0], np.array(lm.tokenizer.labels(ids), dtype=object)
        for layer, record in enumerate(RECORDED["networks"][kind]):
            for expert, typical in enumerate(record["typical"]):
                for name, share in typical:
                    if share >= 0.99:
                        there += (experts[layer][names == name] == expert).tolist()
    assert len(there) > 300 and np.mean(there) > 0.97


def test_the_recorded_shares_are_consistent():
    assert RECORDED["tokens"] == RECORDED["documents"] * 512 and set(RECORDED["networks"]) == {"none", "loss", "bias"}
    for layers in RECORDED["networks"].values():
        assert len(layers) == CONFIG.n_layers
        for layer in layers:
            assert sum(map(sum, layer["kinds"])) == RECORDED["tokens"] and sum(layer["loads"]) == pytest.approx(1, abs=1e-3)
            told = layer["explained"]
            assert told["token"] > 0.6 > told["language"] > 0.04 > max(told["document"], told["genre"], told["position"])


def test_balancing_kept_the_load_even_in_training():
    last = LOG.groupby("kind").tail(20).groupby("kind")[[f"layer_{i}_most" for i in range(4)]].mean().max(axis=1)
    assert last["none"] > 0.4 > 0.25 > max(last["loss"], last["bias"])


def test_a_damaged_or_missing_file_is_said(tmp_path):
    folder = tmp_path / "moe"
    folder.mkdir()
    with pytest.raises(DamagedCheckpoint, match=r"loss\.safetensors.*missing"):
        load_experts("loss", folder)
    for name in ("loss.json", "dense.safetensors"):
        shutil.copy(FOLDER / name, folder / name.replace("dense", "loss"))
    with pytest.raises(DamagedCheckpoint, match=r"loss\.safetensors.*damaged"):
        load_experts("loss", folder)
    (folder / "loss.safetensors").chmod(0o644)
    (folder / "loss.safetensors").write_bytes(b"nothing")
    with pytest.raises(DamagedCheckpoint, match=r"loss\.safetensors.*damaged"):
        load_experts("loss", folder)
