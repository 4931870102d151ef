"""The recipe of the four networks: equal size, cache bytes as the tensors held, what is saved is what is loaded, and it goes on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.kv_cache import Cache
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
    with pytest.raises(FileNotFoundError):
        load("mha", tmp_path)
