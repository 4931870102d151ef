"""Scaling laws: the picture moves with the controls, presets show what they say, a run trained live joins the recorded ones."""

import numpy as np
import pytest
from scipy.stats import linregress

from core.scaling.selection import along
from core.training import desk as desks
from core.ui import scaling
from tests.ui.conftest import chart_data, check_whole, text


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_page_is_whole(open_page, lang):
    check_whole(open_page("scaling_laws", lang=lang), 3)


def test_the_line_is_scipys_through_the_runs_that_are_left(open_page):
    at = open_page("scaling_laws", held=2, left=1)
    runs = along(scaling.grid(), "parameters")[1:-2]
    line = linregress(np.log([run.parameters for run in runs]), np.log([run.held_out for run in runs]))
    data = chart_data(at)
    fitted = data[(data["kind"] == "run") & (data["role"] == "computed")]
    assert sorted(fitted["loss"]) == pytest.approx(sorted(run.held_out for run in runs), rel=1e-6)
    law = data[data["kind"] == "law"]
    assert np.log(law["loss"].to_numpy()) == pytest.approx(line.intercept + line.slope * np.log(law["x"].to_numpy()), abs=1e-4)
    assert (law["low"] <= law["loss"] + 1e-4).all() and (law["high"] >= law["loss"] - 1e-4).all()


def test_what_the_presets_say_holds_on_the_recorded_runs():
    def error(*settings):
        found = scaling.fit(*settings)
        last = found.held[-1]
        return float(found.law(getattr(last, settings[0]))) / last.held_out - 1

    straight, floor = error("parameters", 2, 0, False), error("parameters", 2, 0, True)
    assert straight < -0.05 and abs(floor) < abs(straight) / 2
    assert abs(error("parameters", 1, 2, False)) < abs(error("parameters", 1, 0, False))
    assert scaling.fit("parameters", 1, 2, False).law.exponent < scaling.fit("parameters", 1, 0, False).law.exponent
    assert abs(error("flops", 3, 0, False)) < 0.05 < abs(error("tokens", 2, 0, False))


@pytest.mark.parametrize("preset", ["floor", "small", "data", "compute"])
def test_presets_move_the_picture(open_page, preset):
    at = open_page("scaling_laws")
    before = chart_data(at)
    at.pills(key="scaling_laws_preset").set_value(preset).run()
    check_whole(at, 3)
    after = chart_data(at)
    assert not np.allclose(before[before["kind"] == "law"]["loss"], after[after["kind"] == "law"]["loss"])


def test_the_prediction_is_answered_by_the_recorded_runs(open_page):
    at = open_page("scaling_laws")
    at.pills(key="scaling_laws_predict").set_value("low").run()
    assert "Right" in text(at)


def test_a_run_trained_here_joins_the_picture_and_goes_again(open_page, monkeypatch):
    monkeypatch.setattr(scaling, "LIVE_TOKENS", (1024, 2048, 4096))
    at = open_page("scaling_laws", against="flops")
    at.button(key="scaling_laws_start").click().run(timeout=120)
    run = at.session_state["scaling_laws_run"]
    assert not at.exception and run.status == desks.DONE and run.rows[-1]["last"]
    data = chart_data(at)
    (trained,) = data[data["kind"] == "trained"].to_dict("records")
    assert trained["loss"] == pytest.approx(run.rows[-1]["held_out"]) and trained["x"] == pytest.approx(run.rows[-1]["flops"])
    assert "Finished" in text(at) and trained["role"] == "reused"
    assert_own_run_counts_where_it_may(at, run.rows)
    at.button(key="scaling_laws_start").click().run(timeout=120)
    assert (chart_data(at)["kind"] == "trained").sum() == 2
    at.button(key="scaling_laws_reset").click().run()
    assert (chart_data(at)["kind"] == "trained").sum() == 0 and not at.exception


def assert_own_run_counts_where_it_may(at, rows):
    """Counted in, the line is numpy's through the front of all runs; against parameters the run has no say."""
    before = chart_data(at)
    at.toggle(key="scaling_laws_own").set_value(True).run()
    after = chart_data(at)
    assert after[after["kind"] == "trained"]["role"].tolist() == ["computed"]
    runs = along(scaling.grid(), "flops")
    x, loss = ([getattr(run, name) for run in runs] + [rows[-1][name]] for name in ("flops", "held_out"))
    inside = [place for place, at_x in enumerate(x) if at_x <= 1.0001 * max(x) / 9]  # two factors of 3 are held out
    slope, _ = np.polyfit(np.log([x[i] for i in inside]), np.log([loss[i] for i in inside]), 1)
    law = after[after["kind"] == "law"]
    drawn, _ = np.polyfit(np.log(law["x"]), np.log(law["loss"]), 1)
    assert drawn == pytest.approx(slope, abs=1e-4) and law["x"].min() < before[before["kind"] == "law"]["x"].min() / 2
    assert f"{-slope:.3f}" in text(at)
    at.segmented_control(key="scaling_laws_against").set_value("parameters").run()
    assert "count only against computing" in text(at) and (chart_data(at)["role"] == "computed").sum() > 0
    at.toggle(key="scaling_laws_own").set_value(False).run()
    at.segmented_control(key="scaling_laws_against").set_value("flops").run()


def test_nonsense_in_the_link_is_reset(open_page):
    at = open_page("scaling_laws", against="colour", law="iron", held="many", left="-3", live_size="9T", live_tokens="all")
    assert not at.exception and not at.error and len(at.warning) == 6
