"""Two beginnings against each other, things by whom they are expected of, and confidence against being right."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_order, in_role, role_color, spec
from core.measure.association import Association
from core.measure.calibration import Reliability

FARTHEST = 4.5  # bits, the ends of the axis of associations
ROW = 24  # pixels a thing
# Occupations are what is asked about, the other lists are there to compare with.
GROUP_ROLES = {"occupation": "computed", "definition": "reused", "control": "dropped"}


def pair_data(words: Sequence[str], a: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    """Probabilities of each continuation after both beginnings, (n,) each; one row a bar."""
    n = len(words)
    return pd.DataFrame(
        {
            "row": [*range(n)] * 2, "word": [*words, *words], "role": ["computed"] * n + ["reused"] * n,
            "share": np.concatenate((a, b)).astype(np.float32),
        }
    )  # fmt: skip


@spec
def pair_chart(rows: int, first: str, second: str, word: str, share: str, language: str = "en"):
    """Two bars a continuation: after the first beginning and after the second. The axis fits the largest."""
    x = alt.X("share:Q", axis=alt.Axis(format="~%", title=share, tickCount=5), scale=alt.Scale(domainMin=0))
    y = alt.Y("word:N", sort=in_order("row"), title=None, axis=alt.Axis(labelFontSize=14, labelLimit=140, labelOverlap=False))
    tooltip = [alt.Tooltip("word:N", title=word), alt.Tooltip("share:Q", title=share, format=".3%")]
    base = alt.Chart().encode(x=x, y=y, color=role_color(labels={"computed": first, "reused": second}), tooltip=tooltip)
    bars = [
        base.transform_filter(f"datum.role == '{role}'").mark_bar(size=13, cornerRadiusEnd=4, yOffset=shift)
        for role, shift in (("computed", -8), ("reused", 8))
    ]
    return finish(alt.layer(*bars), language, height=44 * rows + 90)  # legend and axis stand in it too


def association_data(found: Sequence[Association], groups: Mapping[str, str]) -> pd.DataFrame:
    """One row a thing, each group sorted; `groups`: group -> word."""
    order = sorted(found, key=lambda one: (list(GROUP_ROLES).index(one.group), -one.mean))
    return pd.DataFrame(
        {
            "row": range(len(order)), "words": [one.words for one in order], "group": [groups[one.group] for one in order],
            "role": [GROUP_ROLES[one.group] for one in order], "mean": np.array([one.mean for one in order], np.float32),
            "low": np.array([one.low for one in order], np.float32), "high": np.array([one.high for one in order], np.float32),
            "clear": [one.low > 0 or one.high < 0 for one in order],
        }
    )  # fmt: skip


@spec
def association_chart(rows: int, bits: str, language: str = "en", **groups: str):
    """A dot a thing with its interval; 0 is what is expected of women and men alike. Clear of 0: a full dot."""
    scale = alt.Scale(domain=[-FARTHEST, FARTHEST], clamp=True)
    x = alt.X("mean:Q", scale=scale, axis=alt.Axis(title=bits, orient="top", tickCount=9, format="+"))
    y = alt.Y("words:N", sort=alt.EncodingSortField("row"), title=None, axis=alt.Axis(labelLimit=230, labelFontSize=13, labelOverlap=False))
    base = alt.Chart().encode(
        y=y, color=role_color(labels={GROUP_ROLES[name]: word for name, word in groups.items()}),
        tooltip=["words:N", "group:N", *(alt.Tooltip(f"{name}:Q", format="+.2f") for name in ("mean", "low", "high"))],
    )  # fmt: skip
    zero = alt.Chart().mark_rule(stroke="currentColor", strokeDash=[4, 4]).encode(x=alt.X("nought:Q", scale=scale))
    zero = zero.transform_calculate(nought="0")
    spans = base.mark_rule(strokeWidth=3, opacity=0.45).encode(x=alt.X("low:Q", scale=scale), x2="high")
    full = base.transform_filter("datum.clear").mark_circle(size=110, opacity=1).encode(x=x)
    hollow = base.transform_filter("!datum.clear").mark_point(size=70, opacity=1, strokeWidth=1.5).encode(x=x)
    return finish(alt.layer(zero, spans, full, hollow), language, height=ROW * rows + 40)


def reliability_data(found: Mapping[float, Reliability], own: Mapping[float, Reliability], now: float) -> pd.DataFrame:
    """One row a bin and temperature: `found` recorded, `own` of the viewer's text; `now` is the temperature the server knows."""
    frames = []
    for role, by_temperature in (("computed", found), ("reused", own)):
        for temperature, one in by_temperature.items():
            frames.append(
                pd.DataFrame(
                    {
                        "temperature": np.float32(temperature), "role": role, "bin": (np.arange(len(one.count)) + 0.5) / len(one.count),
                        "confidence": one.confidence.numpy(), "accuracy": one.accuracy.numpy(), "count": one.count.numpy().astype(np.int32),
                        "now": abs(temperature - now) < 1e-4,
                    }
                )
            )  # fmt: skip
    data = pd.concat(frames, ignore_index=True)
    return data[data["count"] > 0].reset_index(drop=True)


@spec
def reliability_chart(words: str, own: str, confidence: str, accuracy: str, count: str, follow: str, language: str = "en"):
    """How often the model is right (bars) where it is so sure (across); on the dashed line it knows what it knows.

    Bars are recorded, dots the viewer's own text, larger where there are more predictions. Follows the slider in the browser.
    """
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("bin:Q", scale=scale, axis=alt.Axis(format=".0%", title=confidence, tickCount=5))
    y = alt.Y("accuracy:Q", scale=scale, axis=alt.Axis(format=".0%", title=accuracy, tickCount=5))
    tooltip = [
        alt.Tooltip("confidence:Q", title=confidence, format=".1%"), alt.Tooltip("accuracy:Q", title=accuracy, format=".1%"),
        alt.Tooltip("count:Q", title=count, format=","),
    ]  # fmt: skip
    base = alt.Chart().transform_filter("isValid(toNumber(slider)) ? abs(datum.temperature - toNumber(slider)) < 1e-4 : datum.now")
    color = role_color(labels={"computed": words, "reused": own})
    bars = base.transform_filter("datum.role == 'computed'").mark_bar(size=26, cornerRadiusEnd=4)
    bars = bars.encode(x=x, y=y, color=color, tooltip=tooltip)
    sizes = alt.Size("count:Q", scale=alt.Scale(domain=[0, 100], range=[30, 500], clamp=True), legend=None)
    dots = base.transform_filter("datum.role == 'reused'").mark_circle(opacity=1, stroke="white", strokeWidth=1)
    dots = dots.encode(x=alt.X("confidence:Q", scale=scale), y=y, size=sizes, color=color, tooltip=tooltip)
    ideal = in_role(base.transform_filter("datum.role == 'computed'"), "dropped").mark_line(strokeDash=[6, 4], strokeWidth=2)
    ideal = ideal.encode(x=alt.X("bin:Q", scale=scale), y=alt.Y("bin:Q", scale=scale))
    chart = alt.layer(bars, ideal, dots).add_params(alt.param(name="slider", value=None, bind={"element": follow, "event": "input"}))
    return finish(chart, language, height=340)
