"""Post-training: the group, the recorded curves, learning live, memory; what was typed, the link, the presets."""

import pytest

from core.rl.problems import read_problem
from core.ui import reckoner
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, said

GROUP, CURVES = 0, 1
PRESETS = ("first", "products", "nothing", "untaught", "careless", "cheat")


def words(at):
    return "\n".join(block.value for block in [*at.markdown, *at.success, *at.caption]).replace("\\", "")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_group_curves_and_memory_stand_there(open_page, lang):
    at = open_page("post_training", lang=lang)
    assert not at.exception and not said(at)
    group, curves, memory = (chart_data(at, place) for place in range(3))
    assert len(group) == 8 and group["advantage"].sum() == pytest.approx(0, abs=1e-4)
    assert set(curves["role"]) == {"computed", "reused", "paged"} and (curves["low"] <= curves["high"]).all()
    by_method = memory.groupby("method")["GB"].sum()
    assert by_method.max() == pytest.approx(7 * (16 + 16 + 2 + 2)) and by_method.min() == pytest.approx(7 * 16)  # 7e9 parameters


def test_the_same_questions_stand_side_by_side(open_page):
    table = open_page("post_training").dataframe[0].value
    assert list(table.columns) == ["question", "base", "tuned", "ppo", "grpo", "hacked"] and len(table) == 5
    assert (table["grpo"].str.startswith("✓")).sum() > (table["base"].str.startswith("✓")).sum()


def test_one_update_makes_the_better_answers_likelier(open_page):
    group = chart_data(open_page("post_training", size="16"), GROUP)
    up, down = group.query("advantage > 0.1"), group.query("advantage < -0.1")
    assert len(group) == 16 and len(up) and len(down)
    assert up["factor"].mean() > 1 > down["factor"].mean()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_presets_set_problem_and_model(open_page, preset, lang):
    at = open_page("post_training", lang=lang)
    at.pills(key="post_training_preset").set_value(preset).run()
    assert not at.exception and not said(at)
    typed = at.text_input(key="post_training_prompt").value
    assert typed == Texts("post_training", lang).plain(f"presets.{preset}.prompt") and read_problem(typed)


def test_presets_show_what_they_promise(open_page):
    at = open_page("post_training")

    def shown(preset):
        at.pills(key="post_training_preset").set_value(preset).run()
        return chart_data(at, GROUP)

    assert (shown("nothing")["advantage"] == 0).all() and "nothing is learned" in words(at)
    assert not shown("untaught")["answer"].str.match(r"(.* )?▸ \d+$").all()  # without the form
    careless = shown("careless")
    assert careless.query("reward == reward.max()")["advantage"].min() > 0
    assert not shown("cheat")["right"].any()
    assert {"computed", "reused"} == set(chart_data(at, CURVES)["role"]) and "the measured reward climbs" in words(at)


@pytest.mark.parametrize("typed", ["Tell me a joke", "17 + 4", "4 / 2", "😀", "<b>**x**</b>", "5" * 3000])
def test_other_texts_get_one_friendly_sentence(open_page, typed):
    at = open_page("post_training")
    at.text_input(key="post_training_prompt").set_value(typed).run()
    assert not at.exception and not at.error and "6 × 3 - 4" in said(at)
    assert at.text_input(key="post_training_prompt").value == typed


def test_the_link_brings_everything_back(open_page):
    at = open_page("post_training", lang="de", prompt="9 mal 3", stage="base", reward="equations", size="5", billions="70")
    assert not said(at) and len(chart_data(at, GROUP)) == 5 and "was ist 9 × 3 ?" in words(at)
    assert at.selectbox(key="post_training_stage").value == "base"
    assert chart_data(at, 2)["GB"].max() == pytest.approx(70 * 12)


def test_other_answers_are_drawn_and_the_same_come_back(open_page):
    at = open_page("post_training")
    first = chart_data(at, GROUP)["answer"].tolist()
    at.button(key="post_training_again").click().run()
    assert chart_data(at, GROUP)["answer"].tolist() != first
    assert chart_data(open_page("post_training"), GROUP)["answer"].tolist() == first


@pytest.mark.parametrize("measure", ["held_out_right", "thought", "reward", "kl", "clipped", "tokens"])
def test_every_measure_is_recorded(open_page, measure):
    at = open_page("post_training", measure=measure)
    assert not at.exception and not said(at) and chart_data(at, CURVES)["mean"].notna().all()


def test_a_live_run_goes_on_until_it_is_done_or_stopped(open_page, monkeypatch):
    """Two dozen small updates: the chart grows, and at the end a sentence says whether it was more than noise."""
    from dataclasses import replace

    from core.ui import frame

    monkeypatch.setattr(reckoner, "LIVE", replace(reckoner.LIVE, updates=22, questions=2, group=4))
    monkeypatch.setattr(frame.time, "sleep", lambda seconds: None)
    at = open_page("post_training")
    at.button(key="post_training_start").click().run()
    assert not at.exception and not at.error
    run = at.session_state["post_training_run"]
    assert len(run.updates) == 22 and not run.running
    assert "The first ten updates" in words(at) and at.button(key="post_training_stop").disabled
    data = chart_data(at, 2)
    assert len(data) == 3 * 22 and data["value"].between(0, 1).all()
    assert data.query("role == 'computed'")["value"].tolist() == pytest.approx([update.reward / 2 for update in run.updates])


def test_a_stopped_run_lets_its_model_go():
    run = reckoner.LiveRun("rules", seed=1)
    run.step()
    run.stop()
    run.step()
    assert len(run.updates) == 1 and not run.running


def test_the_prediction_is_answered_from_what_was_recorded(open_page):
    at = open_page("post_training")
    at.pills(key="post_training_predict").set_value("skip").run()
    accuracy = reckoner.evaluation()["accuracy"]
    assert f"{accuracy['tuned']['thought']:.0%} before, {accuracy['grpo_0']['thought']:.0%} after" in words(at)


@pytest.mark.parametrize("value", ["nan", "-1e999", "<b>[x](y)</b>", ""])
def test_settings_in_the_link_may_be_nonsense(open_page, value):
    settings = ("stage", "reward", "size", "measure", "billions", "prompt")
    at = open_page("post_training", lang="de", **dict.fromkeys(settings, value))
    assert not at.exception and not at.error and at.warning
    assert not any("<b>" in warning.value for warning in at.warning)
