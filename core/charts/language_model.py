"""Charts of the first page: how a model's loss fell while it learned, and how large models are."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

ROW = 34  # pixels a model


def learning_data(tokens: Sequence[float], loss: Sequence[float], now: int) -> pd.DataFrame:
    """One row a record: millions of tokens seen, loss in nats, as among how many equally likely tokens; `now` is a row's place."""
    loss = np.asarray(loss, np.float32)
    rows = {"tokens": np.asarray(tokens, np.float32) / 1e6, "loss": loss, "choices": np.exp(loss), "now": np.arange(len(loss)) == now}
    return pd.DataFrame(rows)


@spec
def learning_chart(longest: float, language: str = "en", **words: str):
    """The loss curve (`learning_data`) with a dot where one looks now. `words`: tokens, loss, choices."""
    x_scale = alt.Scale(domain=[0, longest], nice=False)
    x = alt.X("tokens:Q", title=words["tokens"], scale=x_scale, axis=alt.Axis(grid=False, tickCount=6))
    y = alt.Y("loss:Q", title=words["loss"], scale=alt.Scale(domain=[0, 10]), axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    formats = {"tokens": ",.1f", "loss": ".2f", "choices": ",.0f"}
    tooltip = [alt.Tooltip(f"{name}:Q", title=words[name], format=form) for name, form in formats.items()]
    base = in_role(alt.Chart(), "computed").encode(x=x, y=y, tooltip=tooltip)
    here = base.transform_filter("datum.now")
    says = here.transform_calculate(text=f"format(datum.choices, ',.0f') + ' {words['choices']}'")
    return finish(
        alt.layer(
            base.mark_area(opacity=0.15), base.mark_line(strokeWidth=3), here.mark_point(filled=True, size=260, opacity=1),
            says.mark_text(align="left", dx=10, dy=-14, fontSize=15, fill="currentColor").encode(text="text:N"),
        ),
        language, height=290,
    )  # fmt: skip


def sizes_data(sizes: Mapping[str, float], own: str) -> pd.DataFrame:
    """One row a model, the smallest first: its name, its parameters, and its role; `own` is the one that runs here."""
    rows = sorted(sizes.items(), key=lambda item: item[1])
    roles = ["computed" if name == own else "dropped" for name, _ in rows]
    return pd.DataFrame({"name": [name for name, _ in rows], "parameters": [float(n) for _, n in rows], "role": roles})


@spec
def sizes_chart(rows: int, parameters: str, steps: tuple[tuple[float, str], ...], language: str = "en"):
    """Bars of `sizes_data` on a logarithmic axis. `steps`: (divisor, word) of the units, the largest first."""
    x = alt.X(
        "parameters:Q", title=parameters, scale=alt.Scale(type="log", domain=[1e6, 1e15], nice=False),
        axis=alt.Axis(values=[10.0**k for k in range(6, 13)], labels=False, grid=True, gridOpacity=0.5),
    )  # fmt: skip
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, labelFontSize=14, labelOverlap=False))
    base = alt.Chart().encode(y=y)
    written = "".join(f"datum.parameters >= {d:g} ? format(datum.parameters / {d:g}, ',.3~r') + ' {word}' : " for d, word in steps) + "''"
    bars = base.mark_bar(size=20, cornerRadiusEnd=4).encode(x=x, x2=alt.datum(1e6), color=role_color())
    text = base.transform_calculate(written=written).mark_text(align="left", dx=6, fontSize=13, fill="currentColor")
    return finish(alt.layer(bars, text.encode(x=x, text="written:N")), language, height=ROW * rows + 30)
