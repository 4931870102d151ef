"""Charts of the KV cache lab: work per step, two lanes on one clock, lines over steps, pages, large models."""

import altair as alt
import pandas as pd

from core.charts.theme import finish, in_role, role_color
from core.measure.pages import Dropped
from core.measure.segments import Segment


def work_data(steps: list[list[Segment]]) -> pd.DataFrame:
    """One row a run of tokens with the same fate: step, start, end, role."""
    rows = [(i, s.start, s.end, s.state) for i, segments in enumerate(steps, 1) for s in segments]
    return pd.DataFrame(rows, columns=["step", "start", "end", "role"])


def work_chart(steps: list[list[Segment]], words: dict[str, str], n_tokens: int, n_steps: int, language: str = "en"):
    """One row a step: computed now, reused from the cache, or dropped. Axes hold `n_tokens` and `n_steps`."""
    data = work_data(steps)
    data["what"] = data["role"].map(words)
    labels = {role: words[role] for role in ("computed", "reused", "dropped")}
    chart = alt.Chart(data).mark_bar(height=9, cornerRadius=1).encode(
        x=alt.X("start:Q", title=words["tokens"], scale=alt.Scale(domain=[0, n_tokens], nice=False), axis=alt.Axis(grid=False, tickMinStep=1)),
        x2="end:Q",
        y=alt.Y("step:O", title=words["step"], scale=alt.Scale(domain=list(range(1, n_steps + 1))), axis=alt.Axis(labelOverlap=True, grid=False)),
        color=role_color(labels=labels),
        tooltip=[alt.Tooltip("step:O", title=words["step"]), alt.Tooltip("what:N", title=" "), alt.Tooltip("start:Q"), alt.Tooltip("end:Q")],
    )  # fmt: skip
    return finish(chart, language, height=14 * n_steps + 60)


def steps_data(series: dict[str, list[float]]) -> pd.DataFrame:
    """series, step, value."""
    return pd.DataFrame([(name, i, v) for name, values in series.items() for i, v in enumerate(values, 1)], columns=["series", "step", "value"])


def steps_chart(data: pd.DataFrame, words: dict[str, str], order: list[str], y_max: float, language: str = "en"):
    """Lines over steps, one a series of `steps_data`."""
    chart = alt.Chart(data).mark_line(strokeWidth=2.5, clip=True, point=alt.OverlayMarkDef(size=18)).encode(
        x=alt.X("step:Q", title=words["step"], axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=words["y"], scale=alt.Scale(domain=[0, y_max]), axis=alt.Axis(format="~s", tickCount=5)),
        color=alt.Color("series:N", sort=order, scale=alt.Scale(domain=order), legend=alt.Legend(title=None, orient="top", columns=3)),
        tooltip=[alt.Tooltip("series:N", title=" "), alt.Tooltip("step:Q", title=words["step"]), alt.Tooltip("value:Q", title=words["y"], format=",.4~g")],
    )  # fmt: skip
    return finish(chart, language, height=260)


def clock_chart(data: pd.DataFrame, words: dict[str, str], seconds: float, tokens: int, language: str = "en"):
    """Two lanes on one clock; columns lane, role, seconds, tokens."""
    chart = alt.Chart(data).mark_line(interpolate="step-after", strokeWidth=3, clip=True).encode(
        x=alt.X("seconds:Q", title=words["seconds"], scale=alt.Scale(domain=[0, seconds], nice=False)),
        y=alt.Y("tokens:Q", title=words["written"], scale=alt.Scale(domain=[0, tokens]), axis=alt.Axis(tickMinStep=1)),
        color=role_color(labels={"computed": words["without"], "reused": words["with"]}),
        tooltip=[alt.Tooltip("lane:N", title=" "), alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("tokens:Q", title=words["written"])],
    )  # fmt: skip
    return finish(chart, language, height=220)


def model_bars(data: pd.DataFrame, ceilings: pd.DataFrame, words: dict[str, str], x_max: float, language: str = "en"):
    """Cache size of well-known models; columns model, gb, detail; ceilings gpu, gb are drawn as lines."""
    data = data.assign(shown=data["gb"].clip(upper=x_max))
    x = alt.X("shown:Q", title=words["gigabytes"], scale=alt.Scale(domain=[0, 1.12 * x_max], nice=False))
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [alt.Tooltip("model:N", title=" "), alt.Tooltip("gb:Q", title="GB", format=",.3~f"), alt.Tooltip("detail:N", title=" ")]
    bars = in_role(alt.Chart(data), "reused").mark_bar(cornerRadiusEnd=3, size=16).encode(x=x, y=y, tooltip=tooltip)
    sizes = alt.Chart(data).mark_text(align="left", dx=5, fill="currentColor").encode(x=x, y=y, text=alt.Text("gb:Q", format=",.2~f"))
    lines = alt.Chart(ceilings).encode(x="gb:Q")
    rules = in_role(lines, "computed").mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(tooltip=[alt.Tooltip("gpu:N", title=" ")])
    names = lines.mark_text(align="left", dx=4, fill="currentColor").encode(text="gpu:N", y=alt.value(-8))
    return finish(bars + sizes + rules + names, language, height=28 * len(data) + 60)


def pages_data(result: Dropped) -> pd.DataFrame:
    """One row a slot: block, slot, role, position, physical."""
    rows = [
        (block, slot, "paged" if position in result.kept else "dropped", None if position is None else position + 1, b.physical)
        for block, b in enumerate(result.before, 1)
        for slot, position in enumerate(b.slots, 1)
    ]
    return pd.DataFrame(rows, columns=["block", "slot", "role", "position", "physical"])


def pages_chart(cells: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """The text's blocks, one a row, and what their slots hold."""
    chart = alt.Chart(cells).mark_rect(cornerRadius=3, stroke="transparent", strokeWidth=2).encode(
        x=alt.X("slot:O", axis=None),
        y=alt.Y("block:O", title=words["block"], axis=alt.Axis(labelOverlap=True)),
        color=role_color(labels={"paged": words["held"], "dropped": words["empty"]}),
        tooltip=[alt.Tooltip("position:Q", title=words["position"]), alt.Tooltip("physical:Q", title=words["physical"])],
    )  # fmt: skip
    return finish(chart, language, height=22 * cells["block"].nunique() + 50)
