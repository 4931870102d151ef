"""Recorded speed: every control as a row, answers by number of viewers, memory by page."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

ROW = 36  # pixels a control: its name above its bar


def controls_data(rows: Sequence[Mapping], names: Sequence[str]) -> pd.DataFrame:
    """One row a control with its name; a control may have several rows, one for each picture it drives."""
    return pd.DataFrame(
        {
            "row": range(len(rows)),
            "name": list(names),
            "median": [row["median_ms"] for row in rows],
            "low": [min(ms for ms in row["ms"] if ms is not None) for row in rows],
            "high": [max(ms for ms in row["ms"] if ms is not None) for row in rows],
            "ratio": [row["ratio"] for row in rows],
            "role": ["computed" if row["ratio"] > 2 else "reused" for row in rows],
        }
    )


@spec
def controls_chart(base: float, longest: float, language: str = "en", **words: str):
    """Bars of `controls_data`, their height set by `of_height` with ROW; rules at `base`, an empty page’s ms, and at twice that.

    `words`: ms, name, ratio, twice.
    """
    x = alt.X("median:Q", title=words["ms"], scale=alt.Scale(domain=[0, longest], clamp=True))
    tooltip = [
        alt.Tooltip("name:N", title=words["name"]),
        alt.Tooltip("median:Q", title=words["ms"], format=".0f"),
        alt.Tooltip("ratio:Q", title=words["ratio"], format=".2f"),
    ]
    y = alt.Y("row:O", axis=None)
    bars = alt.Chart().mark_bar(height=10, yOffset=8, cornerRadiusEnd=3).encode(x=x, y=y, color=role_color(), tooltip=tooltip)
    span = alt.Chart().mark_rule(opacity=0.55, stroke="currentColor", yOffset=8).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    names = alt.Chart().mark_text(align="left", dy=-5, fill="currentColor", fontSize=12).encode(x=alt.value(0), y=y, text="name:N")
    once = alt.Chart().transform_filter("datum.row == 0")
    rule = once.mark_rule(strokeDash=[4, 4], opacity=0.7, stroke="currentColor")
    rules = [rule.encode(x=alt.datum(at)) for at in (base, 2 * base)]
    sign = once.mark_text(text=words["twice"], align="left", dx=4, dy=-24, fontSize=11, fill="currentColor")
    layers = alt.layer(*rules, bars, span, names, sign.encode(x=alt.datum(2 * base), y=y))
    return finish(layers.properties(padding={"top": 26, "left": 5, "right": 5, "bottom": 5}), language)


def load_data(runs: Sequence[Mapping]) -> pd.DataFrame:
    """Seconds by number of viewers: the median and what 95 of 100 answers stay below."""
    rows = [(run["viewers"], run[field], role) for run in runs for field, role in (("median_s", "reused"), ("p95_s", "computed"))]
    return pd.DataFrame(rows, columns=["viewers", "seconds", "role"])


@spec
def load_chart(language: str = "en", **words: str):
    """Lines of `load_data`. `words`: viewers, seconds, median, most."""
    base = alt.Chart().encode(
        x=alt.X("viewers:Q", title=words["viewers"], axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(domainMin=0)),
        y=alt.Y("seconds:Q", title=words["seconds"], scale=alt.Scale(domainMin=0)),
        color=role_color(labels={"reused": words["median"], "computed": words["most"]}, columns=1),
        tooltip=[alt.Tooltip("viewers:Q", title=words["viewers"]), alt.Tooltip("seconds:Q", title=words["seconds"], format=".2f")],
    )
    return finish(alt.layer(base.mark_line(strokeWidth=2.5), base.mark_point(filled=True, size=70)), language, height=260)


def memory_data(run: Mapping, titles: Mapping[str, str], start: str, round_word: str) -> pd.DataFrame:
    """MB after start, after every page and after every round, in that order."""
    steps = [(start, run["start_mb"])] + [(titles.get(page, page), mb) for page, mb in run["after_page_mb"].items()]
    steps += [(f"{round_word} {n}", mb) for n, mb in enumerate(run["after_round_mb"], 1)]
    return pd.DataFrame({"place": range(len(steps)), "step": [name for name, _ in steps], "mb": [mb for _, mb in steps]})


@spec
def memory_chart(at: float, language: str = "en", **words: str):
    """Steps of `memory_data` with a line at `at` MB. `words`: mb, step, limit."""
    base = alt.Chart()
    x = alt.X("place:O", axis=None)
    tooltip = [alt.Tooltip("step:N", title=words["step"]), alt.Tooltip("mb:Q", title=words["mb"], format=",.0f")]
    y = alt.Y("mb:Q", title=words["mb"], scale=alt.Scale(domain=[0, 1200], clamp=True))
    bars = in_role(base, "paged").mark_bar().encode(x=x, y=y, tooltip=tooltip)
    rule = base.transform_filter("datum.place == 0").mark_rule(strokeDash=[4, 4], stroke="currentColor").encode(y=alt.datum(at))
    sign = base.transform_filter("datum.place == 0").mark_text(align="left", fill="currentColor", text=words["limit"])
    return finish(alt.layer(bars, rule, sign.encode(x=alt.value(4), y=alt.value(4))), language, height=260)
