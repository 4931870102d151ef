"""Charts of the embeddings page: words on a map, neighbours, cosines as a table, a word through the layers."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import INK, PALETTES, finish, role_color, spec
from core.charts.tokens import axis_labels

OWN = "own"  # the group of the viewer's words
HEIGHT, SIGN, LINE = 460, 7.4, 15  # pixels: the map, and a label's sign and line, for placing labels
WIDTHS, NEVER = (640, 270), 30_000  # of the map: on a laptop, on a phone
REACH = 1.1  # how far the axes of the map go, its outermost word is at 1
_SHOWN_COSINES = 14  # words up to which the table writes its numbers


def map_data(words: Sequence[str], groups: Sequence[str], notes: Sequence[str], points: np.ndarray) -> pd.DataFrame:
    """One row a word: `points` (n, k) with each axis scaled so that the groups go from -1 to 1, and the width of map
    from which there is room for its label.

    groups: a key of the chart's groups, or OWN; notes: how the word is made of tokens. The viewer's own words get
    their labels first, the others where nothing is in the way; the picture's tooltips name the rest.
    """
    own = np.array([group == OWN for group in groups], bool)
    points = np.asarray(points, np.float32)
    frame = points if own.all() else points[~own]  # so that the map stays where it is while a viewer types
    low, high = frame.min(axis=0), frame.max(axis=0)
    scaled = np.clip((2 * points - low - high) / np.maximum(high - low, 1e-9), -REACH, REACH)
    labels = axis_labels(words)
    room = np.where(own, 0, NEVER)
    others = np.flatnonzero(~own).tolist()
    for width in WIDTHS:  # the widest first: what has no room there has none on a phone
        shown = _with_room(labels, own, scaled[:, :2], width, [*np.flatnonzero(own), *others])
        others = [i for i in shown if not own[i]]
        room[others] = width
    axes = {axis: scaled[:, k] for k, axis in enumerate("xyz"[: points.shape[1]])}
    names = {"word": list(words), "label": labels, "group": list(groups), "note": list(notes)}
    return pd.DataFrame({**names, "room": room.astype(np.int16), **axes})


def _with_room(labels: Sequence[str], own: np.ndarray, points: np.ndarray, width: int, order: Sequence[int]) -> list[int]:
    """Of the labels in `order`, those that nothing before them is in the way of; the viewer's own always."""
    shown: list[int] = []
    taken: list[tuple[float, float, float, float]] = []
    for i in order:
        x, y = (points[i] + REACH) / (2 * REACH) * (width, HEIGHT)
        wide = SIGN * len(labels[i]) * (1.15 if own[i] else 1)
        box = (x + 4, y - LINE / 2, x + 8 + wide, y + LINE / 2)
        if own[i] or not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            shown.append(i)
            taken.append(box)
    return shown


@spec
def map_chart(groups: tuple[tuple[str, str], ...], x: str, y: str, word: str, tokens: str, language: str = "en"):
    """Words as points (`map_data`), coloured by group: (key, words) each. The viewer's words are ringed and larger.

    A click selects `word` in the selection `pick`. x, y: the axes' words; `word` and `tokens` those of the tooltip.
    """
    pick = alt.selection_point(name="pick", fields=["word"], on="click", empty=False, nearest=False)
    scale = alt.Scale(domain=[-REACH, REACH], nice=False, clamp=True)
    axis = {"labels": False, "grid": True, "gridOpacity": 0.35, "tickCount": 5}
    keys, legend = [key for key, _ in groups], None
    if groups:
        names = " : ".join(f"datum.value == '{key}' ? '{text}'" for key, text in groups) + " : ''"
        legend = alt.Legend(title=None, orient="top", labelExpr=names, symbolOpacity=1, labelLimit=0, columns=3, values=keys)
    # The third colour is the grey of what was dropped, so no group has it.
    color = alt.Color("group:N", scale=alt.Scale(domain=[*keys[:2], "", *keys[2:]]), legend=legend)
    base = alt.Chart().encode(
        x=alt.X("x:Q", scale=scale, axis=alt.Axis(title=x, **axis)),
        y=alt.Y("y:Q", scale=scale, axis=alt.Axis(title=y, **axis)),
        tooltip=[alt.Tooltip("word:N", title=word), alt.Tooltip("note:N", title=tokens)],
    )
    theirs, own = base.transform_filter(f"datum.group != '{OWN}'"), base.transform_filter(f"datum.group == '{OWN}'")
    text = {"align": "left", "dx": 8, "baseline": "middle"}
    layers = [
        theirs.mark_circle(size=70, opacity=0.9, cursor="pointer").encode(color=color),
        theirs.transform_filter("datum.room <= width").mark_text(fontSize=12, **text).encode(text="label:N", color=color),
        own.mark_point(size=150, strokeWidth=2.5, filled=False, stroke="currentColor", cursor="pointer"),
        own.mark_text(fontSize=14, fontWeight="bold", fill="currentColor", **(text | {"dx": 11})).encode(text="label:N"),
        base.mark_point(size=500, opacity=0, filled=True, cursor="pointer").add_params(pick),  # easy to hit with a finger
    ]
    return finish(alt.layer(*layers), language, height=HEIGHT)


def deep_map(data: pd.DataFrame, groups: Sequence[tuple[str, str]], axes: Sequence[str], own: str, theme: str = "light"):
    """A Plotly figure of `map_data` with three axes, to be turned; groups as in `map_chart`, `own` the word for the viewer's."""
    import plotly.graph_objects as go  # only this view needs it

    shades = PALETTES[theme]["categorical"]
    colors = [*shades[:2], *shades[3:]]
    figure = go.Figure()
    for (key, name), color in zip([*groups, (OWN, own)], [*colors[: len(groups)], INK[theme]]):
        part = data[data["group"] == key]
        marker = {"size": 4 if key != OWN else 7, "color": color, "symbol": "circle" if key != OWN else "diamond"}
        where = {axis: part[axis].to_numpy(np.float32) for axis in "xyz"}
        size = {"size": 11 if key != OWN else 14, "color": color}
        hover = "%{text}<br>%{customdata}<extra></extra>"
        figure.add_scatter3d(
            **where, name=name, mode="markers+text", text=part["word"], customdata=part["note"], marker=marker,
            textfont=size, textposition="middle right", hovertemplate=hover,
        )  # fmt: skip
    bare = {"showticklabels": False, "showbackground": False, "gridcolor": "rgba(128,128,128,0.3)", "zeroline": False}
    scene = {f"{axis}axis": bare | {"title": {"text": title}} for axis, title in zip("xyz", axes)}
    figure.update_layout(
        height=560, margin={"l": 0, "r": 0, "t": 0, "b": 0}, scene=scene | {"dragmode": "turntable"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
    )  # fmt: skip
    return figure


def bars_data(labels: Sequence[str], cosines: Sequence[float], roles: Sequence[str], raw: Sequence[float] | None = None) -> pd.DataFrame:
    """One row a token, nearest first: its cosine, without centring too where given, and its role for the colour."""
    rows = {"token": list(labels), "cosine": np.asarray(cosines, np.float32), "role": list(roles), "label": axis_labels(labels)}
    if raw is not None:
        rows["raw"] = np.asarray(raw, np.float32)
    return pd.DataFrame(rows)


@spec
def bars_chart(rows: int, token: str, cosine: str, raw: str = "", computed: str = "", dropped: str = "", language: str = "en"):
    """Cosines as bars from `bars_data`, the axis from 0 to 1. `computed` and `dropped` are the words of a legend."""
    scale = alt.Scale(domain=[0, 1.1], nice=False, clamp=True)
    x = alt.X("cosine:Q", scale=scale, axis=alt.Axis(title=cosine, values=[0, 0.25, 0.5, 0.75, 1], format=".2f"))
    tooltip = [alt.Tooltip("token:N", title=token), alt.Tooltip("cosine:Q", title=cosine, format=".3f")]
    if raw:
        tooltip.append(alt.Tooltip("raw:Q", title=raw, format=".3f"))
    axis = alt.Axis(title=None, labelLimit=130, labelFontSize=14, labelOverlap=False)
    base = alt.Chart().encode(y=alt.Y("label:N", sort=None, axis=axis), tooltip=tooltip)
    color = role_color(labels={"computed": computed, "dropped": dropped} if dropped else None)
    bars = base.mark_bar(size=16, cornerRadiusEnd=4).encode(x=x, color=color)
    written = base.mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(x=x, text=alt.Text("cosine:Q", format=".2f"))
    return finish(bars + written, language, height=27 * rows + (100 if dropped else 48))


def table_data(names: Sequence[str], cosines: np.ndarray) -> pd.DataFrame:
    """One row a pair from `cosines` (n, n): place of row and column, their names, the cosine."""
    n = len(names)
    i, j = np.indices((n, n)).reshape(2, -1)
    shown = np.array(axis_labels(names, longest=24), object)
    return pd.DataFrame(
        {
            "i": i.astype(np.int16),
            "j": j.astype(np.int16),
            "row": shown[i],
            "column": shown[j],
            "cosine": np.asarray(cosines, np.float32).ravel(),
        }
    )


@spec
def table_chart(n: int, cosine: str, language: str = "en"):
    """Cosines of n things with one another (`table_data`): blue below 0, hot above, always from -1 to 1."""
    size = 13 if n <= 12 else 11
    axis = {"title": None, "labelFontSize": size, "labelOverlap": False, "labelLimit": 130, "labelFlush": False}
    base = alt.Chart().encode(
        x=alt.X("column:N", sort=None, axis=alt.Axis(orient="top", labelAngle=-90, **(axis | {"labelLimit": 100}))),
        y=alt.Y("row:N", sort=None, axis=alt.Axis(**axis)),
        tooltip=[alt.Tooltip("row:N"), alt.Tooltip("column:N"), alt.Tooltip("cosine:Q", title=cosine, format=".3f")],
    )
    legend = alt.Legend(title=cosine, orient="bottom", direction="horizontal", gradientLength=180, values=[-1, 0, 1], format=".0f")
    scale = alt.Scale(domain=[-1, 1], range="diverging")
    layers = [base.mark_rect(cornerRadius=2).encode(color=alt.Color("cosine:Q", scale=scale, legend=legend))]
    if n <= _SHOWN_COSINES:
        written = base.transform_filter("datum.i != datum.j").mark_text(fontSize=size - 1, fill="currentColor")
        layers.append(written.encode(text=alt.Text("cosine:Q", format=".2f")))
    return finish(alt.layer(*layers), language, height=200 + int(min(max(34 * n, 60), 520)))


def layers_data(pairs: Mapping[str, np.ndarray], chance: np.ndarray, other: str) -> pd.DataFrame:
    """One row a layer and line: the cosine of each pair of sentences (name -> (layers + 1,)), and of any two tokens, named `other`."""
    lines = [(name, "computed", values) for name, values in pairs.items()] + [(other, "dropped", chance)]
    parts = [
        pd.DataFrame(
            {"layer": np.arange(len(values), dtype=np.int16), "cosine": np.asarray(values, np.float32), "line": name, "role": role}
        )
        for name, role, values in lines
    ]
    data = pd.concat(parts, ignore_index=True)
    data["last"] = data["layer"] == data["layer"].max()
    return data


@spec
def layers_chart(lines: tuple[str, ...], other: str, layers: int, layer: str, cosine: str, language: str = "en"):
    """How alike a word stays in several sentences, from the embedding (0) to the last layer: `layers_data`."""
    x = alt.X(
        "layer:Q", scale=alt.Scale(domain=[0, layers * 1.02], nice=False), axis=alt.Axis(title=layer, tickMinStep=1, grid=False, format="d")
    )
    y = alt.Y(
        "cosine:Q", scale=alt.Scale(domain=[0, 1.03], nice=False, clamp=True), axis=alt.Axis(title=cosine, tickCount=5, gridOpacity=0.5)
    )
    legend = alt.Legend(title=None, orient="top", labelLimit=0, symbolType="stroke", symbolStrokeWidth=3, columns=4, values=[*lines, other])
    domain = [*lines[:2], other, *lines[2:]]  # the third colour is grey: it is the one for comparison
    tooltip = [alt.Tooltip("line:N", title=" "), alt.Tooltip("layer:Q", title=layer), alt.Tooltip("cosine:Q", title=cosine, format=".3f")]
    base = alt.Chart().encode(x=x, y=y, color=alt.Color("line:N", scale=alt.Scale(domain=domain), legend=legend), tooltip=tooltip)
    dash = alt.condition("datum.role == 'dropped'", alt.value([5, 4]), alt.value([1, 0]))
    return finish(
        base.mark_line(strokeWidth=3).encode(strokeDash=dash) + base.mark_point(filled=True, size=45, opacity=1), language, height=320
    )


def quiz_data(formulas: Sequence[str], with_inputs: Sequence[int], without: Sequence[int]) -> pd.DataFrame:
    """One row a formula and way of counting: the place of the expected word, from 1, with the inputs in the list and without."""
    names = [formula.partition("=")[0].strip() for formula in formulas]
    answers = [formula.partition("=")[2].strip() for formula in formulas]
    both = [("dropped", with_inputs), ("computed", without)]
    parts = [
        pd.DataFrame({"formula": list(formulas), "label": names, "answer": answers, "rank": ranks, "role": role}) for role, ranks in both
    ]
    return pd.concat(parts, ignore_index=True)


@spec
def quiz_chart(rows: int, largest: int, language: str = "en", **words: str):
    """Where the expected word of each formula ends (`quiz_data`), first place on the left, logarithmic; a click selects `formula`.

    `words`: rank, answer, with_inputs, without.
    """
    pick = alt.selection_point(name="pick", fields=["formula"], on="click", empty=False)
    axis = alt.Axis(title=words["rank"], values=[1, 3, 10, 100, 1000, 10_000], format=",d", gridOpacity=0.5)
    x = alt.X("rank:Q", scale=alt.Scale(type="log", domain=[0.9, largest], nice=False), axis=axis)
    y = alt.Y("label:N", sort=None, axis=alt.Axis(title=None, labelLimit=190, labelFontSize=12, labelOverlap=False, labelFlush=False))
    color = role_color(labels={"computed": words["without"], "dropped": words["with_inputs"]}, columns=1)
    tooltip = [alt.Tooltip("formula:N", title=" "), alt.Tooltip("rank:Q", title=words["rank"], format=",d")]
    base = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    # The one without inputs is never further back: drawn first and larger, so that both are seen where they meet.
    points = base.mark_point(filled=True, size=110, opacity=1, cursor="pointer").encode(color=color)
    row = (
        alt.Chart().mark_bar(opacity=0, cursor="pointer", size=24).encode(y=y, x=alt.datum(0.9), x2=alt.datum(largest), tooltip=tooltip[:1])
    )
    return finish(points + row.add_params(pick), language, height=25 * rows + 100)
