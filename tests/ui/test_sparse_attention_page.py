"""The sparse attention page inside its frame, driven by the shipped model."""

import pytest

from core.costs.attention_pairs import block_pairs, pairs
from core.ui.sparse import indexes, slopes, sparse
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, check_whole, said, text


@pytest.fixture(autouse=True)
def few_widths(monkeypatch):
    """The sweep is tested once; elsewhere it reads a few times only."""
    monkeypatch.setattr("core.ui.sparse.WIDTHS", (8,))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(open_page, language):
    check_whole(open_page("sparse_attention", lang=language), 6)


def test_the_picture_the_pairs_and_the_loss_are_those_of_the_mask(open_page, mini):
    ids = mini.tokenizer.encode(Texts("sparse_attention", "en").plain("prompt.default"))
    at = open_page("sparse_attention", pattern="block", width=24)
    data = chart_data(at)
    seen = data[data["kind"] == "seen"]
    assert int((seen["k1"] - seen["k0"]).sum()) == block_pairs(len(ids), 24)
    assert f"**{block_pairs(len(ids), 24):,}** of {pairs(len(ids)):,} pairs" in text(at)
    numbers = sparse(mini, ids, "block", 24).drift.numbers
    assert f"Loss **{numbers['loss']:.2f}** instead of {numbers['full_loss']:.2f}" in text(at)


def test_the_name_is_lost_in_a_window_and_found_by_an_index(mini):
    """What the first preset says, in both languages."""
    for language in ("en", "de"):
        ids = mini.tokenizer.encode(Texts("sparse_attention", language).plain("presets.needle.prompt"))
        assert all(sparse(mini, ids, "window", width).drift.numbers["share"] < 0.05 for width in (16, 32))
        found = sparse(mini, ids, "top_k", 12, "trained")
        assert found.drift.numbers["share"] > 0.9 and found.drift.numbers["full_share"] > 0.9
        chosen = [ids[i] for i in found.mask(8)[-1].nonzero()[0]]  # layer 9
        assert mini.tokenizer.encode(" Bello")[0] in chosen


def test_only_the_bundled_model_has_a_trained_index(mini, tiny):
    assert indexes(mini)[0] == "trained" and "trained" not in indexes(tiny)


def test_the_other_presets_show_what_they_say(mini):
    for language in ("en", "de"):
        words = Texts("sparse_attention", language)

        def numbers(preset, pattern, width):
            ids = mini.tokenizer.encode(words.plain(f"presets.{preset}.prompt"))
            return sparse(mini, ids, pattern, width).drift.numbers

        assert numbers("window", "window", 32)["share"] < 0.1 < 0.8 < numbers("window", "window", 64)["share"]
        assert numbers("list", "window", 15)["loss"] > 4 > 1.5 > numbers("list", "window", 25)["loss"]
        assert numbers("block", "block", 16)["loss"] > numbers("block", "window", 16)["loss"] + 0.5
        assert numbers("holes", "dilated", 16)["share"] < 0.1 < 0.8 < numbers("holes", "window", 16)["share"]


def test_index_and_layer_belong_to_top_k(open_page):
    at = open_page("sparse_attention")
    assert "sparse_attention_layer" not in [slider.key for slider in at.slider]
    at = open_page("sparse_attention", pattern="top_k", index="heads", layer=3)
    assert "layer 3" in text(at) and "**128** multiplications" in text(at)
    assert "15 texts" not in text(at) and "15 texts" in text(open_page("sparse_attention", pattern="top_k"))
    data = chart_data(at)
    counts = data[data["kind"] == "row"]["count"].tolist()
    assert counts == [min(i, 16) for i in range(1, len(counts) + 1)]


def test_presets_predictions_and_impossible_settings(open_page):
    at = open_page("sparse_attention")
    at.pills(key="sparse_attention_preset").set_value("holes").run()
    assert at.segmented_control(key="sparse_attention_pattern").value == "dilated" and "**Holes:**" in text(at)
    at.pills(key="sparse_attention_predict").set_value("skip").run()
    assert "chosen by the index" in text(at)
    for setting, value in {"pattern": "ring", "width": "0", "k": "7", "measure": "luck"}.items():
        assert f"sparse_attention_{setting}" in said(open_page("sparse_attention", **{setting: value}))


def test_the_sweep_moves_and_is_kept(open_page, mini, monkeypatch):
    from core.ui.sparse import SWEPT, sweep

    heard = []
    ids = mini.tokenizer.encode("The sun is shining, and the sun is warm, and the wind is cold.")
    found = sweep(mini, ids, heard.append)
    assert heard == sorted(heard) and len(heard) == len(SWEPT) and list(found["full"]) == [len(ids)]
    assert found["window"][8] == pytest.approx(sparse(mini, ids, "window", 8).drift.numbers, abs=1e-4)
    sweep(mini, ids, heard.append)
    assert len(heard) == len(SWEPT)
    assert slopes({"square": {10: 1.0, 100: 100.0}})["square"] == pytest.approx(2)
    at = open_page("sparse_attention", measure="share")
    shares = chart_data(at, 2)
    assert shares["value"].between(0, 1).all() and shares["series"].nunique() == len(SWEPT)


def test_looking_at_everything_saves_nothing_and_says_no_width(open_page):
    at = open_page("sparse_attention", pattern="full", width=16)
    takeaway = at.success[0].value
    assert "16" not in takeaway and "instead of" not in takeaway
