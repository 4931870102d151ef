"""Charts of the in-context learning lab: examples against the right answer, induction scores, loss along a text."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, role_color, spec

RUNS = {"all": "computed", "induction": "reused", "others": "dropped"}  # which heads are off -> the line


def shots_data(curves: Mapping[str, Sequence[float]], counts: Sequence[int], says: Sequence[str], now: int = 0) -> pd.DataFrame:
    """One of RUNS -> probability of the right answer after so many examples (`counts`); `says`: the likeliest token with all heads on.

    `now` is the number of examples that the slider stands at.
    """
    same = {"shots": np.asarray(counts, np.int8), "says": list(says), "now": np.int8(now)}
    parts = [pd.DataFrame(same | {"share": np.asarray(shares, np.float32), "role": RUNS[run]}) for run, shares in curves.items()]
    return pd.concat(parts, ignore_index=True)


@spec
def shots_chart(most: int, examples: str, share: str, says: str, follow: str = "", language: str = "en", **labels: str):
    """The right answer's probability against the number of examples (`shots_data`), 0 to 100 %.

    `follow`: CSS selector of a slider that a large point follows. `labels` (role -> words) name several lines.
    """
    scale = alt.Scale(domain=[0, most], nice=False, padding=14)
    x = alt.X("shots:Q", title=examples, scale=scale, axis=alt.Axis(grid=False, tickMinStep=1))
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], gridOpacity=0.5)
    y = alt.Y("share:Q", title=share, scale=alt.Scale(domain=[0, 1.08], nice=False), axis=axis)
    tooltip = [alt.Tooltip("shots:Q", title=examples), alt.Tooltip("share:Q", title=share, format=".1%"), alt.Tooltip("says:N", title=says)]
    base = alt.Chart().encode(x=x, y=y, color=role_color(labels=labels or None, columns=1), tooltip=tooltip)
    layers = [base.mark_line(strokeWidth=3), base.mark_point(filled=True, size=55, opacity=1)]
    if follow:
        here = base.transform_filter("datum.shots == (isValid(toNumber(slider)) ? toNumber(slider) : datum.now)")
        layers.append(here.mark_point(filled=True, size=320, opacity=1))
        written = here.transform_calculate(
            text="format(datum.share, '.0%') + '  ' + datum.says", right="datum.shots > 4", below="datum.share > 0.5"
        )
        for right, align, dx in ((False, "left", 14), (True, "right", -14)):  # beside the point, and away from the curve
            for below, dy in ((False, -16), (True, 24)):
                text = written.transform_filter(f"datum.right == {str(right).lower()} && datum.below == {str(below).lower()}")
                style = {"fontSize": 17, "fontWeight": "bold", "fill": "currentColor"}
                layers.append(text.encode(text="text:N").mark_text(align=align, dx=dx, dy=dy, **style))
    chart = alt.layer(*layers)
    if follow:
        chart = chart.add_params(alt.param(name="slider", value=None, bind={"element": follow, "event": "input"}))
    return finish(chart, language, height=300 + 26 * len(labels))


def scores_data(scores: np.ndarray, off: Sequence[tuple[int, int]], opened: tuple[int, int]) -> pd.DataFrame:
    """One row a head of scores (L, H): layer and head from 1; `framed` 2 = opened, 1 = among the strongest, `off`."""
    layer, head = np.indices(scores.shape)
    layer, head = layer.ravel(), head.ravel()
    framed = [2 if place == opened else int(place in set(off)) for place in zip(layer.tolist(), head.tolist())]
    rows = {"layer": layer + 1, "head": head + 1, "score": np.asarray(scores, np.float32).ravel(), "framed": np.array(framed, np.int8)}
    return pd.DataFrame(rows)


@spec
def scores_chart(layers: int, layer: str, head: str, score: str, language: str = "en"):
    """Induction scores (`scores_data`) as cells, a row a layer; a click selects `layer` and `head` in the selection `pick`."""
    pick = alt.selection_point(name="pick", fields=["layer", "head"], on="click", empty=False)
    cells = alt.Chart().mark_rect(cursor="pointer", cornerRadius=2).encode(
        x=alt.X("head:O", title=head, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("layer:O", title=layer),
        color=alt.Color("score:Q", scale=alt.Scale(domain=[0, 1]), legend=None),
        stroke=alt.condition("datum.framed > 0", alt.value("currentColor"), alt.value("transparent")),
        strokeWidth=alt.condition("datum.framed > 1", alt.value(3), alt.value(1)),
        tooltip=[alt.Tooltip("layer:O", title=layer), alt.Tooltip("head:O", title=head), alt.Tooltip("score:Q", title=score, format=".1%")],
    )  # fmt: skip
    return finish(cells.add_params(pick), language, height=70 + 26 * layers)


def twice_data(curves: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """One of RUNS -> losses (T - 1,) of random tokens read twice: position (1 = first token), nll, role."""
    parts = [
        pd.DataFrame({"position": np.arange(2, len(nll) + 2, dtype=np.int16), "nll": np.asarray(nll, np.float32), "role": RUNS[run]})
        for run, nll in curves.items()
    ]
    return pd.concat(parts, ignore_index=True)


@spec
def twice_chart(half: int, position: str, nll: str, again: str, language: str = "en", **labels: str):
    """Loss along random tokens read twice (`twice_data`); a rule stands where they begin again, after `half` tokens."""
    x = alt.X("position:Q", title=position, scale=alt.Scale(domain=[1, 2 * half], nice=False), axis=alt.Axis(grid=False, tickMinStep=1))
    y = alt.Y("nll:Q", title=nll, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    tooltip = [alt.Tooltip("position:Q", title=position), alt.Tooltip("nll:Q", title=nll, format=".1f")]
    lines = alt.Chart().mark_line(strokeWidth=2.5).encode(x=x, y=y, color=role_color(labels=labels, columns=1), tooltip=tooltip)
    edge = alt.Chart().mark_rule(strokeDash=[5, 4], stroke="currentColor", opacity=0.7).encode(x=alt.datum(half + 0.5))
    word = alt.Chart().transform_aggregate(n="count()").transform_calculate(word=f"'{again}'")
    word = word.mark_text(align="left", dx=6, fontSize=12, fill="currentColor")
    word = word.encode(x=alt.datum(half + 0.5), y=alt.value(8), text="word:N")
    return finish(alt.layer(lines, edge, word), language, height=350)


def place_data(models: Sequence[tuple[str, Sequence[float]]], width: int) -> pd.DataFrame:
    """Bits per byte of every `width` bytes, one curve a model (title, numbers): bytes read before, bits, model."""
    parts = [
        pd.DataFrame({"bytes": (np.arange(len(bits)) + 0.5) * width, "bits": np.asarray(bits, np.float32), "model": title})
        for title, bits in models
    ]
    return pd.concat(parts, ignore_index=True)


@spec
def place_chart(longest: int, read: str, bits: str, model: str, language: str = "en"):
    """Bits per byte against what was read before (`place_data`), a line a model, however many there are."""
    axis = alt.Axis(grid=False, format=",d", tickCount=6)
    legend = alt.Legend(title=None, orient="top", columns=1, labelLimit=0, symbolType="square", symbolOpacity=1)
    chart = alt.Chart().mark_line(strokeWidth=3).encode(
        x=alt.X("bytes:Q", title=read, scale=alt.Scale(domain=[0, longest], nice=False), axis=axis),
        y=alt.Y("bits:Q", title=bits, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
        color=alt.Color("model:N", sort=None, legend=legend),
        tooltip=[
            alt.Tooltip("model:N", title=model),
            alt.Tooltip("bytes:Q", title=read, format=",.0f"),
            alt.Tooltip("bits:Q", title=bits, format=".2f"),
        ],
    )  # fmt: skip
    return finish(chart, language, height=380)
