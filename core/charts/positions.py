"""Charts of the positions lab: hands that turn, a score against the distance, four schemes, lost order, long texts."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

SHOWN_PAIRS = 8  # dials drawn; the score sums over all pairs
COLUMNS = 4
DIAL = 34  # radius in pixels
RUNS = {"turned": "computed", "mask": "reused", "neither": "dropped"}  # what is left of positions -> its line
LINES = {"none": "dropped", "linear": "paged", "ntk": "reused", "yarn": "computed"}  # ways to stretch -> their lines
HAND = "M0,0L0,-1M-0.16,-0.78L0,-1L0.16,-0.78"  # an arrow from the middle, of length 1


def hands_data(hands, shift: int, gap: int) -> pd.DataFrame:
    """One row a pair of `core.measure.positions.Hands`; `shown` places eight of them, -1 = only counted.

    shift and gap: where the sliders stand as far as the server knows.
    """
    n = len(hands.frequency)
    chosen = {round(i * (n - 1) / (SHOWN_PAIRS - 1)): i for i in range(min(SHOWN_PAIRS, n))}
    numbers = {name: np.asarray(getattr(hands, name), np.float32) for name in ("query_length", "query_angle", "key_length", "key_angle")}
    frequency = np.asarray(hands.frequency, np.float64)
    longest = max(numbers["query_length"].max(), numbers["key_length"].max()) or 1.0
    return pd.DataFrame(
        {
            "pair": np.arange(1, n + 1, dtype=np.int16),
            **numbers,
            "frequency": frequency,
            "period": 2 * np.pi / np.maximum(frequency, 1e-12),
            "longest": np.float32(longest),
            "shown": np.array([chosen.get(i, -1) for i in range(n)], np.int8),
            "shift": np.int32(shift),
            "gap": np.int32(gap),
        }
    )


@spec
def hands_chart(score: str, turns: str, query: str, key: str, shift: str, gap: str, language: str = "en"):
    """Eight pairs as dials: the query's hand in orange, the key's in blue, both turned by their positions; the score above.

    The hands follow two sliders in the browser, whose CSS selectors are `shift` (position of the key) and `gap` (how many tokens
    later the query stands). `score`, `turns` (a turn takes so many), `query`, `key` are words.
    """
    moved = {"m": ("shift", "shift"), "d": ("gap", "gap")}
    base = alt.Chart()
    for name, (param, field) in moved.items():
        base = base.transform_calculate(**{name: f"isValid(toNumber({param}_now)) ? toNumber({param}_now) : datum.{field}"})
    base = base.transform_calculate(
        a="datum.query_angle + (datum.m + datum.d) * datum.frequency",
        b="datum.key_angle + datum.m * datum.frequency",
    ).transform_calculate(part="datum.query_length * datum.key_length * cos(datum.a - datum.b)")
    base = base.transform_joinaggregate(total="sum(part)", pairs="count()")
    shown = base.transform_filter("datum.shown >= 0").transform_calculate(
        column=f"datum.shown % {COLUMNS}", row=f"floor(datum.shown / {COLUMNS})",
        turn=f"(datum.period < 100 ? format(datum.period, '.1f') : format(datum.period, ',.0f')) + ' {turns}'",
    )  # fmt: skip
    x = alt.X("column:Q", scale=alt.Scale(domain=[-0.5, COLUMNS - 0.5], nice=False), axis=None)
    y = alt.Y("row:Q", scale=alt.Scale(domain=[1.62, -0.62], nice=False), axis=None)
    ring = shown.mark_point(shape="circle", size=4 * DIAL**2, strokeWidth=1, stroke="currentColor", opacity=0.3).encode(x=x, y=y)
    layers = [ring]
    legend = role_color(labels={"computed": query, "reused": key})
    for role, angle, length in (("reused", "b", "key_length"), ("computed", "a", "query_length")):
        hand = shown.transform_calculate(
            role=f"'{role}'", degrees=f"datum.{angle} * 180 / PI", reach=f"pow(2 * {DIAL} * sqrt(datum.{length} / datum.longest), 2)"
        )
        layers.append(
            hand.mark_point(shape=HAND, strokeWidth=3, filled=False, opacity=1).encode(
                x=x, y=y, color=legend, angle=alt.Angle("degrees:Q", scale=None), size=alt.Size("reach:Q", scale=None, legend=None),
                tooltip=[alt.Tooltip("pair:Q"), alt.Tooltip("turn:N", title=" ")],
            )
        )  # fmt: skip
    layers.append(shown.mark_text(dy=DIAL + 13, fontSize=12, fill="currentColor").encode(x=x, y=y, text="turn:N"))
    line = base.transform_filter("datum.pair == 1").transform_calculate(
        line=f"'{score} = ' + format(datum.total / sqrt(2 * datum.pairs), '.3f')"
    )
    line = line.mark_text(fontSize=19, fontWeight="bold", fill="currentColor")
    layers.append(line.encode(x=alt.datum((COLUMNS - 1) / 2), y=alt.datum(-0.58), text="line:N"))
    chart = alt.layer(*layers)
    for name, selector in (("shift_now", shift), ("gap_now", gap)):
        bind = {"bind": {"element": selector, "event": "input"}} if selector else {}
        chart = chart.add_params(alt.param(name=name, value=None, **bind))
    return finish(chart, language, height=270)


def distance_data(scores: Sequence[float], gap: int, real: int | None) -> pd.DataFrame:
    """One row a distance from 0: the score there; `gap` is the slider's, `real` how far both tokens stand apart in the text."""
    n = len(scores)
    rows = {"distance": np.arange(n, dtype=np.int16), "score": np.asarray(scores, np.float32), "gap": np.int32(gap)}
    return pd.DataFrame(rows | {"real": np.float32(np.nan if real is None or real >= n else real)})


def highest(curve: pd.DataFrame) -> dict[str, float]:
    """Where `distance_data` is highest, and the score there: best, highest."""
    return {"best": int(curve["distance"][curve["score"].argmax()]), "highest": float(curve["score"].max())}


@spec
def distance_chart(longest: int, distance: str, score: str, real: str, follow: str = "", language: str = "en"):
    """Score against distance (`distance_data`); a point follows the slider `follow` names, a dashed line marks the text's own distance."""
    x = alt.X("distance:Q", title=distance, scale=alt.Scale(domain=[0, longest], nice=False), axis=alt.Axis(grid=False, tickMinStep=1))
    y = alt.Y("score:Q", title=score, scale=alt.Scale(zero=False, padding=26), axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    tooltip = [alt.Tooltip("distance:Q", title=distance), alt.Tooltip("score:Q", title=score, format=".2f")]
    base = in_role(alt.Chart(), "computed").encode(x=x, y=y, tooltip=tooltip)
    here = "datum.distance == (isValid(toNumber(gap_now)) ? toNumber(gap_now) : datum.gap)"
    point = base.transform_filter(here).mark_point(filled=True, size=190, opacity=1)
    texts = []
    for side, align, dx in (("<=", "left", 11), (">", "right", -11)):  # beside the point, towards the middle
        text = base.transform_filter(here).transform_filter(f"datum.distance {side} {longest / 2:g}")
        text = text.mark_text(align=align, dx=dx, dy=-12, fontSize=15, fill="currentColor")
        texts.append(text.encode(text=alt.Text("score:Q", format=".2f")))
    there = alt.Chart().transform_aggregate(distance="max(real)").transform_filter("isValid(datum.distance)")
    rule = there.mark_rule(strokeDash=[5, 4], stroke="currentColor", opacity=0.6).encode(x=x)
    name = there.transform_calculate(word=f"'{real}'")
    name = name.mark_text(align="left", baseline="bottom", dx=5, dy=-4, fontSize=12, fill="currentColor", opacity=0.8)
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    chart = alt.layer(base.mark_line(strokeWidth=2), rule, name.encode(x=x, y=alt.value("height"), text="word:N"), point, *texts)
    return finish(chart.add_params(alt.param(name="gap_now", value=None, **bind)), language, height=230)


def scheme_data(numbers: np.ndarray) -> pd.DataFrame:
    """Numbers (rows, positions) as cells; `shade` is a number over the largest, -1 to 1."""
    rows, places = np.indices(numbers.shape)
    largest = np.abs(numbers).max() or 1.0
    columns = {"row": rows.ravel() + 1, "position": places.ravel(), "number": numbers.ravel().astype(np.float32)}
    return pd.DataFrame(columns | {"shade": (numbers.ravel() / largest).astype(np.float32)})


@spec
def scheme_chart(rows: int, row: str, position: str, number: str, language: str = "en"):
    """Cells of `scheme_data`: orange above 0, blue below; positions to the right."""
    names = {"position:O": position, "row:O": row}
    tooltip = [alt.Tooltip(field, title=word) for field, word in names.items()] + [alt.Tooltip("number:Q", title=number, format=".3f")]
    cells = alt.Chart().mark_rect().encode(
        x=alt.X("position:O", title=position, axis=alt.Axis(labelAngle=0, labelOverlap=True, values=list(range(0, 256, 8)))),
        y=alt.Y("row:O", title=row, axis=alt.Axis(labelOverlap=True, values=[1, *range(8, 129, 8)])),
        color=alt.Color("shade:Q", scale=alt.Scale(domain=[-1, 1], domainMid=0), legend=None),
        tooltip=tooltip,
    )  # fmt: skip
    return finish(cells, language, height=max(160, 5 * rows))


def order_data(effects: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One of RUNS -> (L,) shares, one for each block: how far another order of the words moved the last token's state."""
    parts = [
        pd.DataFrame({"block": np.arange(1, len(e) + 1, dtype=np.int16), "effect": np.asarray(e, np.float32), "role": RUNS[run]})
        for run, e in effects.items()
    ]
    return pd.concat(parts, ignore_index=True)


@spec
def order_chart(blocks: int, block: str, effect: str, language: str = "en", **labels: str):
    """Lines of `order_data`; `labels` (role -> words) name them."""
    shares = alt.Axis(format=".0%", tickCount=6, gridOpacity=0.5)
    chart = alt.Chart().mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=55, filled=True), clip=False).encode(
        x=alt.X("block:Q", title=block, scale=alt.Scale(domain=[1, blocks], nice=False), axis=alt.Axis(grid=False, tickMinStep=1)),
        y=alt.Y("effect:Q", title=effect, scale=alt.Scale(domain=[0, 1.2], clamp=True), axis=shares),
        color=role_color(labels=labels, columns=1),
        tooltip=[alt.Tooltip("block:Q", title=block), alt.Tooltip("effect:Q", title=effect, format=".1%")],
    )  # fmt: skip
    return finish(chart, language, height=350)


def long_data(curves: Mapping[str, Sequence[float]], width: int) -> pd.DataFrame:
    """One of LINES -> mean losses (nats) of every `width` tokens in a row: one row a bin, at its middle."""
    parts = []
    for method, losses in curves.items():
        middle = (np.arange(len(losses)) + 0.5) * width
        parts.append(pd.DataFrame({"position": middle, "nll": np.asarray(losses, np.float32), "role": LINES[method]}))
    return pd.concat(parts, ignore_index=True)


def binned(losses: np.ndarray, width: int) -> np.ndarray:
    """Mean loss of every `width` tokens in a row, (n,) -> (ceil(n / width),); the last may hold fewer."""
    losses = np.asarray(losses, np.float32)
    return np.array([losses[i : i + width].mean() for i in range(0, len(losses), width)], np.float32)


@spec
def long_chart(longest: int, trained: int, position: str, nll: str, limit: str, language: str = "en", **labels: str):
    """Loss along a text (`long_data`); a rule stands where training texts ended. `labels` (role -> words) name the lines."""
    axis = alt.Axis(grid=False, format=",d", tickCount=6)
    x = alt.X("position:Q", title=position, scale=alt.Scale(domain=[0, longest], nice=False), axis=axis)
    lines = alt.Chart().mark_line(strokeWidth=3, clip=True).encode(
        x=x,
        y=alt.Y("nll:Q", title=nll, scale=alt.Scale(domain=[2, 8]), axis=alt.Axis(tickCount=6, gridOpacity=0.5)),
        color=role_color(labels=labels, columns=1),
        tooltip=[alt.Tooltip("position:Q", title=position, format=",.0f"), alt.Tooltip("nll:Q", title=nll, format=".2f")],
    )  # fmt: skip
    edge = alt.Chart().mark_rule(strokeDash=[5, 4], stroke="currentColor", opacity=0.7).encode(x=alt.datum(trained))
    word = alt.Chart().transform_aggregate(n="count()").transform_calculate(word=f"'{limit}'")
    word = word.mark_text(align="left", dx=6, fontSize=12, fill="currentColor").encode(x=alt.datum(trained), y=alt.value(8), text="word:N")
    return finish(alt.layer(lines, edge, word), language, height=400)
