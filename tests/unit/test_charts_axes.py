"""Axes of charts: what makes a spec new, and what only moves its data."""

import pytest

from core.charts.axes import ceiling
from core.charts.kv_cache import ceilings, clock_chart, model_bars, steps_chart


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0, 1.01, 7.5, 9.99, 10.0, 123.0, 3_300_000.0])
def test_an_axis_holds_its_values_and_is_at_most_half_empty(value):
    assert value <= ceiling(value) and (ceiling(value) <= 2 * value or ceiling(value) == 1)


def test_few_axes_for_many_values():
    assert len({ceiling(value / 10) for value in range(1, 10_000)}) <= 25


def test_charts_come_without_data():
    for chart in (
        steps_chart(("full", "window"), "step", "bits"),
        clock_chart(0.5, 30, "seconds", "tokens", "without", "with"),
        model_bars(3, ceilings(("H100 SXM",)), 120.0, "gigabytes"),
    ):
        assert "data" not in chart and "datasets" not in chart and "layer" in chart or "mark" in chart
