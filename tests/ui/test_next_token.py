"""The next-token lab inside its frame: what its numbers say, its links, and what bad input gets."""

import numpy as np
import pytest
import torch

from core.decoding import distribution, entropy_bits
from core.decoding.sweep import sweep
from tests.ui.conftest import chart_data, said

STORY = "The old man opened the door and saw"


def now(at):
    table = chart_data(at)
    return table[table["now"]].reset_index(drop=True)


def metric(at, label):
    return next(m.value for m in at.metric if m.label == label)


def click(at, name):
    return at.button(key=f"next_token_{name}").click().run()


def added(at):
    return at.session_state["next_token_added"]


@pytest.mark.parametrize("lang, choice", [("en", "It loses, but stays first"), ("de", "Es verliert, bleibt aber vorn")])
def test_predicting_gets_an_answer_with_live_numbers(open_page, mini, lang, choice):
    at = open_page("next_token", lang=lang, prompt=STORY)
    assert choice in at.pills(key="next_token_predict").options
    at.pills(key="next_token_predict").set_value("falls").run()
    answer = next(m.value for m in at.markdown if m.value.startswith(("**Right", "**Richtig")))
    share = float(distribution(mini.logits(mini.tokenizer.encode(STORY))[-1]).max())
    written = f"{share:.1%}" if lang == "en" else f"{share:.1%}".replace(".", ",").replace("%", "\u202f%")
    assert written in answer.replace("\\", "")
    at.pills(key="next_token_predict").set_value("rises").run()
    assert any(m.value.startswith(("**Not quite", "**Nicht ganz")) for m in at.markdown)


def test_the_chart_shows_what_distribution_says(open_page, mini):
    at = open_page("next_token", prompt=STORY, temperature=0.7, top_k=5, top_p=0.9, min_p=0.02)
    logits = mini.logits(mini.tokenizer.encode(STORY))[-1]
    before, after = distribution(logits), distribution(logits, 0.7, top_k=5, top_p=0.9, min_p=0.02)
    shown = now(at)
    np.testing.assert_allclose(shown["before"], before[shown["id"].tolist()], atol=1e-5)
    np.testing.assert_allclose(shown["after"], after[shown["id"].tolist()], atol=1e-5)
    assert metric(at, "Entropy before") == f"{float(entropy_bits(before)):.2f}"
    assert metric(at, "Entropy after") == f"{float(entropy_bits(after)):.2f}"
    assert metric(at, "Tokens left") == str(int((after > 0).sum()))


def test_every_step_of_the_slider_is_exact(open_page, mini):
    """What the browser shows while the finger drags was computed over the whole vocabulary."""
    at = open_page("next_token", prompt=STORY, top_p=0.8)
    logits, table = mini.logits(mini.tokenizer.encode(STORY))[-1], chart_data(at)
    assert len(table) == 21 * 12
    for temperature, rows in table.groupby("temperature"):
        expected = distribution(logits, float(np.round(temperature, 2)), top_p=0.8)
        np.testing.assert_allclose(rows["after"], expected[rows["id"].tolist()], atol=1e-5)


def test_sweep_equals_distribution_at_each_temperature(tiny):
    logits = tiny.logits([1, 2, 3])[-1]
    shares, bits, kept = sweep(logits, [0, 0.5, 2.0], [4, 5, 6], top_k=20)
    for i, temperature in enumerate([0, 0.5, 2.0]):
        probs = distribution(logits, temperature, top_k=20)
        torch.testing.assert_close(shares[i], probs[[4, 5, 6]])
        torch.testing.assert_close(bits[i], entropy_bits(probs))
        assert kept[i] == (probs > 0).sum()


def test_temperature_zero_is_hardmax(open_page):
    at = open_page("next_token", prompt=STORY, temperature=0)
    assert now(at)["after"].tolist() == [1.0] + [0.0] * 11
    assert metric(at, "Entropy after") == "0.00" and metric(at, "Tokens left") == "1"
    table = at.dataframe[0].value
    assert table["softmax"].tolist() == table["hardmax"].tolist() == [1.0] + [0.0] * 5


def test_drawing_stepping_back_and_starting_over(open_page):
    at = open_page("next_token", prompt=STORY, seed=3)
    click(at, "draw")
    one = added(at)
    click(at, "draw")
    two = added(at)
    assert len(one) == 1 and two[:1] == one and len(two) == 2
    assert added(click(at, "back")) == one
    assert added(click(at, "draw")) == two  # the same seed draws the same at the same place
    assert added(click(at, "clear")) == []
    assert at.button(key="next_token_back").disabled


def test_writing_on_adds_tokens_and_repeats_with_the_seed(open_page):
    texts = []
    for _ in range(2):
        at = click(open_page("next_token", prompt=STORY, temperature=0.7, seed=11), "write")
        texts.append(added(at))
    assert texts[0] == texts[1] and len(texts[0]) > 1
    other = added(click(open_page("next_token", prompt=STORY, temperature=0.7, seed=12), "write"))
    assert other != texts[0]


def test_a_link_carries_the_added_tokens(open_page, mini):
    at = open_page("next_token", prompt=STORY, added="100.200")
    assert added(at) == [100, 200]
    ids = mini.tokenizer.encode(STORY) + [100, 200]
    np.testing.assert_allclose(now(at)["before"].max(), distribution(mini.logits(ids)[-1]).max(), atol=1e-5)
    at.text_area(key="next_token_prompt").set_value("Another text").run()
    assert added(at) == []  # they belonged to the other text


def test_presets_set_prompt_and_controls_and_say_what_to_look_at(open_page):
    at = open_page("next_token", temperature=0.3)
    at.pills(key="next_token_preset").set_value("story").run()
    assert at.text_area(key="next_token_prompt").value == STORY
    assert at.slider(key="next_token_top_p").value == 0.8
    assert at.session_state["next_token_temperature"] == 1.0  # what a preset does not name goes back
    assert any("Lower top-p" in caption.value.replace("\\", "") for caption in at.caption)
    assert len(at.pills(key="next_token_preset").options) >= 3


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize(
    "settings",
    [{"temperature": "9"}, {"temperature": "nan"}, {"temperature": "hot"}, {"top_k": "-1"}, {"top_k": "x"}, {"top_p": "0"}]
    + [{"min_p": "2"}, {"seed": "1e99"}, {"added": "1.x"}, {"added": "99999999"}],
)
def test_impossible_settings_are_reset_with_one_sentence(open_page, lang, settings):
    at = open_page("next_token", lang=lang, prompt=STORY, **settings)
    name = f"next_token_{next(iter(settings))}"
    assert not at.exception and not at.error and len(at.warning) == 1
    assert name in said(at) and next(iter(settings.values())) in said(at)
    assert at.text_area(key="next_token_prompt").value == STORY  # nothing else is lost
    assert metric(at, {"en": "Tokens left", "de": "Tokens übrig"}[lang]) in ("16,384", "16.384")


@pytest.mark.parametrize("text", ["🎵🎶", "مرحبا بالعالم", "<script>alert(1)</script> **x** [a](b) $y$", "<|endoftext|>", "a\r\nb\tc"])
def test_odd_texts_are_ordinary_texts(open_page, mini, text):
    at = open_page("next_token", prompt=text)
    assert not at.exception and not at.error and not at.warning
    assert at.text_area(key="next_token_prompt").value == text
    shown = "".join(box.value for box in [*at.markdown, *at.success, *at.caption])
    assert "<script>" not in shown and "\ufffd" not in shown


@pytest.mark.parametrize(
    "text, says", [("", "empty"), (" \n ", "empty"), ("a\x00\x07b", "Control characters removed: 2"), ("ab " * 2000, "last 512")]
)
def test_texts_that_are_changed_are_said(open_page, text, says):
    at = open_page("next_token")
    at.text_area(key="next_token_prompt").set_value(text).run()
    assert not at.exception and says in said(at)
    assert at.text_area(key="next_token_prompt").value == text


def test_a_hundred_thousand_signs_stay_out_of_the_link(open_page):
    at = open_page("next_token")
    at.text_area(key="next_token_prompt").set_value("x" * 100_001).run()
    assert not at.exception and "100,000" in said(at) and "too long for a link" in said(at)
    assert "next_token_prompt" not in at.query_params
