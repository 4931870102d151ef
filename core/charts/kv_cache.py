"""Charts of the KV cache lab: work per step, two lanes on one clock, bytes, drift, pages."""

import altair as alt
import pandas as pd

from core.charts import theme
from core.measure.segments import Segment


def work_chart(steps: list[list[Segment]], first_step: int, words: dict[str, str]) -> alt.LayerChart:
    """One row a step, one strip a run of tokens: computed now, reused from the cache, or dropped.

    steps: for every step the segments of its text; words: names of the roles, of the axes and `alt`.
    """
    rows = [
        {"step": first_step + i, "start": s.start, "end": s.end, "role": s.state, "what": words[s.state], "tokens": s.end - s.start}
        for i, segments in enumerate(steps)
        for s in segments
    ]
    labels = {role: words[role] for role in theme.ROLES if role in {row["role"] for row in rows}}
    chart = alt.Chart(pd.DataFrame(rows)).mark_bar(height=alt.RelativeBandSize(0.82)).encode(
        x=alt.X("start:Q", title=words["tokens"], scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickMinStep=1)),
        x2="end:Q",
        y=alt.Y("step:O", title=words["step"], axis=alt.Axis(labelOverlap=True)),
        color=theme.role_color("role", labels),
        tooltip=[alt.Tooltip("step:O", title=words["step"]), alt.Tooltip("what:N", title=" "), alt.Tooltip("tokens:Q", title=words["tokens"])],
    )  # fmt: skip
    return chart.properties(height=alt.Step(11), width="container")


def steps_chart(data: pd.DataFrame, words: dict[str, str], order: list[str], y_max: float, y_format: str = ".2~s") -> alt.Chart:
    """Lines over steps, one a series; columns step, value, series. The y axis ends at `y_max` whatever is shown."""
    return alt.Chart(data).mark_line(strokeWidth=2.5, clip=True).encode(
        x=alt.X("step:Q", title=words["step"], axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=words["y"], scale=alt.Scale(domain=[0, y_max]), axis=alt.Axis(format=y_format, tickCount=5)),
        color=alt.Color("series:N", sort=order, scale=alt.Scale(domain=order), legend=alt.Legend(title=None, orient="top", columns=4)),
        tooltip=[alt.Tooltip("series:N", title=" "), alt.Tooltip("step:Q", title=words["step"]), alt.Tooltip("value:Q", title=words["y"], format=",.4~g")],
    ).properties(height=240, width="container")  # fmt: skip


def clock_chart(data: pd.DataFrame, words: dict[str, str], seconds: float, tokens: int) -> alt.Chart:
    """Two lanes on one clock; columns lane, role, seconds, tokens. Both axes are fixed from the start."""
    return alt.Chart(data).mark_line(interpolate="step-after", strokeWidth=3, clip=True).encode(
        x=alt.X("seconds:Q", title=words["seconds"], scale=alt.Scale(domain=[0, seconds], nice=False)),
        y=alt.Y("tokens:Q", title=words["written"], scale=alt.Scale(domain=[0, tokens]), axis=alt.Axis(tickMinStep=1)),
        color=theme.role_color("role", {"computed": words["without"], "reused": words["with"]}),
        tooltip=[alt.Tooltip("lane:N", title=" "), alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("tokens:Q", title=words["written"])],
    ).properties(height=200, width="container")  # fmt: skip


def model_bars(data: pd.DataFrame, ceilings: pd.DataFrame, words: dict[str, str], x_max: float) -> alt.LayerChart:
    """Cache size of well-known models; columns model, gb, detail; ceilings gpu, gb are drawn as lines."""
    x = alt.X("gb:Q", title=words["gigabytes"], scale=alt.Scale(domain=[0, x_max], clamp=True, nice=False))
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [alt.Tooltip("model:N", title=" "), alt.Tooltip("gb:Q", title="GB", format=",.3~f"), alt.Tooltip("detail:N", title=" ")]
    bars = theme.in_role(alt.Chart(data), "reused").mark_bar(clip=True, cornerRadiusEnd=3).encode(x=x, y=y, tooltip=tooltip)
    inside = alt.datum.gb > 0.85 * x_max
    sizes = alt.Chart(data).encode(x=x, y=y, text=alt.Text("gb:Q", format=",.2~f"))
    after = sizes.transform_filter(~inside).mark_text(align="left", dx=5)
    before = sizes.transform_filter(inside).mark_text(align="right", dx=-6, color="white", fontWeight="bold")
    lines = theme.in_role(alt.Chart(ceilings), "computed").encode(x="gb:Q", tooltip=[alt.Tooltip("gpu:N", title=" "), alt.Tooltip("gb:Q", title="GB")])
    rules = lines.mark_rule(strokeDash=[5, 4], strokeWidth=2)
    names = lines.mark_text(align="right", dx=-4, y=-8, fontWeight="bold").encode(text="gpu:N")
    return (bars + after + before + rules + names).properties(height=alt.Step(26), width="container")


def pages_chart(cells: pd.DataFrame, words: dict[str, str]) -> alt.LayerChart:
    """Slots of the text's blocks as a grid: columns block, slot, role, position, physical."""
    base = alt.Chart(cells).encode(
        x=alt.X("slot:O", axis=None),
        y=alt.Y("block:O", title=words["block"], axis=alt.Axis(labelOverlap=True)),
    )
    squares = base.mark_rect(cornerRadius=3, strokeWidth=2).encode(
        color=theme.role_color("role", {"paged": words["held"], "dropped": words["empty"]}),
        tooltip=[alt.Tooltip("physical:O", title=words["physical"]), alt.Tooltip("position:O", title=words["position"])],
    )
    return squares.properties(height=alt.Step(24), width="container")
