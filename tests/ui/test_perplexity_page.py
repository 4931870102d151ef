"""The perplexity page inside its frame, driven by the shipped model."""

import pytest

from core.ui.surprise import surprise
from core.ui.texts import Texts
from tests.ui.conftest import check_whole, said, text


def ids_of(lm, language, key):
    return lm.tokenizer.encode(Texts("perplexity", language).plain(key))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(open_page, language):
    check_whole(open_page("perplexity", lang=language), 5)


def test_numbers_are_those_of_the_core(open_page, mini):
    at = open_page("perplexity")
    for key in ("prompt.default", "against.default"):
        found = surprise(mini, ids_of(mini, "en", key)).measured
        assert f"{float(found.bits.mean()):.2f} bits" in text(at) and f"**{found.perplexity:,.1f}**" in text(at)
    right = surprise(mini, ids_of(mini, "en", "prompt.default")).measured
    assert f"{right.mean_of_exp:,.1f}" in text(at)


def test_the_most_surprising_token_is_opened_and_a_link_opens_another(open_page, mini):
    assert "“␣Berlin” (token 13)" in text(open_page("perplexity"))
    assert "“␣capital” (token 2)" in text(open_page("perplexity", token=2))
    assert "“␣capital” (token 2)" in text(open_page("perplexity", token=16))  # the second of text B
    assert "perplexity_token" in said(open_page("perplexity", token=999))


def test_presets_set_both_texts_and_the_language_takes_both_along(open_page):
    at = open_page("perplexity", token=3, upto=50)
    at.pills(key="perplexity_preset").set_value("capitals").run()
    assert at.text_area(key="perplexity_against").value.startswith("THE OLD MAN")
    assert at.session_state["perplexity_token"] is None and at.session_state["perplexity_upto"] == 100
    at.segmented_control(key="_language_choice").set_value("de").run()
    assert at.text_area(key="perplexity_prompt").value.startswith("Der alte Mann")
    assert at.text_area(key="perplexity_against").value.startswith("DER ALTE MANN")


def test_predict(open_page):
    at = open_page("perplexity")
    at.pills(key="perplexity_predict").set_value("few").run()
    assert "**Right.**" in text(at)
    at.pills(key="perplexity_preset").set_value("shuffled").run()
    assert "**Not quite.**" in text(at)


def test_long_texts_and_one_model(open_page):
    at = open_page("perplexity")
    at.text_area(key="perplexity_against").set_value("Ein langer Satz über nichts. " * 200).run()
    assert not at.exception and not at.error and "400" in said(at)


def test_a_second_model_where_there_is_one(open_page, monkeypatch, mini):
    from core.ui import surprise as module

    monkeypatch.setattr(module, "model_names", lambda: ["mini", "second"])
    monkeypatch.setattr(module, "load_model", lambda name: mini)
    at = open_page("perplexity", other="second")
    assert not at.exception and not at.error
    assert len(at.dataframe[0].value) == 4
    assert at.selectbox(key="perplexity_other").value == "second"


def test_with_one_model_one_sentence_says_so(open_page, monkeypatch):
    from core.ui import surprise as module

    monkeypatch.setattr(module, "model_names", lambda: ["mini"])
    assert "Only one model is on this machine (mini)" in text(open_page("perplexity"))


@pytest.mark.parametrize("name", ["shuffled", "capitals"])
def test_presets_with_the_same_text_say_their_own_sentence(open_page, name):
    at = open_page("perplexity")
    at.pills(key="perplexity_preset").set_value(name).run()
    words = Texts("perplexity", "en")
    assert at.pills(key="perplexity_preset").value == name
    assert any(words.plain(f"presets.{name}.look") in box.value for box in at.caption)
