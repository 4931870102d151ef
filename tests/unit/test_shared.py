"""What can be loaded again shares one memory, which holds."""

import random

import pytest
import torch
from torch import nn

from core.checkpoints import shared
from core.checkpoints.encodings import PUBLIC, MissingEncoding, load_encoding
from core.checkpoints.variants import KINDS, load_variant
from core.kept import Kept
from core.models.language_model import LanguageModel


def test_many_networks_stay_within_the_bytes(monkeypatch):
    most, loads, rng = 1_000_000, [], random.Random(0)
    monkeypatch.setattr(shared, "loaded", Kept(most, weigh=shared.weight))

    @shared.shared
    def load(rows: int):
        loads.append(rows)
        return {"network": nn.Linear(100, rows, bias=False), "words": ("a", "b")}

    for _ in range(300):
        rows = rng.randrange(1, 900)  # 400 bytes each
        assert load(rows)["network"].weight.shape == (rows, 100) and shared.loaded.weight <= most
    held = shared.loaded.items()
    assert sum(400 * key[1] for key, _ in held) == shared.loaded.weight > most / 2 and len(held) < len(loads)
    (_, last), n = held[-1][0], len(loads)
    load(last)
    assert len(loads) == n  # the newest is still there
    load.cache_clear()
    assert shared.loaded.weight == 0


def test_what_is_too_large_alone_is_kept_until_another_comes(monkeypatch):
    kept = Kept(100, weigh=len)
    kept.get("a", lambda: "x" * 500)
    assert "a" in kept and kept.weight == 500
    kept.get("b", lambda: "x" * 10)
    assert "a" not in kept and kept.weight == 10


def test_weights_are_those_of_the_tensors():
    tied = nn.ModuleList([nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)])
    tied[1].weight = tied[0].weight
    assert shared.weight(tied) == 50 * 8 * 4
    for kind in KINDS[:2]:
        lm = load_variant(kind)
        assert isinstance(lm, LanguageModel)
        assert shared.weight(lm) == sum(p.nbytes for p in {p.data_ptr(): p for p in lm.network.parameters()}.values()) > 15e6
    assert shared.loaded.weight <= shared.MOST_BYTES
    assert shared.weight(torch.zeros(3)) == 0 and shared.weight(None) == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_an_encoding_weighs_by_its_tokens(name):
    try:
        tokenizer = load_encoding(name)
    except MissingEncoding:
        pytest.skip("its ranks are not here")
    assert shared.weight(tokenizer) == shared.TOKEN * tokenizer.n_vocab
