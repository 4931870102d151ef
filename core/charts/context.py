"""Charts of the context window lab: the answer against the window, loss by position, the cost."""

import altair as alt
import pandas as pd

from core.charts.theme import finish, in_role, role_color


def answer_data(windows: list[int], shares) -> pd.DataFrame:
    """window, share: the answer's probability for every window size."""
    return pd.DataFrame({"window": windows, "share": [float(s) for s in shares]})


def answer_chart(data: pd.DataFrame, window: int, words: dict[str, str], language: str = "en"):
    """The answer's probability against the window, with the chosen window as a line."""
    x = alt.X("window:Q", title=words["window"], scale=alt.Scale(domain=[0, int(data["window"].max())], nice=False))
    y = alt.Y("share:Q", title=words["share"], scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5))
    tooltip = [alt.Tooltip("window:Q", title=words["window"]), alt.Tooltip("share:Q", title=words["share"], format=".1%")]
    curve = in_role(alt.Chart(data), "reused").mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=40)).encode(x=x, y=y, tooltip=tooltip)
    here = in_role(alt.Chart(pd.DataFrame({"window": [window]})), "computed").mark_rule(strokeWidth=2, strokeDash=[6, 4]).encode(x=x)
    return finish(curve + here, language, height=260)


def loss_data(full, windowed, smooth: int = 9) -> pd.DataFrame:
    """position, nll, role: the running mean of both losses (nats) over `smooth` tokens."""
    parts = []
    for role, values in (("reused", full), ("computed", windowed)):
        mean = pd.Series([float(v) for v in values]).rolling(smooth, min_periods=1, center=True).mean()
        parts.append(pd.DataFrame({"position": range(2, len(mean) + 2), "nll": mean, "role": role}))
    return pd.concat(parts, ignore_index=True)


def loss_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """Loss along the text, with everything seen and with the window only."""
    chart = alt.Chart(data).mark_line(strokeWidth=2.5).encode(
        x=alt.X("position:Q", title=words["position"], axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("nll:Q", title=words["nll"], scale=alt.Scale(domain=[0, 10], clamp=True)),
        color=role_color(labels={"reused": words["full"], "computed": words["windowed"]}),
        tooltip=[alt.Tooltip("position:Q", title=words["position"]), alt.Tooltip("nll:Q", title=words["nll"], format=".2f")],
    )  # fmt: skip
    return finish(chart, language, height=220)


def cost_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """Pairs compared against text length; columns tokens, pairs, role. Both axes logarithmic."""
    chart = alt.Chart(data).mark_line(strokeWidth=3).encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", grid=False, tickCount=5)),
        y=alt.Y("pairs:Q", title=words["pairs"], scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", tickCount=6)),
        color=role_color(labels={"reused": words["all"], "computed": words["limited"]}),
        tooltip=[alt.Tooltip("tokens:Q", format=","), alt.Tooltip("pairs:Q", title=words["pairs"], format=",")],
    )  # fmt: skip
    return finish(chart, language, height=220)
