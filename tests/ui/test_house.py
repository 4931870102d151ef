"""The frame and the kit: what holds for every page."""

import gc
import importlib
import re
import shutil
import tomllib

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.charts.theme import INK, PALETTES, ROLES
from core.ui import frame, live, live_slider, step_table, token_strip
from core.ui.controls import clean
from core.ui.texts import Texts, escaped, pick_language
from tests.ui.conftest import ROOT, said

# --- the frame ---


def tracked() -> int:
    """Objects that a full garbage collection looks through."""
    gc.collect()
    return len(gc.get_objects())


def test_garbage_collection_has_little_to_look_through_once_warm(open_page, tmp_path, monkeypatch):
    """Looking through all that torch and Altair made would take longer than an answer."""
    at = open_page("next_token")
    at.run()
    known, left = gc.get_freeze_count(), tracked()
    assert known > 100_000 and left < 0.3 * known

    (tmp_path / "heavy_import").mkdir()
    for i in range(20):
        (tmp_path / "heavy_import" / f"part_{i}.py").write_text("things = [[i] for i in range(5_000)]")
    monkeypatch.syspath_prepend(tmp_path)
    for i in range(20):
        importlib.import_module(f"heavy_import.part_{i}")
    assert tracked() > left + 90_000
    at.run()
    assert tracked() < left + 30_000 and gc.get_freeze_count() > known + 90_000


def test_language_of_the_browser_of_the_link_and_an_unknown_one():
    assert pick_language(None, "de-AT") == ("de", True)
    assert pick_language(None, "fr-FR") == ("en", True)
    assert pick_language("de", "en-US") == ("de", True)
    assert pick_language("xx", "de-DE") == ("en", False)


def test_an_unknown_language_is_said_and_the_page_is_whole(open_page):
    at = open_page("home", lang="fr")
    assert "not available" in said(at) and at.title[0].value == "Glassbox" and not at.exception


def test_the_switch_changes_the_language_and_the_untouched_example(open_page):
    at = open_page("next_token")
    at.segmented_control(key="_language_choice").set_value("de").run()
    assert at.title[0].value == "Nächstes Token"
    assert at.text_area(key="next_token_prompt").value == "Es war einmal ein"
    at.text_area(key="next_token_prompt").set_value("Mein Text").run()
    at.segmented_control(key="_language_choice").set_value("en").run()
    assert at.text_area(key="next_token_prompt").value == "Mein Text"  # what was typed stays


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_broken_weight_file_is_one_sentence_and_no_traceback(open_page, monkeypatch, tmp_path, lang, harm):
    folder = tmp_path / "broken"
    shutil.copytree(ROOT / "assets" / "models" / "mini", folder)
    weights = folder / "model.safetensors"
    weights.chmod(0o644)
    if harm == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:100_000])
    monkeypatch.setenv("GLASSBOX_MODEL", str(folder))
    for name in ("home", "next_token", "beam_search", "attention", "context_window", "kv_cache", "quantization"):
        at = open_page(name, lang=lang)
        assert not at.exception and at.error
        assert "model.safetensors" in said(at) and "git checkout" in said(at) and "Traceback" not in said(at)


def test_an_error_inside_a_page_is_one_sentence_and_the_log_holds_no_text(caplog):
    def script():
        from core.ui.frame import fragment

        @fragment
        def fails():
            raise KeyError(" ".join(["what", "the", "viewer", "typed"]))

        @fragment
        def out_of_range():
            raise ValueError("temperature must be >= 0, got -1")

        fails()
        out_of_range()

    at = AppTest.from_function(script).run()
    assert not at.exception and len(at.error) == 2
    assert "Something went wrong" in at.error[0].value
    assert "temperature must be >= 0, got -1" in said(at)
    assert "KeyError" in caplog.text and "what the viewer typed" not in caplog.text


def contrast(ink: np.ndarray, ground: np.ndarray) -> float:
    """WCAG 2.2's contrast ratio of two sRGB colours, 0 to 1 each."""
    light = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] for c in (ink, ground)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_chosen_buttons_can_be_read_also_under_a_pointer():
    """Streamlit lays the primary colour under the words of a chosen button, at 10 %, under a pointer at 20 %."""
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    rgb = lambda value: np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)]) / 255  # noqa: E731
    inks = re.search(r"data-selected='true'\].*light-dark\((#\w{6}), (#\w{6})\)", frame._STYLE).groups()
    for kind, ink in zip(("light", "dark"), inks):
        primary = rgb(theme[kind]["primaryColor"])
        for ground in (theme[kind]["backgroundColor"], theme[kind]["sidebar"]["backgroundColor"]):
            for tint in (0.1, 0.2):
                assert contrast(rgb(ink), tint * primary + (1 - tint) * rgb(ground)) >= 4.5


# --- words ---


def test_numbers_are_written_as_the_language_does():
    english, german = Texts("common", "en"), Texts("common", "de")
    assert english.number(1234.5, ",.1f") == "1,234.5" and german.number(1234.5, ",.1f") == "1.234,5"
    assert english.number(0.625, ".1%") == "62.5%" and german.number(0.625, ".1%") == "62,5\u202f%"


@pytest.mark.parametrize("text", ["**bold** [a](b)", "<script>alert(1)</script>", "{share} {0.__class__}", "$x$ :red[y] `z`", "a_b~c"])
def test_a_viewers_text_is_never_markdown_nor_a_template(text):
    t = Texts("common", "en")
    shown = t("notes.empty", text=text)
    assert escaped(text) in shown
    assert "<script>" not in shown and "**bold**" not in shown
    assert text in t.plain("notes.empty", text=text)


# --- colours ---


def test_the_theme_and_the_charts_hold_the_same_colours():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    for mode, palettes in PALETTES.items():
        for kind, colors in palettes.items():
            assert theme[mode][f"chart{kind.capitalize()}Colors"] == colors
        assert theme[mode]["textColor"] == INK[mode]


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}


def lab(color: str, deficiency: str) -> np.ndarray:
    """CIELAB of a hex colour as it is seen with a colour vision deficiency."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(DEFICIENCIES[deficiency] @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ linear / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("mode", PALETTES)
def test_the_four_roles_are_told_apart_by_every_eye(mode, deficiency):
    colors = [lab(color, deficiency) for color in PALETTES[mode]["categorical"][: len(ROLES)]]
    for i, one in enumerate(colors):
        for other in colors[:i]:
            assert np.linalg.norm(one - other) > 18  # about ten times a just noticeable difference


@pytest.mark.parametrize("mode", PALETTES)
def test_the_sequential_palette_rises_evenly_in_lightness(mode):
    lightness = [lab(color, "none")[0] for color in PALETTES[mode]["sequential"]]
    steps = np.diff(lightness) * (-1 if mode == "light" else 1)
    assert len(lightness) == 10 and (steps > 2).all()


# --- the kit ---


def test_control_characters_go_and_are_counted():
    assert clean("a\x00b\x07c\r\nd\te") == ("abc\nd\te", 2)
    assert clean("😀 مرحبا") == ("😀 مرحبا", 0)
    assert clean("a\ud800b") == ("ab", 1)


def test_components_write_text_never_html():
    for module in (token_strip, live_slider, step_table):
        assert "innerHTML" not in module._JS and "insertAdjacentHTML" not in module._JS and "textContent" in module._JS


def test_reading_on_equals_reading_anew(tiny):
    """A text that shares its beginning with another is read from there, with the same result."""
    rng = np.random.default_rng(0)
    text = rng.integers(0, 256, 100).tolist()
    for ids in (text, text + [5], text + [5, 6], text[:40] + [1, 2, 3], text[:1], text[:60]):
        reading = live.read(tiny, ids)
        logits = tiny.logits(ids)
        assert reading.ids == tuple(ids)
        torch.testing.assert_close(reading.logits, logits[-1], rtol=1e-4, atol=1e-4)
        expected = logits.log_softmax(-1)[:-1].gather(-1, torch.tensor(ids[1:], dtype=torch.long)[:, None])[:, 0]
        torch.testing.assert_close(reading.logprobs[1:], expected, rtol=1e-4, atol=1e-4)
        assert reading.logprobs[0] == 0


def test_what_readings_keep_is_bounded(tiny, monkeypatch):
    monkeypatch.setattr(live._readings, "most", 500_000)
    read = [live.read(tiny, [start, *range(100)]) for start in range(60)]
    assert sum(reading.bytes for reading in read) > 2 * 500_000 and ("tiny", read[-1].ids) in live._readings
    assert sum(reading.bytes for _, reading in live._readings.items()) <= 500_000


def test_drawing_repeats_with_the_seed_and_leaves_the_reading_alone(tiny):
    reading = live.read(tiny, range(20))
    held = reading.cache.bytes_held
    drawn = [live.draw(tiny, reading, seed, temperature=1.5) for seed in range(8)]
    assert drawn == [live.draw(tiny, reading, seed, temperature=1.5) for seed in range(8)] and len(set(drawn)) > 1
    assert reading.cache.bytes_held == held and reading.cache.seen[0] == 20
    assert live.draw(tiny, reading, 0, temperature=0) == int(reading.logits.argmax())


def test_the_page_guide_is_a_page_that_compiles():
    """The example that page authors copy is real code."""
    import core.ui

    lines = core.ui.__doc__.split("For example:\n", 1)[1].split("\nRules that")[0].splitlines()
    compile("\n".join(line[4:] for line in lines), "guide", "exec")
