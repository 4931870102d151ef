"""Charts of the KV cache lab: two lanes on one clock, lines over steps, pages, large models."""

import altair as alt
import pandas as pd

from core import costs
from core.charts.axes import from_zero, reaching
from core.charts.theme import finish, in_role, role_color, spec
from core.measure.pages import Dropped


def steps_data(series: dict[str, list[float]]) -> pd.DataFrame:
    """series, step, value."""
    rows = [(name, i, v) for name, values in series.items() for i, v in enumerate(values, 1)]
    return pd.DataFrame(rows, columns=["series", "step", "value"])


@spec
def steps_chart(order: tuple[str, ...], step: str, y: str, language: str = "en"):
    """Lines over steps, one a series of `steps_data`, in this order."""
    height = alt.Y("value:Q", title=y, scale=from_zero(), axis=alt.Axis(format="~s", tickCount=5))
    tooltip = [alt.Tooltip("series:N", title=" "), alt.Tooltip("step:Q", title=step), alt.Tooltip("value:Q", title=y, format=",.4~g")]
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=0)
    chart = alt.Chart().mark_line(strokeWidth=2.5, clip=True, point=alt.OverlayMarkDef(size=18)).encode(
        x=alt.X("step:Q", title=step, axis=alt.Axis(tickMinStep=1, grid=False)),
        y=height,
        color=alt.Color("series:N", sort=order, scale=alt.Scale(domain=order), legend=legend),
        tooltip=tooltip,
    )  # fmt: skip
    return finish(alt.layer(chart, reaching(height, "value", 1.05)), language, height=320)


@spec
def clock_chart(end: float, n_tokens: int, seconds: str, written: str, without: str, with_: str, language: str = "en"):
    """Two lanes on one clock that shows `end` seconds; columns lane, role, seconds, tokens."""
    chart = alt.Chart().mark_line(interpolate="step-after", strokeWidth=3, clip=True).encode(
        x=alt.X("seconds:Q", title=seconds, scale=alt.Scale(domain=[0, end], nice=False)),
        y=alt.Y("tokens:Q", title=written, scale=alt.Scale(domain=[0, n_tokens]), axis=alt.Axis(tickMinStep=1)),
        color=role_color(labels={"computed": without, "reused": with_}),
        tooltip=[alt.Tooltip("lane:N", title=" "), alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("tokens:Q", title=written)],
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


def ceilings(names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Memory of well-known machines: name with its size, GB."""
    return tuple((f"{name} ({costs.gpus()[name].memory_gb:.0f} GB)", costs.gpus()[name].memory_gb) for name in names)


@spec
def model_bars(rows: int, lines: tuple[tuple[str, float], ...], x_max: float, gigabytes: str, language: str = "en"):
    """Cache size of well-known models: `model_data` as bars, cut off at `x_max` GB, and `ceilings` as lines."""
    room = alt.ExprRef(f"{x_max:g} * clamp(width / (width - 50), 1.12, 2)")  # the size is written behind its bar, also on a phone
    x = alt.X("shown:Q", title=gigabytes, scale=alt.Scale(domainMin=0, domainMax=room, nice=False))
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [alt.Tooltip("model:N", title=" "), alt.Tooltip("gb:Q", title="GB", format=",.3~f")]
    data = alt.Chart().transform_calculate(shown=f"min(datum.gb, {x_max:g})")
    bars = in_role(data, "reused").mark_bar(cornerRadiusEnd=3, size=16).encode(x=x, y=y, tooltip=tooltip)
    sizes = data.mark_text(align="left", dx=5, fill="currentColor").encode(x=x, y=y, text=alt.Text("gb:Q", format=",.2~f"))
    layers = [bars, sizes]
    for name, size in lines:
        line = alt.Chart().transform_aggregate(n="count()").transform_calculate(size=f"{size:g}", gpu=f"'{name}'").encode(x="size:Q")
        rule = in_role(line, "computed").mark_rule(strokeDash=[5, 4], strokeWidth=2)
        layers.append(rule.encode(tooltip=[alt.Tooltip("gpu:N", title=" ")]))
        layers.append(line.mark_text(align="left", dx=4, fill="currentColor").encode(text="gpu:N", y=alt.value(-8)))
    return finish(alt.layer(*layers), language, height=28 * rows + 60)


def pages_data(result: Dropped) -> pd.DataFrame:
    """One row a slot: block, slot, role, position, physical."""
    rows = [
        (block, slot, "paged" if position in result.kept else "dropped", None if position is None else position + 1, b.physical)
        for block, b in enumerate(result.before, 1)
        for slot, position in enumerate(b.slots, 1)
    ]
    return pd.DataFrame(rows, columns=["block", "slot", "role", "position", "physical"])


@spec
def pages_chart(blocks: int, held: str, empty: str, block: str, physical: str, position: str, language: str = "en"):
    """The text's blocks (`pages_data`), one a row, and what their slots hold."""
    chart = alt.Chart().mark_rect(cornerRadius=3, stroke="transparent", strokeWidth=2).encode(
        x=alt.X("slot:O", axis=None),
        y=alt.Y("block:O", title=block, axis=alt.Axis(labelOverlap=True)),
        color=role_color(labels={"paged": held, "dropped": empty}),
        tooltip=[alt.Tooltip("position:Q", title=position), alt.Tooltip("physical:Q", title=physical)],
    )  # fmt: skip
    return finish(chart, language, height=22 * blocks + 50)
