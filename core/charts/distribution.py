"""The next token's probabilities as bars, before and after."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, role_color
from core.charts.tokens import axis_labels

ROW = 27  # pixels a candidate


def distribution_data(ids: Sequence[int], labels: Sequence[str], before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    """One row a candidate, in the order given: probabilities before and after, both (n,)."""
    return pd.DataFrame(
        {
            "id": np.asarray(ids, np.int32),
            "token": list(labels),
            "before": np.asarray(before, np.float32),
            "after": np.asarray(after, np.float32),
        }
    )


def distribution_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """Bars of `distribution_data`: a wide grey one behind (before), a hot one in front (after).

    The axis always runs from 0 to 100 %, so that change is seen. `words` says what before, after and
    token are called. A click on a row selects its id in the selection `pick`.
    """
    data = data.assign(label=axis_labels(data["token"]), end=data[["before", "after"]].max(axis=1))
    data["shown"] = [_percent(p, language) for p in data["after"]]
    pick = alt.selection_point(name="pick", fields=["id"], on="click", empty=False)
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelFontSize=14))
    axis = alt.Axis(format=".0%", tickCount=5, values=[0, 0.25, 0.5, 0.75, 1], gridOpacity=0.5)
    x = {"scale": alt.Scale(domain=[0, 1.1], nice=False), "title": None}
    tooltip = [
        alt.Tooltip("token:N", title=words["token"]),
        alt.Tooltip("before:Q", title=words["before"], format=".2%"),
        alt.Tooltip("after:Q", title=words["after"], format=".2%"),
    ]
    base = alt.Chart(data).encode(y=y, tooltip=tooltip)
    legend = {"computed": words["after"], "dropped": words["before"]}
    behind = (
        base.transform_calculate(role="'dropped'")
        .mark_bar(size=18, opacity=0.55, cornerRadiusEnd=4)
        .encode(x=alt.X("before:Q", axis=axis, **x), color=role_color(labels=legend))
    )
    front = (
        base.transform_calculate(role="'computed'")
        .mark_bar(size=9, cornerRadiusEnd=4)
        .encode(x=alt.X("after:Q", **x), color=role_color(labels=legend))
    )
    share = base.mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(x=alt.X("end:Q", **x), text="shown:N")
    # An invisible bar over the whole row makes all of it clickable.
    row = base.mark_bar(size=ROW, opacity=0, cursor="pointer").encode(x=alt.datum(0), x2=alt.datum(1.1)).add_params(pick)
    return finish(behind + front + share + row, language, height=ROW * len(data) + 46)


def score_table(labels: Sequence[str], logits: np.ndarray, softmax: np.ndarray, hardmax: np.ndarray, temperature: float) -> pd.DataFrame:
    """How candidates' scores (n,), highest first, become shares: logit, exp((logit - highest) / temperature), softmax, hardmax."""
    below = np.asarray(logits, np.float32) - np.float32(logits[0])
    scaled = np.exp(below / temperature) if temperature > 0 else (below == 0).astype(np.float32)
    return pd.DataFrame({"token": list(labels), "logit": logits, "scaled": scaled, "softmax": softmax, "hardmax": hardmax})


def _percent(p: float, language: str) -> str:
    if p == 0:
        return "–"
    text = f"{p:.1%}" if p >= 0.001 else "< 0.1%"
    return text.replace(".", ",").replace("%", "\u202f%") if language == "de" else text
