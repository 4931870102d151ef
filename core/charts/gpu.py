"""Charts of "Why GPUs": the roofline with reading and writing on it, measured products, work in a row and side by side."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core import costs
from core.charts.axes import from_zero, reaching
from core.charts.theme import finish, role_color, spec
from core.measure.matrix_products import Rate, limit

INTENSITY = (0.5, 1_000_000)  # FLOPs a byte, the ends of the axis
TFLOPS = (0.02, 5_000)


def roofline_data(chosen: str, works: dict[str, costs.Work]) -> pd.DataFrame:
    """Corners of every machine's roof, the `chosen` one marked, and one point a phase of `works` ("prefill", "decode")."""
    rows = []
    for name, gpu in costs.gpus().items():
        for intensity in (INTENSITY[0], gpu.ridge(), INTENSITY[1]):
            rate = min(gpu.bandwidth_tb * intensity, gpu.tflops())
            rows.append(
                (
                    name,
                    "roof" if name == chosen else "other",
                    "reused" if name == chosen else "dropped",
                    intensity,
                    rate,
                    None,
                )
            )
    for phase, work in works.items():
        found = costs.roofline(work.flops, work.bytes, costs.gpus()[chosen])
        rows.append(
            (
                phase,
                "point",
                "computed" if phase == "decode" else "paged",
                found.intensity,
                found.tflops,
                found.seconds * 1e3,
            )
        )
    return pd.DataFrame(rows, columns=["name", "kind", "role", "intensity", "tflops", "ms"])


@spec
def roofline_chart(intensity: str, tflops: str, prefill: str, decode: str, roof: str, language: str = "en"):
    """`roofline_data` on two logarithmic axes that stay: slopes are memory, flat tops arithmetic."""
    ticks = alt.Axis(values=[1, 10, 100, 1000, 10_000, 100_000], grid=False, format=",~r")
    x = alt.X(
        "intensity:Q", title=intensity, scale=alt.Scale(type="log", domain=list(INTENSITY), nice=False), axis=ticks
    )
    y_axis = alt.Axis(values=[0.1, 1, 10, 100, 1000], gridOpacity=0.3, format=",~r")
    y = alt.Y("tflops:Q", title=tflops, scale=alt.Scale(type="log", domain=list(TFLOPS), nice=False), axis=y_axis)
    color = role_color(labels={"paged": prefill, "computed": decode, "reused": roof}, columns=1)
    tooltip = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("tflops:Q", title=tflops, format=",.3~g"),
        alt.Tooltip("intensity:Q", title=intensity, format=",.3~g"),
    ]
    base = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    others = (
        base.transform_filter("datum.kind == 'other'")
        .mark_line(strokeWidth=1.2, opacity=0.7, clip=True)
        .encode(detail="name:N", color=color)
    )
    roof_line = base.transform_filter("datum.kind == 'roof'").mark_line(strokeWidth=4, clip=True).encode(color=color)
    drop = base.transform_filter("datum.kind == 'point'").mark_rule(strokeDash=[4, 4], strokeWidth=1.5, clip=True)
    drop = drop.transform_calculate(floor=f"{TFLOPS[0]:g}").encode(y2="floor:Q", color=color)
    points = (
        base.transform_filter("datum.kind == 'point'")
        .mark_point(filled=True, size=320, opacity=1, clip=True)
        .encode(color=color)
    )
    return finish(alt.layer(others, drop, roof_line, points), language, height=420)


def measured_data(found: Sequence[Rate], words: dict[int, str]) -> pd.DataFrame:
    """One row a size and thread count, with the limit of its thread count; `words`: thread count -> label."""
    rows = [
        (words[r.threads], "computed" if r.threads == 1 else "reused", r.size, r.gflops, limit(found, r.threads))
        for r in found
        if not r.saturating
    ]
    return pd.DataFrame(rows, columns=["threads", "role", "size", "gflops", "limit"])


@spec
def measured_chart(size: str, gflops: str, one: str, several: str, language: str = "en"):
    """`measured_data`: rate against size, and each thread count's limit dashed."""
    x_axis = alt.Axis(values=[32, 64, 128, 256, 512, 1024], grid=False, format="~d")
    x = alt.X("size:Q", title=size, scale=alt.Scale(type="log", base=2, domain=[28, 1200], nice=False), axis=x_axis)
    y = alt.Y("gflops:Q", title=gflops, scale=from_zero(), axis=alt.Axis(tickCount=5, gridOpacity=0.3))
    color = role_color(labels={"computed": one, "reused": several})
    tooltip = [
        alt.Tooltip("threads:N", title=" "),
        alt.Tooltip("size:Q", title=size),
        alt.Tooltip("gflops:Q", title=gflops, format=",.3~r"),
    ]
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=70))
        .encode(x=x, y=y, color=color, tooltip=tooltip)
    )
    limits = alt.Chart().mark_rule(strokeDash=[6, 4], strokeWidth=2).encode(y="limit:Q", color=color)
    return finish(alt.layer(limits, lines, reaching(y, "limit", 1.05)), language, height=300)


def ticks_data(tick: int, tokens: int, workers: int, lanes: dict[str, str]) -> pd.DataFrame:
    """One row a token and lane ("one", "side_by_side", "chain"): done after `tick` ticks or not; `lanes`: words."""
    asked = {"one": (1, False), "side_by_side": (workers, False), "chain": (workers, True)}
    rows = []
    for lane, (hands, each_waits) in asked.items():
        now, before = (costs.tokens_done(t, tokens, hands, each_waits) for t in (tick, tick - 1))
        for token in range(1, tokens + 1):
            rows.append(
                (
                    lanes[lane],
                    token,
                    "computed" if before < token <= now else "reused" if token <= before else "dropped",
                )
            )
    return pd.DataFrame(rows, columns=["lane", "token", "role"])


@spec
def ticks_chart(tokens: int, now: str, done: str, waiting: str, language: str = "en"):
    """`ticks_data` as three rows of cells."""
    chart = alt.Chart().mark_rect(cornerRadius=3, stroke="transparent", strokeWidth=2).encode(
        x=alt.X("token:O", axis=None),
        y=alt.Y("lane:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelOverlap=False)),
        color=role_color(labels={"computed": now, "reused": done, "dropped": waiting}),
    )  # fmt: skip
    return finish(chart, language, height=190)
