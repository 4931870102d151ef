"""The attention lab inside its frame: one head, all heads, the steps, heads switched off."""

import pytest

from tests.ui.conftest import charts, said, told

LONG = "Mary has a cat, and the cat is called Milo. She lives near the river and reads a book every evening. " * 14


def button(at, key):
    return next(b for b in at.button if b.key == f"attention_{key}")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_opens_with_an_induction_head(open_page, lang):
    at = open_page("attention", lang)
    assert not at.exception and not at.error and not at.warning
    assert len(charts(at)) == 4 and all(chart.alt for chart in charts(at)) and all(told(at)) and len(told(at)) == 4
    head = next(box for box in at.selectbox if box.key == "attention_list")
    assert head.format_func(head.value).endswith({"en": "induction", "de": "Induktion"}[lang])


def test_the_link_carries_head_token_step_and_heads_off(open_page):
    at = open_page("attention", head="7.1", token="5", stage="weights", off="8.6-10.2", hide_first="true")
    assert not at.error and not at.warning
    assert next(box for box in at.selectbox if box.key == "attention_list").value == (6, 0)
    assert next(box for box in at.multiselect if box.key == "attention_off_list").value == [(7, 5), (9, 1)]
    assert at.session_state["attention_token"] == 4 and at.session_state["attention_stage"] == "weights"


@pytest.mark.parametrize("name, value", [
    ("head", "99.1"), ("head", "x"), ("token", "0"), ("token", "500"), ("off", "1.1-a"), ("stage", "dance"), ("hide_first", "maybe"),
])  # fmt: skip
def test_impossible_settings_are_reset_with_a_sentence(open_page, name, value):
    at = open_page("attention", **{name: value})
    assert not at.exception and not at.error and f"attention_{name}" in said(at)


def test_steps_go_on_and_back_with_real_numbers(open_page):
    at = open_page("attention", token="10")
    assert button(at, "back").disabled
    for stage in ("products", "scaled", "masked", "weights", "result"):
        button(at, "next").click().run()
        assert not at.error and at.session_state["attention_stage"] == stage
    assert button(at, "next").disabled
    button(at, "back").click().run()
    assert at.session_state["attention_stage"] == "weights"


@pytest.mark.parametrize("stage", ["vectors", "products", "scaled", "masked", "weights", "result"])
def test_every_step_from_the_link(open_page, stage):
    at = open_page("attention", "de", stage=stage, token="1")
    assert not at.error and len(charts(at)) == 4


def test_switching_heads_off_changes_the_prediction(open_page):
    at = open_page("attention", "de")
    none = open_page("attention", "de", off="none")
    strong = open_page("attention", "de", off="8.4-8.6-9.6-10.2-10.5", chance="true")
    kl = lambda page: float(next(m.value for m in page.metric if m.label.startswith("KL-D")).replace(",", "."))  # noqa: E731
    assert kl(none) == 0 and kl(at) < kl(strong)
    assert len(strong.metric) == 3  # and random heads beside them


def test_all_heads_of_a_kind_at_once(open_page):
    at = open_page("attention")
    next(p for p in at.get("button_group") if p.key == "attention_off_kind").set_value("previous").run()
    assert not at.error
    box = next(box for box in at.multiselect if box.key == "attention_off_list")
    assert len(box.value) > 1 and all(box.format_func(head).endswith("previous token") for head in box.value)


def test_another_text_starts_at_its_last_token(open_page):
    at = open_page("attention", token="5")
    at.text_area[0].set_value("A quite different text.").run()
    assert not at.error and at.session_state["attention_token"] is None


def test_every_preset_opens(open_page):
    at = open_page("attention")
    presets = next(p for p in at.get("button_group") if p.key == "attention_preset")
    assert len(presets.options) >= 3
    for name in ("induction", "name", "previous", "list", "sink", "story"):
        presets = next(p for p in at.get("button_group") if p.key == "attention_preset")
        presets.set_value(name).run()
        assert not at.exception and not at.error and not at.warning
        box = next(box for box in at.selectbox if box.key == "attention_list")
        wanted = {"induction": "induction", "name": "induction", "previous": "previous token", "list": "same word", "sink": "(sink)"}
        assert box.format_func(box.value).endswith(wanted.get(name, "")), name


def test_300_tokens_get_a_map_that_zooms(open_page):
    at = open_page("attention")
    at.text_area[0].set_value(LONG).run()
    assert not at.exception and not at.error
    plotly = at.get("plotly_chart")
    assert len(plotly) == 1 and len(charts(at)) == 3


def test_hiding_the_sink_is_said(open_page):
    at = open_page("attention", head="first")
    assert not any(c.value.startswith("Hidden") for c in at.caption)
    next(s for s in at.toggle if s.key == "attention_hide_first").set_value(True).run()
    assert not at.error and any(c.value.startswith("Hidden") for c in at.caption)


@pytest.mark.parametrize("text", ["a", "😀", "<script>alert(1)</script> **x** $y$", "<|endoftext|>", "مرحبا بالعالم", "\n\n\n"])
def test_any_text(open_page, text):
    at = open_page("attention")
    at.text_area[0].set_value(text).run()
    assert not at.exception and not at.error


@pytest.mark.parametrize("choice", ["hardly", "shifts", "other", "skip"])
def test_the_prediction_is_answered_by_the_model(open_page, choice):
    at = open_page("attention", "de")
    next(p for p in at.get("button_group") if p.key == "attention_predict").set_value(choice).run()
    assert not at.error and any("Ohne Kopf 10\\.2" in m.value for m in at.markdown)
