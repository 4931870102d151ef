"""The timeline: filters, presets, the opened claim, the link."""

import pytest

from core.history import chosen, events
from tests.ui.conftest import chart_data


def text(at):
    return "\n".join(block.value for block in [*at.markdown, *at.info])


@pytest.mark.parametrize("lang", ["en", "de"])
def test_all_claims_stand_there_and_the_latest_is_open(open_page, lang):
    at = open_page("timeline", lang=lang)
    assert not at.exception and not at.error
    shown = chart_data(at)
    assert list(shown["name"]) == list(events()) and shown["opened"].sum() == 1
    assert "DeepSeek-V4" in text(at) and at.selectbox(key="timeline_event").value == "deepseek_v4"


def test_a_preset_filters_and_a_claim_opens(open_page):
    at = open_page("timeline")
    at.pills(key="timeline_preset").set_value("efficiency").run()
    assert list(chart_data(at)["name"]) == [e.name for e in chosen(set(e.badge for e in events().values()), "context")]
    at.selectbox(key="timeline_event").set_value("subq").run()
    assert "hired" in text(at) and "56.2" in "".join(frame.value.to_string() for frame in at.dataframe)


def test_the_link_brings_topic_and_badges_back(open_page):
    at = open_page("timeline", topic="reasoning", badges="measured,developer")
    assert list(chart_data(at)["name"]) == [e.name for e in chosen(["measured", "developer"], "reasoning")]


def test_nothing_chosen_is_one_sentence(open_page):
    at = open_page("timeline", topic="scaling", badges="opinion")
    assert not at.exception and "No claim" in text(at)


def test_bad_values_in_the_link_are_reset(open_page):
    at = open_page("timeline", topic="cooking", badges="true", event="nothing")
    assert not at.exception and not at.error and len(chart_data(at)) == len(events())
