"""The FlashAttention page inside its frame, driven by the shipped model."""

import pytest

from core.ui.texts import Texts
from core.ui.tiles import tiled
from tests.ui.conftest import charts, check_whole, said, text


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(open_page, language):
    check_whole(open_page("flash_attention", lang=language), 7)


def test_numbers_are_those_that_were_counted(open_page, mini):
    ids = mini.tokenizer.encode(Texts("flash_attention", "en").plain("prompt.default"))
    found = tiled(mini, ids, 7, 5, 16, 8)
    at = open_page("flash_attention", rows=16, step=3)
    assert f"{found.tiled.moved:,}" in text(at) and f"{found.standard.moved:,}" in text(at)
    assert f"**{found.steps[2]['m']:.2f}**" in text(at)
    assert f"Tile 3 of {len(found.bounds)}" in text(at)


def test_presets_and_impossible_settings(open_page):
    at = open_page("flash_attention")
    at.pills(key="flash_attention_preset").set_value("late").run()
    assert at.selectbox(key="flash_attention_head").value == "7.6" and "Tile 15 of" in text(at) and "larger score" in text(at)
    for setting, value in {"head": "99.1", "rows": "7", "step": "-3"}.items():
        assert f"flash_attention_{setting}" in said(open_page("flash_attention", **{setting: value}))


def test_one_tile_and_a_step_beyond_the_last(open_page):
    at = open_page("flash_attention", rows=128, cols=128)
    assert not at.exception and not at.error and "Tile 1 of 1 is the first" in text(at)
    at = open_page("flash_attention")
    at.text_area(key="flash_attention_prompt").set_value("One two").run()
    assert not at.exception and not at.error and len(charts(at)) == 7


def test_predict(open_page):
    at = open_page("flash_attention")
    at.pills(key="flash_attention_predict").set_value("same").run()
    assert "**Right.**" in text(at)
    at.pills(key="flash_attention_predict").set_value("roughly").run()
    assert "**Not quite.**" in text(at)


def test_measuring_starts_goes_on_and_stops(open_page, monkeypatch):
    from core.ui import tiles

    monkeypatch.setattr(tiles, "SIZES", (16, 24, 32))
    at = open_page("flash_attention")
    at.button(key="flash_attention_measure").click().run()
    assert not at.exception and not at.error
    assert len(charts(at)) == 8 and list(at.session_state["flash_attention_measured"]) == [16, 24, 32]
    assert not at.session_state["flash_attention_running"]
    monkeypatch.setattr(tiles, "measure_next", lambda measured, head_dim: True)
    at.session_state["flash_attention_running"] = False
    at.run()
    assert len(charts(at)) == 8  # what was measured stays
