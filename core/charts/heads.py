"""Charts of the attention lab: one head's map, its arithmetic, and all heads as small pictures."""

import base64
import io

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from core.charts.theme import PALETTES, finish, in_role
from core.charts.tokens import axis_labels

INK = tuple(int(PALETTES["light"]["categorical"][0][i : i + 2], 16) for i in (1, 3, 5))
THUMB, CELL = 44, 62  # pixels of a small picture, and of its place in the gallery


def map_data(pattern: np.ndarray, labels: list[str], start: int) -> pd.DataFrame:
    """Cells on and below the diagonal of pattern (n, n): query, key (their labels), q (position), weight."""
    names = axis_labels(labels, 12)
    q, k = np.tril_indices(len(labels))
    return pd.DataFrame({"query": [names[i] for i in q], "key": [names[j] for j in k], "q": start + q, "k": start + k, "weight": pattern[q, k].astype(np.float32)})


def map_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """One head's weights, queries downwards and keys across. A click puts the row's `q` into the selection `pick`."""
    pick = alt.selection_point(name="pick", fields=["q"], on="click", empty=False)
    order = list(dict.fromkeys(data["query"]))
    chart = alt.Chart(data).mark_rect(cursor="pointer").encode(
        x=alt.X("key:O", sort=order, title=words["key"], axis=alt.Axis(orient="top", labelAngle=-60, labelOverlap=False)),
        y=alt.Y("query:O", sort=order, title=words["query"]),
        color=alt.Color("weight:Q", scale=alt.Scale(domain=[0, 1]), legend=alt.Legend(title=words["weight"], format=".0%", orient="bottom")),
        stroke=alt.condition(pick, alt.value("currentColor"), alt.value(None)),
        tooltip=[alt.Tooltip("query:N", title=words["query"]), alt.Tooltip("key:N", title=words["key"]), alt.Tooltip("weight:Q", title=words["weight"], format=".1%")],
    ).add_params(pick)  # fmt: skip
    return finish(chart, language, height=max(220, 15 * len(order) + 130))


def bars_data(values: np.ndarray, labels: list[str]) -> pd.DataFrame:
    """place, token, value; -inf (masked) becomes empty."""
    return pd.DataFrame({"place": range(1, len(values) + 1), "token": axis_labels(labels, 12), "value": np.where(np.isfinite(values), values, np.nan)})


def bars_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """One number a token (or a dimension) as bars."""
    chart = in_role(alt.Chart(data), "computed").mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("token:O", sort=None, title=None, axis=alt.Axis(labelAngle=-60, labelOverlap=len(data) > 50)),
        y=alt.Y("value:Q", title=words["value"]),
        tooltip=[alt.Tooltip("token:N", title=words["token"]), alt.Tooltip("value:Q", title=words["value"], format=".3f")],
    )  # fmt: skip
    return finish(chart, language, height=230)


def small_picture(pattern: np.ndarray) -> str:
    """A pattern (T, T) as a tiny PNG (data URL): the more weight, the more ink; made for any background."""
    n = len(pattern)
    if n > THUMB:  # the strongest weight of every patch, so that thin lines survive
        edges = np.linspace(0, n, THUMB + 1).astype(int)[:-1]
        pattern = np.maximum.reduceat(np.maximum.reduceat(pattern, edges, axis=0), edges, axis=1)
    alpha = (255 * np.sqrt(np.clip(pattern, 0, 1))).astype(np.uint8)
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = INK, alpha
    file = io.BytesIO()
    Image.fromarray(pixels).resize((THUMB, THUMB), Image.Resampling.NEAREST).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def gallery_data(patterns: list[np.ndarray], kinds: list[list[str]], words: dict[str, str]) -> pd.DataFrame:
    """layer, head (from 1), kind, picture for every head; patterns: one (H, T, T) a layer."""
    rows = [
        (layer + 1, head + 1, words[kinds[layer][head]], small_picture(pattern))
        for layer, heads in enumerate(patterns)
        for head, pattern in enumerate(heads)
    ]
    return pd.DataFrame(rows, columns=["layer", "head", "kind", "picture"])


def gallery_chart(data: pd.DataFrame, layer: int, head: int, words: dict[str, str], language: str = "en"):
    """All heads: layers downwards, heads across, each with what it does. A click puts `layer` and `head` into `pick`."""
    pick = alt.selection_point(name="pick", fields=["layer", "head"], on="click", empty=False)
    x = alt.X("head:O", title=words["head"], axis=alt.Axis(orient="top", labelAngle=0))
    y = alt.Y("layer:O", title=words["layer"])
    base = alt.Chart(data).encode(x=x, y=y, tooltip=[alt.Tooltip(f"{n}:N", title=words[n]) for n in ("layer", "head", "kind")])
    here = in_role(base, "computed").transform_filter((alt.datum.layer == layer) & (alt.datum.head == head)).mark_rect(fillOpacity=0.12, strokeWidth=2)
    pictures = base.mark_image(width=THUMB, height=THUMB, yOffset=-7).encode(url="picture:N")
    names = base.mark_text(fontSize=9.5, dy=25, fill="currentColor").encode(text="kind:N")
    area = base.mark_rect(opacity=0, cursor="pointer").add_params(pick)
    return finish(here + pictures + names + area, language, height=(CELL + 8) * data["layer"].nunique() + 60)
