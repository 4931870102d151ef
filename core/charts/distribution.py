"""The next token's probabilities as bars, before and after."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import EVERY_ROW, finish, in_order, role_color, spec
from core.charts.tokens import axis_labels

ROW = 30  # pixels a candidate


def distribution_data(
    ids: Sequence[int], labels: Sequence[str], before: np.ndarray, after: np.ndarray, place: int = 0
) -> pd.DataFrame:
    """One row a candidate, in the order given: probabilities before and after, both (n,).

    `place` tells charts of different texts apart, so that a click on one is not taken for a click on another.
    """
    return pd.DataFrame(
        {
            "id": np.asarray(ids, np.int32),
            "place": np.int32(place),
            "rank": np.arange(len(labels), dtype=np.int32),
            "token": list(labels),
            "before": np.asarray(before, np.float32),
            "after": np.asarray(after, np.float32),
            "label": axis_labels(labels),
        }
    )


def sweep_data(
    data: pd.DataFrame, temperatures: Sequence[float], afters: np.ndarray, lines: Sequence[str], now: float
) -> pd.DataFrame:
    """`distribution_data` of n candidates once for each of G temperatures; afters (G, n), `lines` (G) stand above the bars.

    `now` is the temperature that the server knows; its rows are marked.
    """
    n = len(data)
    swept = data.iloc[np.tile(np.arange(n), len(temperatures))].reset_index(drop=True)
    swept["after"] = np.asarray(afters, np.float32).ravel()
    swept["temperature"] = np.repeat(np.asarray(temperatures, np.float32), n)
    swept["line"] = np.where(swept["rank"] == 0, np.repeat(np.asarray(lines, object), n), "")
    swept["now"] = abs(swept["temperature"] - now) < 1e-4
    return swept


@spec
def distribution_chart(rows: int, before: str, after: str, token: str, language: str = "en", follow: str = ""):
    """Bars of `distribution_data`: a wide grey one behind (before), a hot one in front (after).

    The axis always runs from 0 to 100 %, so that change is seen. `before`, `after` and `token` are the
    words for them; without a word for before, only the other bars are drawn. A click on a row selects its
    id and place in the selection `pick`.

    With `follow`, the CSS selector of a slider on the page, the data is `sweep_data` with a column `now`
    (true for the temperature the server knows): the bars then follow the slider in the browser, with
    numbers that were all computed by `core.decoding.sweep`.
    """
    pick = alt.selection_point(name="pick", fields=["id", "place"], on="click", empty=False, toggle=False)
    room = alt.ExprRef("clamp(width / (width - 56), 1.12, 2)")  # the share is written behind its bar, also on a phone
    scale = alt.Scale(domainMin=0, domainMax=room, nice=False)
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title=None)
    tooltip = [alt.Tooltip("token:N", title=token), alt.Tooltip("after:Q", title=after, format=".2%")]
    if before:
        tooltip.insert(1, alt.Tooltip("before:Q", title=before, format=".2%"))
    labels = alt.Axis(title=None, labelFontSize=14, **EVERY_ROW | {"labelLimit": 140})
    base = alt.Chart()
    if follow:
        base = base.transform_filter("isValid(toNumber(slider)) ? abs(datum.temperature - toNumber(slider)) < 1e-4 : datum.now")
    base = base.encode(y=alt.Y("label:N", sort=in_order("rank"), axis=labels), tooltip=tooltip)
    color = role_color(labels={"computed": after, "dropped": before} if before else None)
    behind = base.transform_calculate(role="'dropped'").mark_bar(size=19, opacity=0.5, cornerRadiusEnd=4)
    front = base.transform_calculate(role="'computed'").mark_bar(size=10 if before else 19, cornerRadiusEnd=4)
    written = "datum.after == 0 ? '–' : datum.after < 0.001 ? '< ' + format(0.001, '.1%') : format(datum.after, '.1%')"
    share = base.transform_calculate(end="max(datum.before, datum.after)", written=written)
    share = share.mark_text(align="left", dx=6, fontSize=13, fill="currentColor")
    row = base.mark_bar(size=ROW, opacity=0, cursor="pointer")  # invisible, but it makes the whole row clickable
    layers = [
        *([behind.encode(x=alt.X("before:Q", scale=scale, axis=axis), color=color)] if before else []),
        front.encode(x=alt.X("after:Q", scale=scale, axis=axis), color=color),
        share.encode(x=alt.X("end:Q", scale=scale, axis=axis), text="written:N"),
        row.encode(x=alt.value(0), x2=alt.value("width")).add_params(pick),
    ]
    if follow:
        line = base.transform_filter("datum.rank == 0").mark_text(align="right", baseline="bottom", fontSize=14, fill="currentColor")
        layers.append(line.encode(x=alt.value("width"), y=alt.value(-6), text="line:N"))
    chart = alt.layer(*layers)
    if follow:
        chart = chart.add_params(alt.param(name="slider", value=None, bind={"element": follow, "event": "input"}))
    return finish(chart, language, height=ROW * rows + 16)


def score_table(
    labels: Sequence[str], logits: np.ndarray, softmax: np.ndarray, hardmax: np.ndarray, temperature: float
) -> pd.DataFrame:
    """How scores (n,), highest first, become shares: logit, exp((logit - highest) / temperature), softmax, hardmax."""
    below = np.asarray(logits, np.float32) - np.float32(logits[0])
    scaled = np.exp(below / temperature) if temperature > 0 else (below == 0).astype(np.float32)
    return pd.DataFrame({"token": list(labels), "logit": logits, "scaled": scaled, "softmax": softmax, "hardmax": hardmax})
