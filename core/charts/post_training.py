"""A group of answers and what they are paid, curves of learning, and what a method holds in memory."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

ROW = 46  # pixels an answer
REACH = 3.0  # where the axis of advantages ends; with 16 answers none is larger than 3.75
METHOD_ROLES = {"grpo": "computed", "ppo": "reused", "zero": "paged"}
RUN_ROLES = {"reward": "computed", "right": "reused", "thought": "paged"}
PART_ROLES = {"weights": "reused", "gradients": "dropped", "optimizer": "computed"}


def group_data(texts: Sequence[str], right: Sequence[bool], rewards, advantages, before, after) -> pd.DataFrame:
    """One row an answer: what is written, paid, how far above its group, and its probability before and after one update."""
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    return pd.DataFrame(
        {
            "row": np.arange(len(texts), dtype=np.int32), "answer": list(texts), "right": np.asarray(right, bool),
            "reward": np.asarray(rewards, np.float32), "advantage": np.asarray(advantages, np.float32),
            "before": before.astype(np.float32), "after": after.astype(np.float32),
            "factor": (after / np.maximum(before, 1e-30)).astype(np.float32),
        }
    )  # fmt: skip


@spec
def group_chart(answer: str, reward: str, advantage: str, before: str, after: str, up: str, down: str, language: str = "en"):
    """Every answer on two lines: what is written and paid, below it how far it stands above or below its group.

    At the end of a bar stands what one update did to the probability of that answer.
    """
    scale = alt.Scale(domain=[-REACH, REACH], clamp=True, nice=False)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.1))
    tooltip = [
        alt.Tooltip("answer:N", title=answer), alt.Tooltip("reward:Q", title=reward),
        alt.Tooltip("advantage:Q", title=advantage, format="+.2f"),
        alt.Tooltip("before:Q", title=before, format=".2%"), alt.Tooltip("after:Q", title=after, format=".2%"),
    ]  # fmt: skip
    base = alt.Chart().transform_calculate(
        role="datum.advantage >= 0 ? 'computed' : 'dropped'",
        line="(datum.right ? '✓ ' : '✗ ') + datum.answer",
        paid="format(datum.reward, '.2~f')",
        times="'× ' + format(datum.factor, datum.factor >= 10 ? '.0f' : '.2f')",
    ).encode(y=y, tooltip=tooltip)  # fmt: skip
    color = role_color(labels={"computed": up, "dropped": down})
    axis = alt.Axis(title=advantage, values=[-3, -2, -1, 0, 1, 2, 3], format="+d")
    x = alt.X("advantage:Q", scale=scale, axis=axis)
    bars = base.mark_bar(size=14, cornerRadiusEnd=4, yOffset=10).encode(x=x, color=color)
    zero = (
        alt.Chart().transform_calculate(nought="0").mark_rule(stroke="currentColor", opacity=0.3).encode(x=alt.X("nought:Q", scale=scale))
    )
    written = base.mark_text(align="left", baseline="middle", fontSize=14, yOffset=-9, limit=560, fill="currentColor")
    paid = base.mark_text(align="right", fontSize=14, fontWeight="bold", yOffset=-9, fill="currentColor")
    times = base.transform_calculate(end="abs(datum.advantage) < 0.001 ? 0 : datum.advantage")
    left = times.transform_filter("datum.end < 0").mark_text(align="right", dx=-6, yOffset=10, fontSize=12, fill="currentColor")
    right = times.transform_filter("datum.end >= 0").mark_text(align="left", dx=6, yOffset=10, fontSize=12, fill="currentColor")
    end = alt.X("end:Q", scale=scale)
    layers = (
        zero, bars, written.encode(x=alt.value(2), text="line:N"), paid.encode(x=alt.value("width"), text="paid:N"),
        left.encode(x=end, text="times:N"), right.encode(x=end, text="times:N"),
    )  # fmt: skip
    return finish(alt.layer(*layers).properties(height=alt.Step(ROW)), language)


def curve_data(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Mean, smallest and largest over the seeds of a measure at every update: columns update, method, role, mean, low, high."""
    found = runs.dropna(subset=[measure]).groupby(["method", "update"], as_index=False)[measure].agg(["mean", "min", "max"])
    found = found.rename(columns={"min": "low", "max": "high"})
    found["role"] = found["method"].map(METHOD_ROLES)
    return found


@spec
def curve_chart(most: float, share: bool, update: str, measure: str, words: tuple[tuple[str, str], ...], base: float | None = None,
                base_words: str = "", language: str = "en"):  # fmt: skip
    """Lines over the updates with the span of the seeds behind; `base` is where the base model stood (a dashed line)."""
    x = alt.X("update:Q", axis=alt.Axis(title=update, tickCount=6), scale=alt.Scale(nice=False, zero=True))
    axis = alt.Axis(title=measure or None, format=".0%" if share else ".2~f", tickCount=5)
    scale = alt.Scale(domain=[0, most], nice=False)
    color = role_color(labels=dict(words), columns=1)
    chart = alt.Chart()
    tooltip = [
        alt.Tooltip("update:Q", title=update),
        *(alt.Tooltip(f"{name}:Q", format=".1%" if share else ".3f") for name in ("mean", "low", "high")),
    ]
    band = chart.mark_area(opacity=0.22).encode(x=x, y=alt.Y("low:Q", scale=scale, axis=axis), y2="high", color=color)
    line = chart.mark_line(strokeWidth=3, point={"size": 45, "opacity": 0.01}).encode(
        x=x, y=alt.Y("mean:Q", scale=scale, axis=axis), color=color, tooltip=tooltip
    )
    layers = [band, line]
    if base is not None:
        below = in_role(alt.Chart().transform_calculate(base=str(base)), "dropped").mark_rule(strokeDash=[6, 4], strokeWidth=2)
        said = (
            alt.Chart()
            .transform_window(n="row_number()")
            .transform_filter("datum.n == 1")
            .mark_text(align="right", dx=-4, dy=-8, fontSize=13, fill="currentColor")
        )
        layers += [
            below.encode(y=alt.Y("base:Q", scale=scale)),
            said.transform_calculate(base=str(base)).encode(
                x=alt.value("width"), y=alt.Y("base:Q", scale=scale), text=alt.value(base_words)
            ),
        ]
    return finish(alt.layer(*layers), language, height=300)


def hack_data(run: pd.DataFrame) -> pd.DataFrame:
    """The careless reward (share of the most it ever paid) and the true accuracy, one row an update and line."""
    paid = pd.DataFrame({"update": run["update"], "mean": run["reward"] / run["reward"].max(), "value": run["reward"], "role": "computed"})
    right = pd.DataFrame({"update": run["update"], "mean": run["right"], "value": run["right"], "role": "reused"})
    both = pd.concat([paid, right], ignore_index=True)
    return both.assign(low=both["mean"], high=both["mean"])


def run_data(updates: Sequence, most: float, window: int = 8) -> pd.DataFrame:
    """A live run (`core.rl.learning.Update`s): reward as a share of `most`, right answers, answers with steps; three rows an update.

    `value` is the update's own, `smooth` the mean of the last `window`.
    """
    frames = []
    for name, role in RUN_ROLES.items():
        values = pd.Series([getattr(update, name) / (most if name == "reward" else 1) for update in updates], dtype=np.float32)
        smooth = values.rolling(window, min_periods=1).mean()
        frames.append(pd.DataFrame({"update": np.arange(1, len(values) + 1), "role": role, "value": values, "smooth": smooth}))
    return pd.concat(frames, ignore_index=True)


@spec
def run_chart(updates: int, update: str, reward: str, right: str, thought: str, language: str = "en"):
    """A live run as it comes in: dots for each update, lines for their running means; the axes are as long as the run will be."""
    x = alt.X("update:Q", axis=alt.Axis(title=update, tickCount=6), scale=alt.Scale(domain=[0, updates], nice=False))
    y = {"scale": alt.Scale(domain=[0, 1], nice=False, clamp=True), "axis": alt.Axis(title=None, tickCount=5, format=".0%")}
    color = role_color(labels={RUN_ROLES["reward"]: reward, RUN_ROLES["right"]: right, RUN_ROLES["thought"]: thought}, columns=1)
    tooltip = [alt.Tooltip("update:Q", title=update), alt.Tooltip("value:Q", format=".0%"), alt.Tooltip("smooth:Q", format=".0%")]
    base = alt.Chart().encode(x=x, color=color, tooltip=tooltip)
    dots = base.mark_circle(size=36, opacity=0.45).encode(y=alt.Y("value:Q", **y))
    return finish(alt.layer(dots, base.mark_line(strokeWidth=3).encode(y=alt.Y("smooth:Q", **y))), language, height=360)


def memory_data(parts: Sequence, methods: Mapping[str, str], models: Mapping[str, str]) -> pd.DataFrame:
    """One row a part (`core.costs.post_training.Held`), with the words for method and model; GB."""
    return pd.DataFrame(
        {
            "method": [methods[part.method] for part in parts], "model": [models[part.model] for part in parts],
            "part": [part.part for part in parts], "role": [PART_ROLES[part.part] for part in parts],
            "GB": np.array([part.bytes / 1e9 for part in parts], np.float32), "order": np.arange(len(parts), dtype=np.int32),
        }
    )  # fmt: skip


@spec
def memory_chart(rows: int, size: str, model: str, words: tuple[tuple[str, str], ...], language: str = "en"):
    """What each method holds, one bar a method, its parts one after another."""
    color = role_color(labels={PART_ROLES[part]: word for part, word in words}, columns=1)
    tooltip = [alt.Tooltip("method:N"), alt.Tooltip("model:N", title=model), alt.Tooltip("GB:Q", format=",.1f")]
    y = alt.Y("method:N", sort=None, title=None, axis=alt.Axis(labelFontSize=14, labelLimit=150, labelOverlap=False))
    bars = alt.Chart().mark_bar(size=26, stroke="white", strokeWidth=1.5)
    bars = bars.encode(
        x=alt.X("sum(GB):Q", stack="zero", axis=alt.Axis(title=size, tickCount=6)),
        y=y,
        color=color,
        order="order:Q",
        detail="model:N",
        tooltip=tooltip,
    )
    summed = alt.Chart().transform_aggregate(total="sum(GB)", groupby=["method"])
    total = summed.mark_text(align="left", dx=8, fontSize=14, fill="currentColor")
    total = total.encode(x="total:Q", y=y, text=alt.Text("total:Q", format=",.0f"))
    room = summed.transform_calculate(end="datum.total * 1.15").mark_point(opacity=0).encode(x="end:Q", y=y)  # for the numbers
    return finish(alt.layer(bars, total, room), language, height=44 * rows + 130)
