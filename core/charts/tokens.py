"""Charts with tokens on an axis."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role, spec


def axis_labels(labels: Sequence[str], longest: int = 18) -> list[str]:
    """Labels for an axis: shortened, and made different where a token returns (by invisible signs)."""
    seen: dict[str, int] = {}
    unique = []
    for label in labels:
        label = label if len(label) <= longest else label[: longest - 1] + "…"
        seen[label] = seen.get(label, -1) + 1
        unique.append(label + "\u200b" * seen[label])
    return unique


def surprisal_data(labels: Sequence[str], logprobs: np.ndarray) -> pd.DataFrame:
    """One row a token from its log-probability (n,), natural log: position and bits = -log2 p."""
    bits = -np.asarray(logprobs, np.float32) / np.log(2)
    return pd.DataFrame({"position": np.arange(1, len(labels) + 1), "token": list(labels), "bits": bits})


@spec
def surprisal_chart(position: str, token: str, bits: str, language: str = "en"):
    """How surprising each token of `surprisal_data` was, along the text; the arguments are the words for them."""
    bars = in_role(alt.Chart(), "computed").mark_bar(cornerRadiusEnd=2)
    bars = bars.encode(
        x=alt.X("position:O", title=position, axis=alt.Axis(labelOverlap=True, labelAngle=0)),
        y=alt.Y("bits:Q", title=bits, scale=alt.Scale(domain=[0, 16], clamp=True)),
        tooltip=[alt.Tooltip("token:N", title=token), alt.Tooltip("bits:Q", title=bits, format=".1f")],
    )
    return finish(bars, language, height=160)
