"""Charts of the context window lab: the answer against the window, loss by position, the cost."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import counted, finish, in_role, role_color, spec


def answer_data(windows: Sequence[int], shares: Sequence[float], answers: Sequence[str], now: int) -> pd.DataFrame:
    """One row a window size: the share of the answer looked for, and what the model would answer; `now` is the chosen window."""
    rows = {"window": windows, "share": np.asarray(shares, np.float32), "answer": answers, "now": now}
    return pd.DataFrame(rows).sort_values("window", ignore_index=True)


@spec
def answer_chart(language: str = "en", follow: str = "", **words: str):
    """The answer's probability against the window (`answer_data`); a dashed line marks the chosen window.

    The line follows the slider on the page that the CSS selector `follow` names. `words`: window, share, answer.
    """
    x = alt.X("window:Q", title=words["window"], scale=alt.Scale(zero=True, nice=False), axis=alt.Axis(grid=False, tickMinStep=1))
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
    y = alt.Y("share:Q", title=words["share"], scale=alt.Scale(domain=[0, 1.02], nice=False), axis=axis)
    tooltip = [
        alt.Tooltip("window:Q", title=words["window"]),
        alt.Tooltip("share:Q", title=words["share"], format=".1%"),
        alt.Tooltip("answer:N", title=words["answer"]),
    ]
    base = in_role(alt.Chart(), "computed").encode(x=x, y=y, tooltip=tooltip)
    area = base.mark_area(opacity=0.15, interpolate="linear")
    curve = base.mark_line(strokeWidth=3)
    points = base.mark_point(filled=True, size=55, opacity=1)
    chosen = "isValid(toNumber(slider)) ? toNumber(slider) : datum.now"
    here = alt.Chart().transform_aggregate(now="max(now)").transform_calculate(window=chosen)
    here = here.mark_rule(strokeWidth=2, strokeDash=[6, 4], stroke="currentColor").encode(x=x)
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    chart = alt.layer(area, curve, points, here).add_params(alt.param(name="slider", value=None, **bind))
    return finish(chart, language, height=300)


def loss_data(full: Sequence[float], cut: dict[int, float], window: int, smooth: int = 9) -> pd.DataFrame:
    """position (1 = first token), nll, role: running means of losses in nats over `smooth` tokens.

    full: of all tokens but the first, seeing everything; cut: of some tokens, position -> loss seeing only the
    last `window` tokens. Up to the window both are the same.
    """
    seeing_all = pd.Series(np.asarray(full, np.float32), index=range(2, len(full) + 2))
    seeing_window = pd.concat([seeing_all.loc[: window + 1], pd.Series(cut, dtype="float32")])
    parts = []
    for role, losses in (("reused", seeing_all), ("computed", seeing_window)):
        mean = losses.rolling(smooth, min_periods=1, center=True).mean()
        parts.append(pd.DataFrame({"position": mean.index, "nll": mean.to_numpy(np.float32), "role": role}))
    return pd.concat(parts, ignore_index=True)


@spec
def loss_chart(language: str = "en", **words: str):
    """Loss along the text (`loss_data`), with everything seen and with the window only. `words`: position, nll, full, windowed."""
    chart = alt.Chart().mark_line(strokeWidth=2.5, clip=True).encode(
        x=alt.X("position:Q", title=words["position"], scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("nll:Q", title=words["nll"], scale=alt.Scale(domain=[0, 8]), axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
        color=role_color(labels={"reused": words["full"], "computed": words["windowed"]}),
        tooltip=[alt.Tooltip("position:Q", title=words["position"]), alt.Tooltip("nll:Q", title=words["nll"], format=".2f")],
    )  # fmt: skip
    return finish(chart, language, height=290)


@spec
def cost_chart(language: str = "en", **words: str):
    """Pairs compared against text length, both logarithmic; columns tokens, pairs, role. `words`: tokens, pairs, all, limited."""
    axis = alt.Axis(labelExpr=counted(language), grid=False, tickCount=5)
    pairs_axis = alt.Axis(labelExpr=counted(language), tickCount=5, gridOpacity=0.5)
    chart = alt.Chart().mark_line(strokeWidth=3).encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(type="log", nice=False), axis=axis),
        y=alt.Y("pairs:Q", title=words["pairs"], scale=alt.Scale(type="log"), axis=pairs_axis),
        color=role_color(labels={"reused": words["all"], "computed": words["limited"]}),
        tooltip=[alt.Tooltip("tokens:Q", title=words["tokens"], format=","), alt.Tooltip("pairs:Q", title=words["pairs"], format=",")],
    )  # fmt: skip
    return finish(chart, language, height=290)
