"""The way in: all ten steps in both languages, buttons and keys, presets, the way to the labs, lecture mode."""

import pandas as pd
import pytest

from core.ui.first_steps import STAGES
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, told


def strips(at, name):
    return [part for part in at.get("bidi_component") if name in str(part.proto)]


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_step_shows_a_picture_and_says_something_of_its_own(open_page, lang):
    at, said = open_page("language_model", lang=lang), set()
    for stage in STAGES:
        at.segmented_control(key="language_model_stage").set_value(stage).run()
        assert not at.exception and not at.error and not at.warning
        assert told(at) or strips(at, "glassbox_token_strip") or len(at.dataframe)
        said |= {m.value for m in at.markdown}
        assert at.get("page_link")
        assert any(d.proto.id and "download" in d.proto.id for d in at.get("download_button"))
    assert len(said) > 20


def test_buttons_lead_through_all_ten(open_page):
    at = open_page("language_model")
    for stage in STAGES:
        assert at.segmented_control(key="language_model_stage").value == stage
        last = at.button(key="language_model_next").disabled
        if not last:
            at.button(key="language_model_next").click().run()
    assert last and not at.button(key="language_model_back").disabled


def test_presets_open_their_step(open_page):
    at = open_page("language_model")
    for preset, stage in {"fact": "predict", "name": "look", "story": "choose", "days": "repeat", "odd": "err"}.items():
        at.pills(key="language_model_preset").set_value(preset).run()
        assert not at.exception and not at.error
        assert at.segmented_control(key="language_model_stage").value == stage
        assert at.pills(key="language_model_preset").value == preset


def test_the_exercises_are_the_text_itself(open_page, mini):
    at = open_page("language_model", stage="practise", prompt="The king has a dog.")
    table = at.dataframe[0].value
    ids = mini.tokenizer.encode("The king has a dog.")
    assert list(table["answer"]) == mini.tokenizer.labels(ids[1:])[:8]
    logprobs = mini.logits(ids).log_softmax(-1)
    expected = [float(logprobs[i, ids[i + 1]].exp()) for i in range(len(table))]
    pd.testing.assert_series_equal(table["share"], pd.Series(expected, name="share"), rtol=1e-3, atol=1e-6)


def test_many_draws_come_close_to_the_probabilities(open_page):
    once = chart_data(open_page("language_model", stage="choose", draws=1))
    often = chart_data(open_page("language_model", stage="choose", draws=1000))
    assert once["after"].max() == 1
    assert (often["after"] - often["before"]).abs().max() < 0.06 < (once["after"] - once["before"]).abs().max()


def test_training_moves_with_the_slider(open_page):
    start, end = (told(open_page("language_model", stage="learn", progress=p)) for p in (0, 100))
    assert start != end


def test_nonsense_in_the_link_is_reset(open_page):
    for wrong in ({"stage": "sleep"}, {"stage": "choose", "draws": "-1"}, {"stage": "repeat", "rounds": "nan"}):
        at = open_page("language_model", lang="de", **wrong)
        assert not at.exception and not at.error and len(at.warning) == 1


def test_in_a_lecture_one_key_leads_through_the_ten_steps(open_page):
    at = open_page("language_model")
    at.query_params["lecture"] = "1"
    at.session_state["_lecture"] = "1"
    at.run()
    for stage in STAGES[1:3]:
        at.button(key="_lecture_next").click().run()
        assert not at.exception and at.segmented_control(key="language_model_stage").value == stage
        assert Texts("language_model", "en")(f"steps.{stage}.note") in [box.value for box in at.markdown]
