"""Charts of the KV cache lab: two lanes on one clock, lines over steps, pages, large models."""

import altair as alt
import pandas as pd

from core import costs
from core.charts.theme import finish, in_role, role_color
from core.measure.pages import Dropped


def steps_data(series: dict[str, list[float]]) -> pd.DataFrame:
    """series, step, value."""
    rows = [(name, i, v) for name, values in series.items() for i, v in enumerate(values, 1)]
    return pd.DataFrame(rows, columns=["series", "step", "value"])


def steps_chart(data: pd.DataFrame, words: dict[str, str], order: list[str], y_max: float, language: str = "en"):
    """Lines over steps, one a series of `steps_data`."""
    chart = alt.Chart(data).mark_line(strokeWidth=2.5, clip=True, point=alt.OverlayMarkDef(size=18)).encode(
        x=alt.X("step:Q", title=words["step"], axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=words["y"], scale=alt.Scale(domain=[0, y_max]), axis=alt.Axis(format="~s", tickCount=5)),
        color=alt.Color("series:N", sort=order, scale=alt.Scale(domain=order), legend=alt.Legend(title=None, orient="top", columns=3)),
        tooltip=[alt.Tooltip("series:N", title=" "), alt.Tooltip("step:Q", title=words["step"]), alt.Tooltip("value:Q", title=words["y"], format=",.4~g")],
    )  # fmt: skip
    return finish(chart, language, height=320)


def clock_chart(data: pd.DataFrame, words: dict[str, str], seconds: float, tokens: int, language: str = "en"):
    """Two lanes on one clock; columns lane, role, seconds, tokens."""
    chart = alt.Chart(data).mark_line(interpolate="step-after", strokeWidth=3, clip=True).encode(
        x=alt.X("seconds:Q", title=words["seconds"], scale=alt.Scale(domain=[0, seconds], nice=False)),
        y=alt.Y("tokens:Q", title=words["written"], scale=alt.Scale(domain=[0, tokens]), axis=alt.Axis(tickMinStep=1)),
        color=role_color(labels={"computed": words["without"], "reused": words["with"]}),
        tooltip=[alt.Tooltip("lane:N", title=" "), alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("tokens:Q", title=words["written"])],
    )  # fmt: skip
    return finish(chart, language, height=220)


def model_data(names: tuple[str, ...], tokens: int, sequences: int) -> pd.DataFrame:
    """Cache of well-known models in 16-bit numbers: model, gb, bytes that one more token adds, MB of full windows, longest context."""
    specs = costs.models()
    rows = [
        (
            name,
            costs.kv_cache_bytes(specs[name], tokens, sequences=sequences) / 1e9,
            costs.kv_bytes_per_token(specs[name], tokens=tokens),
            costs.kv_fixed_bytes(specs[name], tokens) / 1e6,
            specs[name].context_length,
        )
        for name in names
    ]
    return pd.DataFrame(rows, columns=["model", "gb", "per_token", "fixed", "context"])


def ceiling_data(names: tuple[str, ...]) -> pd.DataFrame:
    """Memory of well-known machines: gpu (name and size), gb."""
    return pd.DataFrame([{"gpu": f"{name} ({costs.gpus()[name].memory_gb:.0f} GB)", "gb": costs.gpus()[name].memory_gb} for name in names])


def model_bars(data: pd.DataFrame, ceilings: pd.DataFrame, words: dict[str, str], x_max: float, language: str = "en"):
    """Cache size of well-known models; `model_data` as bars, `ceiling_data` as lines."""
    data = data.assign(shown=data["gb"].clip(upper=x_max))
    x = alt.X("shown:Q", title=words["gigabytes"], scale=alt.Scale(domain=[0, 1.12 * x_max], nice=False))
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [alt.Tooltip("model:N", title=" "), alt.Tooltip("gb:Q", title="GB", format=",.3~f")]
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
