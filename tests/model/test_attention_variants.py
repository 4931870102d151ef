"""The recipe of the four networks: equal size, cache bytes as the tensors held, what is saved is what is loaded, and it goes on.

And the shipped four: the card says what they are and what was recorded, and what the page reads off them is right.
"""

import hashlib
import json
import statistics
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import DamagedCheckpoint
from core.checkpoints.variants import FOLDER, load_variant
from core.kv_cache import Cache
from core.measure import perplexity
from core.measure.shared_heads import absorbed_and_expanded, read_shared
from core.models.head_pooling import pool_heads
from core.training.attention_variants import CONFIG, KINDS, LATENT, TINY, cache_bytes_per_token, load, make_network, run
from core.training.loop import Recipe
from core.training.recipes import PASSES


def test_four_networks_of_equal_size_that_fit_ten_megabytes():
    sizes = {kind: sum(p.numel() for p in make_network(kind).parameters()) for kind in KINDS}
    unit = 3 * CONFIG.d_model * CONFIG.n_layers  # one hidden unit more in every layer
    assert all(abs(size - sizes["mha"]) <= unit / 2 for size in sizes.values())
    assert max(sizes.values()) * 2 < 9.9e6
    assert [make_network(kind).config.n_kv_heads for kind in ("mha", "gqa", "mqa")] == [6, 2, 1]
    with pytest.raises(ValueError, match="no kind 'mta'"):
        make_network("mta")


@pytest.mark.parametrize("kind", KINDS)
def test_cache_bytes_are_those_of_the_tensors_held(kind):
    network, n = make_network(kind), 7
    cache = Cache(network.config, capacity=n)
    network(torch.zeros(1, n, dtype=torch.long), cache=cache)
    elements = sum(strip.numel() for strips in (cache.keys, cache.values) for strip in strips)
    widths = {"mha": 2 * 6 * 32, "gqa": 2 * 2 * 32, "mqa": 2 * 32, "mla": LATENT.latent + LATENT.rope_dim}
    assert cache_bytes_per_token(network) == 2 * elements // n == 2 * CONFIG.n_layers * widths[kind]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Encoded text that counts, in the files that `encode` writes."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for source in PASSES:
        ids = (np.arange(3_000) * 3 + rng.integers(0, 50)) % 200
        np.save(folder / f"{source}.train.npy", ids.astype(np.uint16))
    np.save(folder / "en-novels.val.npy", (np.arange(1_100) * 3 % 200).astype(np.uint16))
    return folder


def test_a_few_steps_save_and_go_on(data, tmp_path, monkeypatch):
    monkeypatch.setattr("core.training.attention_variants.TINY", (replace(TINY[0], vocab_size=200), TINY[1]))  # the scores of all words take longest
    recipe = Recipe(batch_rows=2, learning_rate=3e-3, warmup_steps=2, log_every=2, evaluate_every=100)
    first = run(data, tmp_path, ("mla",), "tiny", 6, recipe, "cpu")["networks"]["mla"]
    rows = (tmp_path / "mla.csv").read_text().splitlines()
    losses = [float(row.split(",")[rows[0].split(",").index("loss")]) for row in rows[1:]]
    assert losses[-1] < losses[0] - 0.3

    both = run(data, tmp_path, ("mla", "gqa"), "tiny", 6, recipe, "cpu")["networks"]
    assert both["mla"] == first and abs(both["gqa"]["parameters"] - first["parameters"]) <= 3 * TINY[0].d_model * TINY[0].n_layers
    assert all(found["cache_bytes_per_token"] > 0 and found["seconds_per_token"] > 0 for found in both.values())

    network = load("mla", tmp_path)
    expected = torch.nn.functional.cross_entropy(
        network(torch.arange(0, 3 * 1024, 3)[None] % 200)[0], (torch.arange(3, 3 * 1025, 3)) % 200
    )
    assert float(expected) == pytest.approx(first["held_out_nats_per_token"]["en-novels"], abs=1e-3)
    assert network.unembed.weight.data_ptr() == network.embed.weight.data_ptr()
    with pytest.raises(ValueError, match="another recipe"):
        run(data, tmp_path, ("mha",), "tiny", 7, recipe, "cpu")
    with pytest.raises(DamagedCheckpoint, match="mha.safetensors is missing"):
        load("mha", tmp_path)
    file = tmp_path / "mla.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DamagedCheckpoint, match="damaged or incomplete"):
        load("mla", tmp_path)


CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))["networks"]
STORY = "Once upon a time there was a little fox who lived at the edge of a dark forest. Every evening he wished for nothing more than a good friend."


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_says_what_the_files_are_and_what_was_recorded(kind):
    assert hashlib.sha256((FOLDER / f"{kind}.safetensors").read_bytes()).hexdigest() == CARD["weights_sha256"][kind]
    assert RECORDED[kind]["parameters"] == CARD["parameters"][kind] and RECORDED[kind]["tokens_seen"] == CARD["data"]["tokens_seen"]
    assert RECORDED[kind]["cache_bytes_per_token"] == CARD["cache_bytes_per_token"][kind]
    losses = RECORDED[kind]["held_out_nats_per_token"]
    assert statistics.mean(losses.values()) == pytest.approx(CARD["held_out_nats_per_token"][kind], abs=5e-4)
    assert all(source in CARD["held_out_nats_per_token"]["explanation"] for source in losses)
    for seed, mean in zip("01", CARD["seeds"][kind]):
        assert statistics.mean(RECORDED[kind]["seeds"][seed].values()) == pytest.approx(mean, abs=6e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_networks_are_those_recorded(kind):
    """Size and cache bytes anew; the loss on a tale such as they were trained on, where an untrained network has 9.7."""
    lm = load_variant(kind)
    assert sum(p.numel() for p in lm.network.parameters()) == RECORDED[kind]["parameters"]
    assert cache_bytes_per_token(lm.network) == RECORDED[kind]["cache_bytes_per_token"]
    ids = lm.tokenizer.encode(STORY)
    assert float(perplexity(lm, ids).nll.mean()) < 0.6
    with pytest.raises(ValueError, match="no kind 'mta'"):
        load_variant("mta")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_off_one_pass(kind):
    """Loss as `perplexity` has it, next token as the plain pass has it, bytes as the tensors have them."""
    lm = load_variant(kind)
    ids = lm.tokenizer.encode("Annas Hund heißt Bello. Am Morgen geht Anna in den Garten. Annas Hund heißt")
    found, cache = read_shared(lm, ids, 3), Cache(lm.config, capacity=len(ids))
    lm.forward(torch.tensor([ids]), cache)
    torch.testing.assert_close(found.nll, perplexity(lm, ids).nll, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.probs, lm.logits(ids)[-1].softmax(-1), atol=1e-5, rtol=1e-4)
    assert found.bytes_held == cache.bytes_held == 4 * len(ids) * found.numbers
    assert (found.n_kv, *found.widths) == {"mha": (6, 32, 32), "gqa": (2, 32, 32), "mqa": (1, 32, 32), "mla": (1, 128, 16)}[kind]
    assert found.weights.shape == (found.n_kv, len(ids)) and abs(found.weights.sum(1) - 1).max() < 1e-5


@pytest.mark.parametrize("n_kv_heads", [6, 3, 2, 1])
def test_pooling_on_the_way_is_pooling_the_weights(mini, n_kv_heads):
    ids = mini.tokenizer.encode(STORY)
    found, few = read_shared(mini, ids, 9, n_kv_heads), replace(mini, network=pool_heads(mini.network, n_kv_heads))
    torch.testing.assert_close(found.nll, perplexity(few, ids).nll, atol=2e-3, rtol=1e-3)
    cache = Cache(few.config, capacity=len(ids))
    few.forward(torch.tensor([ids]), cache)
    assert found.bytes_held == cache.bytes_held and found.n_kv == n_kv_heads
    with pytest.raises(ValueError, match="must divide 6"):
        read_shared(mini, ids, 9, 4)


def test_both_ways_of_the_shipped_latent_network_agree():
    lm = load_variant("mla")
    ids = lm.tokenizer.encode(STORY)
    absorbed, expanded = absorbed_and_expanded(load("mla", FOLDER), ids)
    torch.testing.assert_close(absorbed, expanded, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(absorbed, lm.logits(ids)[-1], atol=1e-4, rtol=1e-4)
    assert not torch.equal(absorbed, expanded)  # they were two computations
