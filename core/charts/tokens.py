"""Charts with tokens on an axis."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role


def axis_labels(labels: Sequence[str], longest: int = 18) -> list[str]:
    """Labels for an axis: shortened, and made different where a token returns (by invisible signs)."""
    seen: dict[str, int] = {}
    unique = []
    for label in labels:
        label = label if len(label) <= longest else label[: longest - 1] + "…"
        seen[label] = seen.get(label, -1) + 1
        unique.append(label + "\u200b" * seen[label])
    return unique


def surprisal_chart(labels: Sequence[str], bits: np.ndarray, words: dict[str, str], language: str = "en"):
    """How surprising each token was: bars (n,) in bits along the text.

    `words` names the axes and tooltip rows: position, token, bits.
    """
    data = pd.DataFrame({"position": np.arange(1, len(labels) + 1), "token": list(labels), "bits": np.asarray(bits, np.float32)})
    bars = (
        in_role(alt.Chart(data), "computed")
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("position:O", title=words["position"], axis=alt.Axis(labelOverlap=True, labelAngle=0)),
            y=alt.Y("bits:Q", title=words["bits"], scale=alt.Scale(domain=[0, 16], clamp=True)),
            tooltip=[
                alt.Tooltip("token:N", title=words["token"]),
                alt.Tooltip("bits:Q", title=words["bits"], format=".1f"),
            ],
        )
    )
    return finish(bars, language, height=160)
