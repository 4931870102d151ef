"""Chinchilla optimum: isoFLOP curves of the grid, the published fits at a budget, what the presets say."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from core.charts.chinchilla import BESIDE
from core.scaling import on_budget, published
from core.scaling.runs import columns
from core.ui import chinchilla
from tests.ui.conftest import chart_data, check_whole, said, text


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_page_is_whole(open_page, lang):
    check_whole(open_page("chinchilla", lang=lang), 2)


def test_the_chosen_curve_is_numpys_parabola_through_the_interpolated_runs(open_page):
    data = chart_data(open_page("chinchilla", flops=14.5))
    points, curve = (data[(data["kind"] == kind) & (data["role"] == "computed")] for kind in ("point", "curve"))
    sizes, losses = on_budget(*columns(chinchilla.runs("all")), 10**14.5)
    assert points["loss"].to_numpy() == pytest.approx(losses, rel=1e-6)
    expected = np.polyval(np.polyfit(np.log(sizes), losses, 2), np.log(curve["N"].to_numpy()))
    assert curve["loss"].to_numpy() == pytest.approx(expected, rel=1e-4)
    (best,) = data[data["role"] == "paged"].to_dict("records")
    assert best["loss"] <= curve["loss"].min() + 1e-4


def test_the_optima_are_the_lowest_losses_on_the_budget(open_page):
    data = chart_data(open_page("chinchilla", budget=23.8), 1)
    optima = data[data["kind"] == "optimum"].set_index("role")
    for role, law in {"reused": published.BESIROGLU, "computed": chinchilla.law("all")}.items():
        bounds = np.log(optima.loc[role, "N"]) + np.array([-3, 3])
        lowest = minimize_scalar(lambda u, law=law: float(law(np.exp(u), 10**23.8 / 6 / np.exp(u))), bounds=bounds, method="bounded")
        assert optima.loc[role, "N"] == pytest.approx(np.exp(lowest.x), rel=0.02)
    assert optima.loc["dropped", "ratio"] > 4 * optima.loc["reused", "ratio"]  # the trap
    assert set(data[data["kind"] == "model"]["name"]) == {model.name for model in published.MODELS} == set(BESIDE)


def test_what_the_presets_say_holds_on_the_recorded_runs():
    best, quarter = (chinchilla.at_budget("all", 10**power) for power in (14.5, 13.9))
    assert best.inside and quarter.inside and 1.6 < best.best / quarter.best < 2.6 and best.lowest < quarter.lowest
    assert 10 < 10**14.5 / 6 / best.best**2 < 40  # not far from 20
    assert len(chinchilla.curves("fresh")) < len(chinchilla.curves("all")) / 2
    assert chinchilla.law("fresh").size_exponent > chinchilla.law("all").size_exponent + 0.05
    every, long = (chinchilla.law(choice).optimum(10**23.8)[1] / chinchilla.law(choice).optimum(10**23.8)[0] for choice in ("all", "long"))
    assert long > 20 * every and len(chinchilla.runs("all")) - len(chinchilla.runs("long")) == 7
    ours, theirs = (law.optimum(1e15)[0] for law in (chinchilla.law("all"), published.BESIROGLU))
    assert ours == pytest.approx(theirs, rel=0.4)
    low, high = chinchilla.sureness("all")
    assert low < chinchilla.law("all").size_exponent < high


@pytest.mark.parametrize("preset", ["more", "giants", "long", "repeated", "small"])
def test_presets_move_the_pictures(open_page, preset):
    at = open_page("chinchilla")
    before = [chart_data(at, place) for place in range(2)]
    at.pills(key="chinchilla_preset").set_value(preset).run()
    check_whole(at, 2)
    assert not all(one.equals(chart_data(at, place)) for place, one in enumerate(before))


def test_a_budget_without_a_lowest_point_is_said(open_page):
    at = open_page("chinchilla", runs="fresh", flops=15.4)
    assert not at.exception and not at.error and "no lowest point" in said(at)


def test_the_prediction_is_answered(open_page):
    at = open_page("chinchilla")
    at.pills(key="chinchilla_predict").set_value("smaller").run()
    assert "Right" in text(at) and "1.7" in text(at)


def test_nonsense_in_the_link_is_reset(open_page):
    at = open_page("chinchilla", runs="none", flops="all", budget="1e99")
    assert not at.exception and not at.error and len(at.warning) == 3
