"""Charts of the attention lab: one head's map, vectors as colours, scores step by step, what a head does."""

import struct
import zlib
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import PALETTES, finish, in_role, role_color, spec
from core.charts.tokens import axis_labels

MOST_CLICKABLE = 64  # tokens; larger maps are drawn by Plotly, which is faster and zooms, but reports no clicks
STAGES = ("vectors", "products", "scaled", "masked", "weights", "result")


def map_data(pattern: np.ndarray, labels: Sequence[str], query: int, key: int | None = None) -> pd.DataFrame:
    """One row a cell on or below the diagonal of `pattern` (T, T); `framed` marks the query's row and column.

    q and k are positions, query and key their labels.
    """
    q, k = np.tril_indices(len(labels))
    names = np.array(axis_labels(labels, longest=12), dtype=object)
    framed = (q == query).astype(np.int8) + (k == query) + (0 if key is None else (q == query) & (k == key))
    return pd.DataFrame(
        {
            "q": q.astype(np.int16),
            "k": k.astype(np.int16),
            "query": names[q],
            "key": names[k],
            "weight": np.asarray(pattern, np.float32)[q, k],
            "framed": framed.astype(np.int8),
        }
    )


def map_chart(tokens: int, query: str, key: str, weight: str, language: str = "en") -> dict:
    """One head's map from `map_data`, at most MOST_CLICKABLE tokens; every row sums to 1.

    The shade grows with the square root of the weight. A click selects `q` and `k` in the selection `pick`.
    `query`, `key` and `weight` are the words for them.
    """
    return _any_map(8 * -(-tokens // 8), query, key, weight, language)  # not built anew for every token that is typed


@spec
def _any_map(tokens: int, query: str, key: str, weight: str, language: str):
    pick = alt.selection_point(name="pick", fields=["q", "k"], on="click", empty=False)
    size = 13 if tokens <= 16 else 11 if tokens <= 40 else 9
    axis = {"title": None, "labelFontSize": size, "labelLimit": 80, "labelOverlap": tokens > 40, "labelPadding": 3}
    cells = alt.Chart().mark_rect(cursor="pointer", cornerRadius=1.5 if tokens <= 40 else 0)
    cells = cells.encode(
        x=alt.X("key:N", sort=None, axis=alt.Axis(orient="top", labelAngle=-90, **axis)),
        y=alt.Y("query:N", sort=None, axis=alt.Axis(**axis)),
        color=alt.Color("weight:Q", scale=alt.Scale(type="sqrt", domain=[0, 1]), legend=None),
        stroke=alt.condition("datum.framed > 0", alt.value("currentColor"), alt.value("transparent")),
        strokeWidth=alt.condition("datum.framed > 1", alt.value(2), alt.value(0.6)),
        tooltip=[alt.Tooltip("query:N", title=query), alt.Tooltip("key:N", title=key), alt.Tooltip("weight:Q", title=weight, format=".1%")],
    )
    return finish(cells.add_params(pick), language, height=80 + int(min(max(15 * tokens, 230), 560)), many=True)


def big_map(pattern: np.ndarray, labels: Sequence[str], query: int, words: dict[str, str], theme: str = "light", language: str = "en"):
    """A Plotly figure of one head's map (T, T) for long texts: hover and zoom; the query's row and column are framed.

    `words` says query, key and weight; `theme` is light or dark.
    """
    import plotly.graph_objects as go  # only long texts need it

    T = len(labels)
    weights = np.where(np.tri(T, dtype=bool), np.asarray(pattern, np.float32), np.float32(np.nan))
    colors = PALETTES[theme]["sequential"]
    shades = [[(i / (len(colors) - 1)) ** 2, color] for i, color in enumerate(colors)]  # square root, as in the small map
    names = axis_labels(labels, longest=14)
    hover = f"{words['query']}: %{{y}}<br>{words['key']}: %{{x}}<br>{words['weight']}: %{{z:.1%}}<extra></extra>"
    heat = go.Heatmap(z=weights, x=names, y=names, colorscale=shades, zmin=0, zmax=1, hovertemplate=hover)
    heat.update(showscale=False, hoverongaps=False)
    line = {"color": PALETTES[theme]["categorical"][1], "width": 1.5}
    row = {"type": "rect", "x0": -0.5, "x1": query + 0.5, "y0": query - 0.5, "y1": query + 0.5, "line": line}
    column = {"type": "rect", "x0": query - 0.5, "x1": query + 0.5, "y0": query - 0.5, "y1": T - 0.5, "line": line}
    figure = go.Figure(heat)
    figure.update_layout(
        height=560,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        separators=",." if language == "de" else ".,",
        xaxis={"side": "top", "nticks": 24, "tickangle": -60, "showgrid": False, "type": "category"},
        yaxis={"autorange": "reversed", "nticks": 30, "showgrid": False, "type": "category"},
        shapes=[row, column],
    )
    return figure


def vectors_data(rows: Sequence[tuple[str, str, np.ndarray]]) -> pd.DataFrame:
    """Vectors as rows of numbers: (kind, label, (D,)) each; `shade` is the number over the largest of its kind, -1 to 1."""
    kinds = {kind for kind, _, _ in rows}
    largest = {kind: max(float(np.abs(vector).max()) for k, _, vector in rows if k == kind) or 1.0 for kind in kinds}
    labels = axis_labels([label for _, label, _ in rows], longest=24)
    parts = [
        pd.DataFrame(
            {
                "kind": kind,
                "label": label,
                "d": np.arange(1, len(vector) + 1, dtype=np.int16),
                "number": np.asarray(vector, np.float32),
                "shade": np.asarray(vector, np.float32) / np.float32(largest[kind]),
            }
        )
        for (kind, _, vector), label in zip(rows, labels)
    ]
    return pd.concat(parts, ignore_index=True)


@spec
def vectors_chart(rows: int, dimension: str, number: str, language: str = "en"):
    """Vectors of `vectors_data` as coloured rows, one cell a number: orange above 0, blue below."""
    cells = alt.Chart().transform_calculate(strength="abs(datum.shade)").mark_rect().encode(
        x=alt.X("d:O", title=None, axis=None),
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelFontSize=13, labelOverlap=False)),
        color=alt.Color("shade:Q", scale=alt.Scale(domain=[-1, 1], domainMid=0), legend=None),
        opacity=alt.Opacity("strength:Q", scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0, 1]), legend=None),
        tooltip=[
            alt.Tooltip("label:N", title=" "),
            alt.Tooltip("d:O", title=dimension),
            alt.Tooltip("number:Q", title=number, format=".3f"),
        ],
    )  # fmt: skip
    return finish(cells, language, height=24 * rows)


def steps_data(steps, keys: Sequence[int], labels: Sequence[str], stage: str, chosen: int, language: str = "en") -> pd.DataFrame:
    """What the keys hold at one stage (products, scaled, masked, weights) of `HeadSteps`: length -1 to 1, and the number written.

    Scores are drawn against the largest product, so that the division is seen; weights against 1.
    """
    numbers = np.asarray(getattr(steps, stage), np.float32)[list(keys)]
    largest = 1.0 if stage == "weights" else float(np.abs(np.asarray(steps.products)[list(keys)]).max()) or 1.0
    finite = np.where(np.isfinite(numbers), numbers, 0.0)
    written = ["−∞" if not np.isfinite(n) else f"{n:.1%}" if stage == "weights" else f"{n:.2f}" for n in numbers]
    return pd.DataFrame(
        {
            "key": np.asarray(keys, np.int16),
            "label": axis_labels([labels[key] for key in keys]),
            "length": (finite / largest).astype(np.float32),
            "written": [_local(text, language) for text in written],
            "role": np.where(np.isfinite(numbers), "computed", "dropped"),
            "strong": np.asarray([key == chosen for key in keys], np.int8),
        }
    )


def steps_table(steps, labels: Sequence[str]) -> pd.DataFrame:
    """One row a token: its score at every stage, its weight, and how long its value and its contribution are."""
    values = np.asarray(steps.values, np.float32)
    lengths = np.linalg.norm(values, axis=-1)
    columns = {stage: np.asarray(getattr(steps, stage), np.float32) for stage in ("products", "scaled", "masked", "weights")}
    return pd.DataFrame({"token": list(labels), **columns, "value_length": lengths, "contribution_length": lengths * columns["weights"]})


@spec
def steps_chart(rows: int, signed: bool, language: str = "en"):
    """Bars of `steps_data`, numbers on the right; a click selects `key` in the selection `pick`. `signed`: below 0 as well."""
    pick = alt.selection_point(name="pick", fields=["key"], on="click", empty=False)
    low = -1.0 if signed else 0.0
    end = 1.0 + 0.22 * (1.0 - low)
    scale = alt.Scale(domain=[low, end], nice=False)
    base = alt.Chart().encode(y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelFontSize=14)))
    bars = base.mark_bar(size=15, cornerRadiusEnd=3).encode(
        x=alt.X("length:Q", scale=scale, axis=None),
        color=role_color(),
        opacity=alt.condition("datum.strong == 1", alt.value(1.0), alt.value(0.55)),
    )
    zero = alt.Chart().mark_rule(stroke="currentColor", opacity=0.35).encode(x=alt.datum(0))
    text = base.mark_text(align="right", fontSize=14, fill="currentColor").encode(
        x=alt.datum(end),
        text="written:N",
        opacity=alt.condition("datum.strong == 1", alt.value(1.0), alt.value(0.7)),
    )
    row = base.mark_bar(size=26, opacity=0, cursor="pointer").encode(x=alt.datum(low), x2=alt.datum(end)).add_params(pick)
    return finish(alt.layer(bars, zero, text, row), language, height=27 * rows)


def profile_data(
    scores: dict[str, float], thresholds: dict[str, float], names: dict[str, str], kind: str, language: str = "en"
) -> pd.DataFrame:
    """One row a measure: its score, the score from which the head gets that name, and whether it has it."""
    return pd.DataFrame(
        {
            "label": [names[measure] for measure in scores],
            "score": np.asarray(list(scores.values()), np.float32),
            "threshold": np.asarray([thresholds[measure] for measure in scores], np.float32),
            "written": [_local(f"{score:.0%}", language) for score in scores.values()],
            "strong": np.asarray([measure == kind for measure in scores], np.int8),
        }
    )


@spec
def profile_chart(rows: int, threshold: str, language: str = "en"):
    """Bars of `profile_data` from 0 to 1 with the thresholds as ticks; `threshold` is the word for them."""
    scale = alt.Scale(domain=[0, 1.18], nice=False)
    base = alt.Chart().encode(y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=220, labelFontSize=13)))
    bars = in_role(base, "computed").mark_bar(size=13, cornerRadiusEnd=3).encode(
        x=alt.X("score:Q", scale=scale, axis=None),
        opacity=alt.condition("datum.strong == 1", alt.value(1.0), alt.value(0.45)),
    )  # fmt: skip
    tooltip = [alt.Tooltip("threshold:Q", title=threshold, format=".0%")]
    ticks = base.mark_tick(thickness=2, size=17, color="currentColor", opacity=0.55).encode(x="threshold:Q", tooltip=tooltip)
    text = base.mark_text(align="right", fontSize=13, fill="currentColor").encode(x=alt.datum(1.18), text="written:N")
    return finish(alt.layer(bars, ticks, text), language, height=24 * rows)


def montage_png(pictures: np.ndarray) -> bytes:
    """All small maps (L, H, s, s), uint8, as one PNG: a row for every layer, a column for every head.

    Only opacity is stored (32 levels, black), so that whoever shows it chooses the colour.
    """
    L, H, s, _ = pictures.shape
    levels = pictures.transpose(0, 2, 1, 3).reshape(L * s, H * s) >> 3
    lines = np.concatenate([np.zeros((L * s, 1), np.uint8), levels.astype(np.uint8)], axis=1)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", H * s, L * s, 8, 3, 0, 0, 0)  # 8 bits, palette
    opacity = bytes(round(i * 255 / 31) for i in range(32))
    chunks = [(b"IHDR", header), (b"PLTE", bytes(96)), (b"tRNS", opacity), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _local(text: str, language: str) -> str:
    """Number signs of the language."""
    text = text.replace("-", "−")
    return text.translate(str.maketrans(",.", ".,")).replace("%", "\u202f%") if language == "de" else text
