"""Pre-training live: the whole way of a training, one step, presets, the link, other people's trainings."""

import pytest

from core.training import desk as desks
from core.ui import pretraining
from tests.ui.conftest import chart_data, told


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """As on the page, but short."""
    monkeypatch.setattr(pretraining, "STEPS", (12, 24))
    original = pretraining.controls.segmented

    def segmented(page, name, options, default):
        return original(page, name, options, 12 if name == "steps" else default)

    monkeypatch.setattr(pretraining.controls, "segmented", segmented)
    yield
    for run in list(pretraining.desk()._runs):
        pretraining.desk().stop(run)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_a_training_goes_from_start_to_end(open_page, lang):
    at = open_page("pretraining", lang=lang)
    assert not told(at) and at.success
    at.button(key="pretraining_start").click().run(timeout=120)
    run = at.session_state["pretraining_run"]
    assert not at.exception and not at.error and run.status == desks.DONE
    assert [row["step"] for row in run.rows] == list(range(13))
    data = chart_data(at)
    assert set(data["role"]) == {"reused", "computed"} and len(data[data["role"] == "reused"]) == 12
    assert len(told(at)) == 3 and at.success
    assert any(run.rows[0]["given"].strip()[:4] in m.value for m in at.markdown)


def test_one_step_then_on_then_stop_then_reset(open_page):
    at = open_page("pretraining", source="own")
    at.button(key="pretraining_step").click().run(timeout=120)
    run = at.session_state["pretraining_run"]
    while len(run.rows) < 2:
        run.reader.join(0.1)
    at.run()
    assert run.status == desks.PAUSING and [row["step"] for row in run.rows] == [0, 1]
    assert not at.button(key="pretraining_go").disabled and not at.exception
    at.button(key="pretraining_stop").click().run()
    assert run.status == desks.STOPPED and run.process.poll() is not None and told(at)
    at.button(key="pretraining_reset").click().run()
    assert "pretraining_run" not in at.session_state and not told(at)


def test_who_waits_is_told_the_place(open_page, monkeypatch):
    monkeypatch.setattr(pretraining, "run_again", lambda *_: None, raising=False)
    desk = pretraining.desk()
    others = [desk.start("abc " * 100, {"n_steps": 5}, going=False) for _ in range(desk.most)]
    mine = desk.start("abc " * 100, {"n_steps": 5})
    at = open_page("pretraining")
    at.session_state["pretraining_run"] = mine
    desk.pause(mine)  # it waits its turn without running the page over and over
    mine.status = desks.WAITING
    monkeypatch.setattr("core.ui.frame.time.sleep", lambda seconds: desk.stop(mine))  # the page asks again: end it there
    at.run()
    assert not at.exception and desk.training() == desk.most
    assert mine.status == desks.STOPPED and all(run.holds_place for run in others)


def test_rows_that_come_while_the_page_is_drawn_do_not_disturb_it(open_page, monkeypatch):
    """The training goes on in its own thread: here it adds a row whenever the page makes a table."""
    run = desks.Run("abc " * 100, {"n_steps": 5}, lambda: True, status=desks.DONE)
    run.rows.append({"parameters": 1, "vocabulary": 4, "train": 360, "held_out_size": 40, "step": 0, "tokens": 0, "held_out": 1.4})
    table = pretraining.training_table

    def growing(rows):
        run.rows.append({"step": len(run.rows), "tokens": 64, "loss": 1.2, "gradient_norm": 1.0, "learning_rate": 0.1})
        assert rows is not run.rows  # pandas counts a list first and reads it then
        return table(rows)

    monkeypatch.setattr(pretraining, "training_table", growing)
    at = open_page("pretraining")
    at.session_state["pretraining_run"] = run
    at.run()
    assert not at.exception and not at.error and len(told(at)) == 3 and len(run.rows) > 2
    at.run()
    assert not at.exception and len(chart_data(at)) > 1


def test_presets_set_their_controls(open_page):
    at = open_page("pretraining")
    assert at.pills(key="pretraining_preset").value == "book"
    for preset, source in {"tales": "tales", "overfit": "own", "book": "book"}.items():
        at.pills(key="pretraining_preset").set_value(preset).run()
        assert not at.exception and at.segmented_control(key="pretraining_source").value == source


def test_a_text_too_short_gets_one_sentence(open_page):
    at = open_page("pretraining", source="own", prompt="Hello")
    assert len(at.warning) == 1 and "200 characters" in at.warning[0].value and at.text_area[0].value == "Hello"


def test_nonsense_in_the_link_is_reset(open_page):
    at = open_page("pretraining", source="web", size="huge", rate="fast")
    assert not at.exception and not at.error and len(at.warning) == 3


def test_the_prediction_is_answered_from_the_recorded_run(open_page):
    at = open_page("pretraining")
    at.pills(key="pretraining_predict").set_value("turns").run()
    assert any("1,500 characters" in m.value and "Right" in m.value for m in at.markdown)


def test_judgement():
    base = {"first": 4.0, "best": 2.0, "best_step": 50, "train": 1.9}
    assert pretraining.judgement(base | {"held_out": 4.0, "best": 4.0}) == "start"
    assert pretraining.judgement(base | {"held_out": 2.0}) == "learning"
    assert pretraining.judgement(base | {"held_out": 3.0, "train": 0.3}) == "overfitting"
