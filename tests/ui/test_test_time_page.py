"""Thinking longer: votes, odds, revision, the recorded curves; what was typed, the link, the presets."""

import pytest

from core.rl.problems import read_problem
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, said

VOTES, ODDS, SPENT = 0, 1, 2
PRESETS = ("helps", "mode", "direct", "trained", "hot")


def words(at):
    return "\n".join(block.value for block in [*at.markdown, *at.success, *at.caption]).replace("\\", "")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_all_panels_stand_there(open_page, lang):
    at = open_page("test_time", lang=lang)
    assert not at.exception and not said(at)
    votes, odds, spent = (chart_data(at, place) for place in range(3))
    assert votes["votes"].sum() == 16 and set(odds["role"]) == {"computed", "reused", "dropped"}
    assert set(spent["role"]) == {"computed", "reused", "paged", "dropped"} and spent["accuracy"].between(0, 1).all()
    assert len(at.dataframe[0].value) == 9  # one answer and eight revisions


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_presets_set_problem_and_way(open_page, preset, lang):
    at = open_page("test_time", lang=lang)
    at.pills(key="test_time_preset").set_value(preset).run()
    assert not at.exception and not said(at)
    typed = at.text_input(key="test_time_prompt").value
    assert typed == Texts("test_time", lang).plain(f"presets.{preset}.prompt") and read_problem(typed)
    assert chart_data(at, VOTES)["votes"].sum() == (16 if preset == "helps" else 64)


def test_presets_show_what_they_promise(open_page):
    at = open_page("test_time")

    def odds(preset):
        at.pills(key="test_time_preset").set_value(preset).run()
        data = chart_data(at, ODDS)
        return data.query("role == 'computed'")["share"].tolist(), data.query("role == 'reused'")["share"].tolist()

    vote, _ = odds("helps")
    assert vote[-1] > vote[0] + 0.1 and "which is right" in words(at)
    vote, verifier = odds("mode")
    assert vote[-1] < vote[0] and verifier[-1] == 1 and "goes to **35**; right is 19" in words(at)
    direct, _ = odds("direct")
    assert direct[0] < odds("helps")[0][0] - 0.1
    assert odds("trained")[0][0] > 0.7
    odds("hot")
    assert "no number" in chart_data(at, VOTES)["answer"].tolist()


def test_one_answer_is_right_with_the_share_of_right_answers(open_page):
    at = open_page("test_time", lang="en")
    share = int(next(metric.value for metric in at.metric if "64" in metric.label).rstrip("%"))
    first = chart_data(at, ODDS).query("n == 1")["share"]
    assert len(first) == 3 and first.tolist() == pytest.approx([share / 100] * 3, abs=0.005)


@pytest.mark.parametrize("typed", ["Why?", "100 + 1", "(1 + 2) × 3", "😀", "<b>**x**</b>", "7" * 3000])
def test_other_texts_get_one_friendly_sentence(open_page, typed):
    at = open_page("test_time")
    at.text_input(key="test_time_prompt").set_value(typed).run()
    assert not at.exception and not at.error and "7 × 10 - 5" in said(at)
    assert at.text_input(key="test_time_prompt").value == typed


def test_the_link_brings_everything_back(open_page):
    at = open_page("test_time", lang="de", prompt="9 mal 3", stage="grpo", way="direct", temperature="0.4", votes="5")
    assert not said(at) and chart_data(at, VOTES)["votes"].sum() == 5 and "was ist 9 × 3 ?" in words(at)


def test_votes_counted_are_the_first_drawn(open_page):
    few, many = (chart_data(open_page("test_time", votes=str(n)), VOTES).set_index("answer")["votes"] for n in (8, 64))
    assert all(many[answer] >= n for answer, n in few.items() if answer in many)


def test_the_prediction_is_answered_live(open_page):
    at = open_page("test_time")
    at.pills(key="test_time_predict").set_value("falls").run()
    assert "the vote goes to 35" in words(at)


@pytest.mark.parametrize("value", ["nan", "-1e999", "<b>[x](y)</b>", ""])
def test_settings_in_the_link_may_be_nonsense(open_page, value):
    settings = ("stage", "way", "temperature", "votes", "prompt")
    at = open_page("test_time", lang="de", **dict.fromkeys(settings, value))
    assert not at.exception and not at.error and at.warning
    assert not any("<b>" in warning.value for warning in at.warning)
