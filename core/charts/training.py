"""Charts of a training that goes on: loss on what is practised and on what is held out, gradient, learning rate."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

COLUMNS = ("step", "tokens", "loss", "held_out", "gradient_norm", "learning_rate", "seconds")
ROLES = {"loss": "reused", "held_out": "computed"}


def training_table(rows: Sequence[dict]) -> pd.DataFrame:
    """One row a step, with a column for each of COLUMNS; what was not measured is empty."""
    return pd.DataFrame(rows, columns=COLUMNS).astype("float64")


def curves_data(table: pd.DataFrame, even: float) -> pd.DataFrame:
    """step, loss, role of both losses in `training_table`; `even` is the loss of guessing evenly, nats."""
    parts = []
    for column, role in ROLES.items():
        part = table[["step", column]].dropna().rename(columns={column: "loss"})
        parts.append(part.assign(role=role, even=even))
    return pd.concat(parts, ignore_index=True).astype({"step": "float32", "loss": "float32"})


@spec
def curves_chart(n_steps: int, top: float, language: str = "en", **words: str):
    """Loss against steps (`curves_data`) on axes that stay. `words`: step, loss, train, held_out, even."""
    x = alt.X("step:Q", title=words["step"], scale=alt.Scale(domain=[0, n_steps], nice=False), axis=alt.Axis(grid=False, tickCount=6))
    y = alt.Y("loss:Q", title=words["loss"], scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(tickCount=6, gridOpacity=0.5))
    tooltip = [alt.Tooltip("step:Q", title=words["step"]), alt.Tooltip("loss:Q", title=words["loss"], format=".3f")]
    color = role_color(labels={"reused": words["train"], "computed": words["held_out"]})
    base = alt.Chart().encode(x=x, y=y, color=color, tooltip=tooltip)
    train = base.transform_filter("datum.role == 'reused'").mark_line(strokeWidth=1.5, opacity=0.85, clip=True)
    held_out = base.transform_filter("datum.role == 'computed'")
    even = alt.Chart().transform_aggregate(even="max(even)")
    rule = even.mark_rule(strokeDash=[6, 4], strokeWidth=1.5, stroke="currentColor", opacity=0.7).encode(y=alt.Y("even:Q"))
    said = even.mark_text(align="right", dx=-4, dy=-8, fontSize=13, fill="currentColor")
    said = said.encode(x=alt.datum(n_steps), y=alt.Y("even:Q"), text=alt.value(words["even"]))
    points = held_out.mark_point(filled=True, size=36, opacity=1, clip=True)
    return finish(alt.layer(train, held_out.mark_line(strokeWidth=3, clip=True), points, rule, said), language, height=340)


@spec
def gauge_chart(column: str, n_steps: int, step: str, title: str, form: str, language: str = "en"):
    """One column of `training_table` against steps, small."""
    x = alt.X("step:Q", title=step, scale=alt.Scale(domain=[0, n_steps], nice=False), axis=alt.Axis(grid=False, tickCount=4))
    y = alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, gridOpacity=0.5, format=form))
    tooltip = [alt.Tooltip("step:Q", title=step), alt.Tooltip(f"{column}:Q", title=title, format=form)]
    line = in_role(alt.Chart().transform_filter(f"isValid(datum.{column})"), "paged").mark_line(strokeWidth=2, clip=True)
    return finish(line.encode(x=x, y=y, tooltip=tooltip), language, height=190)
