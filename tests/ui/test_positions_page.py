"""The positions lab inside its frame, driven by the shipped model."""

import json

import pytest
import torch

from core.measure.heads import read_heads
from core.measure.positions import order_effect, shuffled_words
from core.measure.recorded import RUNS
from core.models.repositioned import without_positions
from core.ui import positions as kept
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, said, told

HANDS, DISTANCE, ORDER, NEXT, LONG, SCHEME = range(6)


def text(at) -> str:
    return " ".join(m.value for m in at.markdown).replace("\\", "")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_panel_in_both_languages(open_page, lang):
    at = open_page("positions", lang)
    assert not at.exception and not at.error and len(at.get("vega_lite_chart")) == 6 and all(told(at))
    assert len(at.success) == 1 and "{" not in at.success[0].value


def test_the_score_on_the_page_is_the_models_own(open_page, mini):
    """The curve at the text's own distance is the score that attention computed there."""
    at = open_page("positions", head="6.5")
    ids = mini.tokenizer.encode(Texts("positions", "en").plain("prompt.default"))
    pattern_scores = read_heads(mini, ids).activations
    q, k = (pattern_scores[f"blocks.5.attn.hook_rot_{name}"][:, 4] for name in "qk")
    scores = q[-1] @ k.T / 8
    curve = chart_data(at, DISTANCE)
    seen = int(scores.argmax())
    assert float(curve["score"][len(ids) - 1 - seen]) == pytest.approx(float(scores[seen]), abs=2e-3)
    assert f"{curve['score'].max():.2f}" in text(at)


def test_moving_both_words_changes_hands_not_score(open_page):
    at = open_page("positions", shift="0", gap="7")
    before = chart_data(at, HANDS), chart_data(at, DISTANCE)
    at = open_page("positions", shift="913", gap="7")
    after = chart_data(at, HANDS), chart_data(at, DISTANCE)
    assert set(before[0]["shift"]) == {0} and set(after[0]["shift"]) == {913}
    assert before[1]["score"].tolist() == after[1]["score"].tolist()


def test_what_is_left_of_order_is_what_the_core_measures(open_page, mini):
    at = open_page("positions", seed="3")
    ids = mini.tokenizer.encode(Texts("positions", "en").plain("prompt.default"))
    order = shuffled_words([mini.tokenizer.decode([i]) for i in ids], 3)
    data = chart_data(at, ORDER)
    mask = data[data["role"] == "reused"]["effect"].tolist()
    assert mask == pytest.approx(order_effect(without_positions(mini), ids, [ids[i] for i in order]).tolist(), abs=1e-5)
    assert mask[0] < 1e-5 < mask[1] and data[data["role"] == "dropped"]["effect"].max() < 1e-5


def test_predict(open_page):
    at = open_page("positions")
    at.pills(key="positions_predict").set_value("mask").run()
    assert "**Right.**" in text(at) and not at.error


def test_counting_loses_its_place(open_page, mini):
    """What the preset says: with rotation the next number, without it another."""
    at = open_page("positions")
    at.pills(key="positions_preset").set_value("counting").run()
    assert at.session_state["positions_rotation"] == "off"
    ids = mini.tokenizer.encode(Texts("positions", "en").plain("presets.counting.prompt"))
    on, off = (mini.tokenizer.decode([int(model.logits(ids)[-1].argmax())]).strip() for model in (mini, without_positions(mini)))
    assert on == "nine" and off != "nine"


@pytest.mark.parametrize("lang", ["en", "de"])
def test_recorded_losses_are_those_of_the_file(open_page, lang):
    run = json.loads((RUNS / "long_texts.json").read_text("utf-8"))
    assert run["command"].startswith("python -m core.bench long_texts ") and run["model"] == "mini"
    data = chart_data(open_page("positions", lang, factor="4"), LONG)
    for role, method in (("dropped", "none"), ("paged", "linear"), ("reused", "ntk"), ("computed", "yarn")):
        row = next(r for r in run["languages"][lang]["curves"] if r["method"] == method and r["factor"] in (1, 4))
        assert data[data["role"] == role]["nll"].tolist() == pytest.approx(row["nll"])
    numbers = kept.long_numbers(lang, 2)
    means = {method: numbers[method] for method in ("none", "linear", "ntk", "yarn")}
    assert min(means, key=means.get) == "yarn" and max(means, key=means.get) == "none"


def test_a_long_text_of_ones_own(open_page, mini):
    at = open_page("positions", method="linear")
    at.text_area(key="positions_long_text").set_value("One two three four. " * 12).run()
    assert not at.error and len(at.get("vega_lite_chart")) == 6
    at.button(key="positions_start").click().run()
    assert not at.error and len(at.get("vega_lite_chart")) == 7
    data = chart_data(at, LONG + 1)
    ids = mini.tokenizer.encode("One two three four. " * 12)
    nll = -mini.logits(ids)[:-1].log_softmax(-1).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0]
    assert data[data["role"] == "dropped"]["nll"].tolist()[0] == pytest.approx(float(nll[:64].mean()), abs=1e-3)


def test_an_empty_long_text_is_one_short_sentence(open_page):
    at = open_page("positions")
    at.text_area(key="positions_long_text").set_value("  ").run()
    assert not at.error and len(said(at)) < 400


@pytest.mark.parametrize("scheme", ["sinusoidal", "learned", "rope", "alibi"])
def test_every_scheme(open_page, scheme):
    at = open_page("positions", "de", scheme=scheme)
    assert not at.error and len(at.get("vega_lite_chart")) == (5 if scheme == "learned" else 6)  # mini has no learned table
