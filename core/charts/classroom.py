"""What a class answered, live, and beside it what the model thinks."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.charts.theme import finish, role_color, spec


def class_data(choices: Sequence[str], counts: Sequence[int], shares: Sequence[float] = (), truth: int | None = None) -> pd.DataFrame:
    """One row a bar: the class's shares, and the model's where given. `truth` marks the right choice."""
    total = max(sum(counts), 1)
    names = [f"✓ {choice}" if i == truth else choice for i, choice in enumerate(choices)]
    rows = [(name, i, "reused", n / total, n) for i, (name, n) in enumerate(zip(names, counts))]
    rows += [(name, i, "computed", share, 0) for i, (name, share) in enumerate(zip(names, shares))]
    return pd.DataFrame(rows, columns=["choice", "place", "role", "share", "answers"])


@spec
def class_chart(rows: int, language: str = "en", **words: str):
    """Bars of `class_data`, on a fixed axis from 0 to 1. `words`: students, model, share, choice."""
    y = alt.Y("choice:N", sort=alt.EncodingSortField("place", op="min"), title=None, axis=alt.Axis(labelFontSize=18, labelLimit=130))
    base = alt.Chart().encode(
        x=alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~%", tickCount=5, labelFontSize=14)),
        y=y,
        yOffset=alt.YOffset("role:N", sort=["reused", "computed"]),
        tooltip=[alt.Tooltip("choice:N", title=words["choice"]), alt.Tooltip("share:Q", title=words["share"], format=".1%")],
    )
    bars = base.mark_bar(cornerRadiusEnd=4).encode(color=role_color(labels={"reused": words["students"], "computed": words["model"]}))
    return finish(bars, language, height=56 * rows + 40)
