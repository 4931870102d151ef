"""The context window lab inside its frame, driven by the shipped model."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.costs.attention_pairs import pairs
from core.measure.context import next_probs_by_window
from core.ui.texts import Texts
from tests.ui.conftest import told

ROOT = Path(__file__).resolve().parents[2]


def open_page(language: str = "en", **link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.switch_page("pages/context_window.py")
    at.query_params["lang"] = language
    for name, value in link.items():
        at.query_params[f"context_window_{name}"] = value
    return run(at)


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception and not at.error, [e.value for e in at.error]
    return at


def charts(at: AppTest) -> list:
    return [element.proto for element in at.get("vega_lite_chart")]


def text(at: AppTest) -> str:
    return " ".join(m.value for m in at.markdown).replace("\\", "")


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(language):
    at = open_page(language)
    assert len(charts(at)) == 4 and all(chart.alt for chart in charts(at)) and all(told(at)) and len(told(at)) == 4
    assert len(at.success) == 1 and "{" not in at.success[0].value


def test_numbers_are_those_of_the_core(mini):
    ids = mini.tokenizer.encode(Texts("context_window", "en").plain("prompt.default"))
    now, full = next_probs_by_window(mini, ids, [20, len(ids)])
    at = open_page(window="20")
    assert mini.tokenizer.label(now.argmax()) in text(at)
    assert f"{float(full.max()):.1%}" in text(at)
    assert f"{pairs(len(ids), 20):,}" in text(at) and f"{pairs(len(ids)):,}" in text(at)


def test_another_answer_is_looked_for(mini):
    ids = mini.tokenizer.encode(Texts("context_window", "en").plain("prompt.default"))
    at = open_page(answer="3")
    assert mini.tokenizer.label(ids[2]) in told(at)[0]
    at = open_page(answer="9999")
    assert len(at.warning) == 1
    at.text_area[0].set_value("A text that has nothing to do with the one before, and is long enough.")
    run(at)
    assert at.session_state["context_window_answer"] is None


def test_a_window_over_the_whole_text():
    at = open_page(window="85")
    assert Texts("context_window", "en")("loss.none") in [m.value for m in at.markdown]


@pytest.mark.parametrize("value", ["0", "100000", "wide", "-3"])
def test_a_window_out_of_range_is_reset_with_a_sentence(value):
    at = open_page(window=value)
    assert len(at.warning) == 1 and value in at.warning[0].value.replace("\\", "")
    assert at.session_state["context_window_window"] == 48


def test_a_shorter_text_than_the_window():
    at = open_page()
    at.text_area[0].set_value("One two three four five six seven eight nine ten eleven.")
    run(at)
    assert len(charts(at)) == 4


def test_predict():
    at = open_page()
    at.pills(key="context_window_predict").set_value("falls")
    run(at)
    assert "**Right.**" in text(at)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_answer_falls_out_with_its_fact(mini, language):
    ids = mini.tokenizer.encode(Texts("context_window", language).plain("presets.name.prompt"))
    cut, full = next_probs_by_window(mini, ids, [len(ids) // 2, len(ids)])
    answer = int(full.argmax())
    assert "Bello".startswith(mini.tokenizer.decode([answer]).strip())
    assert float(full[answer]) > 0.9 and float(cut[answer]) < 0.05 and int(cut.argmax()) != answer


@pytest.mark.parametrize("language", ["en", "de"])
def test_with_one_fact_gone_the_other_name_is_taken(mini, language):
    """The second name is still in view, so the model gives it."""
    t = Texts("context_window", language)
    ids = mini.tokenizer.encode(t.plain("presets.story.prompt"))
    cut, full = next_probs_by_window(mini, ids, [59, len(ids)])
    assert mini.tokenizer.decode([int(full.argmax())]).strip()[0] == "M"
    assert mini.tokenizer.decode([int(cut.argmax())]).strip() in {"en": ("Th", "Thunder"), "de": ("Donner",)}[language]


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_weights_know_is_not_forgotten(mini, language):
    ids = mini.tokenizer.encode(Texts("context_window", language).plain("presets.known.prompt"))
    cut, full = next_probs_by_window(mini, ids, [12, len(ids)])
    assert int(cut.argmax()) == int(full.argmax()) and float(cut.max()) > 0.6
