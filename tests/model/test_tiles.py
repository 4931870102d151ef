"""A real head in tiles: its vectors are those of the trace, its result that of the model, and what the presets promise."""

import importlib

import pytest
import torch

from core.models import trace
from core.ui.texts import Texts
from core.ui.tiles import tiled, vectors


@pytest.mark.parametrize("layer, head", [(0, 0), (1, 3)])
def test_it_is_what_the_model_computes(tiny, mini, layer, head):
    from core.models.tiled_attention import tiled_attention

    for lm in (tiny, mini):
        ids = [5, 80, 200, 17, 3, 99, 5, 80, 200, 1]
        q, k, v = vectors(lm, ids, layer, head)
        expected = trace(lm, ids)[f"blocks.{layer}.attn.hook_z"][:, head]
        torch.testing.assert_close(tiled_attention(q, k, v, 4, 3), expected, atol=1e-5, rtol=1e-4)
        assert tiled(lm, ids, layer, head, 4, 3).difference < 1e-5


PRESETS = {"copies": (7, 5, 8, 8), "late": (6, 5, 8, 8), "early": (1, 2, 8, 8), "long": (7, 5, 64, 32), "tiny": (7, 5, 8, 8)}


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_presets_promise(mini, language):
    t = Texts("flash_attention", language)
    found = {name: tiled(mini, mini.tokenizer.encode(t.plain(f"presets.{name}.prompt")), *chosen) for name, chosen in PRESETS.items()}
    for name, one in found.items():
        assert one.difference < 1e-5, name
        assert one.steps[-1]["error"] < 1e-5
    copies, late, early = (found[name].steps for name in ("copies", "late", "early"))
    assert copies[7]["change"] == "larger" and copies[7]["shrink"] < 0.5
    assert late[14]["change"] == "larger" and late[14]["shrink"] < 0.1 and late[13]["error"] > 0.5
    later = [step for step in late if step["change"] != "first"]
    assert sum(step["change"] == "larger" for step in later) > 0.8 * len(later)
    later = [step for step in early if step["change"] != "first"]
    assert sum(step["change"] == "kept" for step in later) >= 0.8 * len(later)
    share = {name: one.tiled.moved / one.standard.moved for name, one in found.items()}
    assert share["long"] < 0.5 and share["tiny"] > 1


def test_a_measurement_goes_on_size_by_size(monkeypatch):
    module = importlib.import_module("core.ui.tiles")
    monkeypatch.setattr(module, "SIZES", (8, 16))
    measured = {}
    assert module.measure_next(measured, 8) and list(measured) == [8]
    assert not module.measure_next(measured, 8) and list(measured) == [8, 16]
    assert not module.measure_next(measured, 8)
