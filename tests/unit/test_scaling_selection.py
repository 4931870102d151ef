"""Which runs a law is fitted to: the front by hand, what is held out, and the fit of redrawn points beside scipy's."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

from core.charts import scaling as charts
from core.scaling import fit_power_law
from core.scaling.power_law import PowerLaw
from core.scaling.runs import GridRun, read_runs
from core.scaling.selection import AGAINST, FACTOR, LEAST, along, split

RECORDED = read_runs(Path(__file__).resolve().parents[2] / "assets" / "runs" / "grid.jsonl")


def run(n, d, flops, loss):
    return GridRun("made", n, n, d, 1.0, flops, 6.0 * n * d, loss, 1e-3, 1.0, "none", ())


MADE = [run(1, 10, 10, 5.0), run(1, 20, 20, 4.5), run(2, 10, 21, 4.6), run(2, 20, 40, 4.0), run(3, 10, 30, 4.2), run(3, 20, 60, 4.1)]


def test_along_takes_what_nothing_else_holds_back():
    assert [r.parameters for r in along(MADE, "parameters")] == [1, 2, 3] and {r.tokens for r in along(MADE, "parameters")} == {20}
    assert [r.tokens for r in along(MADE, "tokens")] == [10, 20] and {r.parameters for r in along(MADE, "tokens")} == {3}
    assert [r.flops for r in along(MADE, "flops")] == [10, 20, 30, 40]  # 21 and 60 are beaten by cheaper ones
    with pytest.raises(ValueError, match="against"):
        along(MADE, "size")


@pytest.mark.parametrize("against", AGAINST)
def test_the_recorded_front_is_beaten_by_no_cheaper_run(against):
    found = along(RECORDED, against)
    assert len(found) >= 6
    if against == "flops":
        assert all(other.held_out >= one.held_out for one in found for other in RECORDED if other.flops <= one.flops)


def test_split_holds_out_the_largest_and_keeps_enough():
    x = np.arange(1.0, 9)
    inside, beyond = split(x, 2, 1)
    assert x[beyond].tolist() == [7, 8] and x[inside].tolist() == [2, 3, 4, 5, 6]
    for held in range(6):
        for left in range(6):
            inside, beyond = split(x, held, left)
            assert inside.sum() >= LEAST and not (inside & beyond).any()
    assert split(x, 6, 6)[0].sum() == LEAST and split(x, 6, 6)[1].sum() == 4  # what is left out gives way first
    x = FACTOR ** np.arange(8.0)
    inside, beyond = split(x, 2, 1, by_factor=True)
    assert x[beyond].tolist() == x[-2:].tolist() and len(x[inside]) == 5


def test_a_fit_from_a_law_at_hand_is_the_fit():
    x, law = np.geomspace(1e5, 2e7, 7), PowerLaw(70.0, 0.31, 2.3)
    y = law(x) * np.exp(np.random.default_rng(0).normal(0, 0.004, 7))
    found, near = fit_power_law(x, y, floor=True), fit_power_law(x, y, floor=True, near=law)
    reference, _ = curve_fit(lambda u, e, a, p: np.log(e + np.exp(a) * np.exp(-p * u)), np.log(x), np.log(y), p0=(2.0, 4.0, 0.3))
    for fitted in (found, near):
        assert (fitted.floor, fitted.exponent) == pytest.approx((reference[0], reference[2]), rel=2e-3)


def test_the_picture_holds_every_run_once_and_says_how_far_it_lies():
    chosen = along(RECORDED, "parameters")
    x, y = (np.array([getattr(r, name) for r in chosen], float) for name in ("parameters", "held_out"))
    law, places = fit_power_law(x[:-2], y[:-2]), charts.law_places(RECORDED, "parameters")
    live = [{"run": 1, "parameters": 90_784, "tokens": 1000, "flops": 1e9, "held_out": 6.0, "last": True}]
    data = charts.runs_data(RECORDED, "parameters", law, places, (law(places), law(places)), chosen[:-2], chosen[-2:], live, str)
    runs = data[data["kind"] == "run"]
    assert len(runs) == len(RECORDED) and (runs["role"] == "computed").sum() == len(chosen) - 2 and (runs["role"] == "paged").sum() == 2
    held = runs[runs["role"] == "paged"].sort_values("x")
    assert held["away"].to_numpy() == pytest.approx(y[-2:] / law(x[-2:]) - 1, abs=1e-6)
    assert len(data[data["kind"] == "law"]) == charts.LINE and len(data[data["kind"] == "trained"]) == 1
    assert len(data[data["kind"] == "name"]) == len({r.tokens for r in RECORDED})
    low, high = charts.reach(RECORDED, "parameters")
    assert low < runs["x"].min() and high >= places.max() > 11 * runs["x"].max()
