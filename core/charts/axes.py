"""Axes that several charts have: ends that the data tell, large counts, powers of ten."""

import math

import altair as alt

from core.charts.theme import counted

STEPS = (1, 1.5, 2, 3, 5, 7, 10)  # times a power of ten


def reaching(channel, field: str, room: float = 1.0) -> alt.Chart:
    """A layer that shows nothing and makes its axis end at the next of STEPS above `room` times the largest `field`, at least 1.

    Other data then come into the same chart, which the browser would build anew for another axis.
    `channel` is the `alt.X` or `alt.Y` of the other layers, whose scale begins at 0 and has no end of its own (`from_zero`).
    """
    power = "pow(10, floor(log(datum.top) / LN10 + 1e-9))"
    end = " : ".join(f"datum.top <= {step * (1 + 1e-9)} * {power} ? {step} * {power}" for step in STEPS[:-1])
    ends = alt.Chart().transform_aggregate(most=f"max({field})").transform_calculate(top=f"max({room:g} * datum.most, 1)")
    ends = ends.transform_calculate(end=f"{end} : {STEPS[-1]} * {power}").mark_point(opacity=0, aria=False, tooltip=None)
    name = "x" if isinstance(channel, alt.X) else "y"
    there = channel.copy()
    there.shorthand = "end:Q"
    return ends.encode(**{name: there})


def ceiling(value: float) -> float:
    """Where an axis for `value` ends: the next of STEPS, and never below 1."""
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(step * power for step in STEPS if step * power >= max(value, 1.0))


def from_zero() -> alt.Scale:
    """A scale from 0 to where its layers end."""
    return alt.Scale(domainMin=0, nice=False)


def powers_of_ten() -> alt.Axis:
    """10¹⁵ and the like on a logarithmic axis."""
    power, signs = "round(log(datum.value) / LN10)", "split('⁰,¹,²,³,⁴,⁵,⁶,⁷,⁸,⁹', ',')"
    digits = f"(abs({power}) > 9 ? {signs}[floor(abs({power}) / 10)] : '') + {signs}[abs({power}) % 10]"
    return alt.Axis(labelExpr=f"'10' + ({power} < 0 ? '⁻' : '') + {digits}", grid=False, tickCount=6)


def counts(language: str, grid: bool = False) -> alt.Axis:
    """100,000, 1 M, 1 B on a logarithmic axis, in the language's words."""
    return alt.Axis(labelExpr=counted(language), grid=grid, gridOpacity=0.3, tickCount=6)
