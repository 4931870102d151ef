"""Lessons, lecture mode and what one takes along: every step can be walked, by keys and by link."""

import re
import tomllib

import pytest
from streamlit.testing.v1 import AppTest

from core.ui import frame, lessons, share
from core.ui.texts import TEXTS, Texts, load
from tests.ui.conftest import ROOT, said

STEPS = [(name, n, step) for name, lesson in lessons.lessons().items() for n, step in enumerate(lesson["steps"], 1)]
STEMS = [stem for entries in frame.sections().values() for stem, _ in entries]


def followed(**link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key, value in {"lang": "en", **link}.items():
        at.query_params[key] = value
    return at.run()


def test_at_least_three_lessons_are_shipped():
    assert sorted(lesson["minutes"] for lesson in lessons.lessons().values()) == [45, 60, 90, 90]


@pytest.mark.parametrize("name, n, step", STEPS, ids=[f"{name}-{n}" for name, n, _ in STEPS])
def test_every_step_names_a_page_a_preset_and_a_control_that_are_there(name, n, step):
    assert step["page"] in STEMS and step["en"] and step["de"]
    for language in ("en", "de"):
        words = load(language, step["page"])
        assert "preset" not in step or f"presets.{step['preset']}.look" in words
        assert f"{step['control']}.{'question' if step['control'] == 'predict' else 'label'}" in words


@pytest.mark.parametrize("name, n, step", STEPS, ids=[f"{name}-{n}" for name, n, _ in STEPS])
def test_every_step_opens_with_its_preset_and_its_control(name, n, step):
    at = followed(lesson=name, step=str(n))
    assert not at.exception and not at.error
    page = step["page"]
    assert at.title[0].value == load("en", "common")[f"pages.{page}.title"]
    assert step["en"] in " ".join(box.value for box in at.markdown)
    assert f"{page}_{step['control']}" in at.session_state
    if "preset" in step:
        assert at.session_state[f"{page}_preset"] == step["preset"]


def test_a_step_is_ticked_off_once_its_control_was_used():
    at = followed(lesson="newcomers", step="7")
    undone = [box.value for box in at.markdown if "radio_button_unchecked" in box.value]
    assert undone and not any("check_circle" in box.value for box in at.markdown)
    at.session_state["context_window_window"] = 7.0
    at.run()
    assert any("check_circle" in box.value for box in at.markdown)


def test_next_and_back_walk_the_lesson_and_nonsense_in_the_link_is_ignored():
    at = followed(lesson="efficiency", step="9999999999")
    at = followed(lesson="newcomers", step="-3")
    assert at.title[0].value == "Tokens"
    at.button(key="_lesson_next").click().run()
    at.button(key="_lesson_next").click().run()
    assert at.title[0].value == "Embeddings"
    at.button(key="_lesson_back").click().run()
    assert at.title[0].value == "Tokens"
    at.button(key="_lesson_stop").click().run()
    assert not any(button.key == "_lesson_next" for button in at.button)
    assert followed(lesson="<b>").title[0].value == "Glassbox"


def test_a_press_that_the_browser_sends_twice_goes_one_step(monkeypatch):
    at, once = followed(lesson="newcomers", step="4"), lessons._go
    monkeypatch.setattr(lessons, "_go", lambda to: (once(to), once(to)))
    at.run()  # the button has the doubled callback now
    at.button(key="_lesson_next").click().run()
    assert "step 5 of 8" in " ".join(box.value for box in at.caption)


# --- lecture mode ---


def test_the_next_key_goes_through_the_presets_and_then_to_the_next_page(open_page):
    at = open_page("next_token")
    at.button(key="_lecture_start").click().run()
    for preset in load("en", "next_token"):
        if re.fullmatch(r"presets\.(\w+)\.look", preset) and at.session_state["next_token_preset"] != preset.split(".")[1]:
            at.button(key="_lecture_next").click().run()
            assert at.session_state["next_token_preset"] == preset.split(".")[1]
    at.button(key="_lecture_next").click().run()
    assert not at.exception and at.title[0].value == "Beam search"
    at.button(key="_lecture_back").click().run()
    assert at.title[0].value == "Next token"
    at.button(key="_lecture_end").click().run()
    assert not any(button.key == "_lecture_next" for button in at.button)


def hidden(at) -> set[str]:
    """Keys of the experiments that lecture mode hides."""
    rules = " ".join(box.body for box in at.get("html") if "display: none }" in box.body and "st-key" in box.body)
    return set(re.findall(r"st-key-(next_token_panel_\w+)", rules))


def test_one_experiment_at_a_time(open_page):
    at = open_page("next_token")
    assert not hidden(at)
    at.button(key="_lecture_start").click().run()
    panels = list(at.session_state["_walk"]["panels"])
    assert len(panels) > 2 and hidden(at) == set(panels[1:])
    at.button(key="_lecture_down").click().run()
    assert hidden(at) == {*panels} - {panels[1]}
    for _ in panels:
        at.button(key="_lecture_down").click().run()
    assert hidden(at) == set(panels[:-1])
    at.button(key="_lecture_up").click().run()
    assert hidden(at) == {*panels} - {panels[-2]}
    at.button(key="_lecture_all").click().run()
    assert not hidden(at)
    at.button(key="_lecture_all").click().run()
    assert hidden(at) == set(panels[1:])


def test_reveal_answers_the_prediction_and_reset_takes_it_back(open_page):
    at = open_page("next_token")
    at.button(key="_lecture_start").click().run()
    at.button(key="_lecture_reveal").click().run()
    assert at.session_state["next_token_predict"] == "skip" and not at.exception
    at.button(key="_lecture_reset").click().run()
    assert at.session_state["next_token_predict"] is None
    assert at.text_area(key="next_token_prompt").value == load("en", "next_token")["prompt.default"]


@pytest.mark.parametrize("file", sorted(TEXTS.glob("??/*.toml")), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_preset_has_a_note_for_its_speaker_that_is_not_what_the_hall_reads(file):
    presets = {name: each for name, each in tomllib.loads(file.read_text("utf-8")).get("presets", {}).items() if "look" in each}
    for name, each in presets.items():
        assert 40 <= len(each.get("note", "")) <= 420 and each["note"] != each["look"], name
    assert len({each["note"] for each in presets.values()}) == len(presets)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", ["home", *STEMS])
def test_the_notes_of_every_page_say_what_each_preset_shows(name, language):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    if name != "home":
        at.switch_page(f"pages/{name}.py")
    at.query_params["lang"], at.query_params["lecture"] = language, "notes"
    at.run()
    assert not at.exception and not said(at)
    t = Texts(name, language)
    hall, speaker = [box.value for box in at.caption], [box.value for box in at.markdown]
    for preset in t.group("presets"):
        assert f":material/visibility: {t(f'presets.{preset}.look')}" in hall and t(f"presets.{preset}.note") in speaker


# --- share and keep ---


def test_a_qr_code_is_read_back_by_another_program():
    cv2 = pytest.importorskip("cv2")
    import numpy as np
    import segno

    link = "https://example.org/next_token?lang=de&next_token_prompt=Der+Himmel"
    picture = np.array([[0 if dark else 255 for dark in row] for row in segno.make(link, error="m").matrix_iter(scale=6, border=4)], np.uint8)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == link


def test_a_link_too_long_for_a_code_has_none():
    assert share.qr_code("x" * 3000) is None and share.qr_code("https://example.org").startswith("<svg")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", [stem for stem in STEMS if stem != "classroom"])
def test_a_work_sheet_asks_the_pages_questions(name, language):
    html = share.work_sheet(name, language, "https://example.org/?a=<script>")
    assert "<script>" not in html and "size: A4" in html and html.count("<section>") >= 3
    assert (TEXTS / language / f"{name}.toml").exists() and html.count('class="line"') >= 8 and share.has_sheet(name)


def test_a_room_for_a_class_has_no_work_sheet():
    assert not share.has_sheet("classroom")
