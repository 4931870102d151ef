"""Charts of the FlashAttention page: tiles over the score matrix, one row's running numbers, floats moved, time."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import counted, finish, in_role, role_color, spec

MOST_CELLS = 64  # cells a side; in a longer text neighbours share one
MOST_LABELS = 40  # tokens that still get their name
NOW = "min(isValid(toNumber(slider)) ? toNumber(slider) : datum.now, datum.steps)"  # the tile under way


def matrix_data(relative: np.ndarray, labels: Sequence[str], tiles: Sequence[tuple[range, range]], now: int) -> pd.DataFrame:
    """Cells, tiles and names in one table, placed in tokens: q0..q1 down, k0..k1 across; `step` is the tile's place from 1.

    relative: (T, T) exp(score - largest of its row), 0 where masked. Cells of long texts hold the largest of a square.
    """
    n = len(labels)
    side = 1
    while -(-n // side) > MOST_CELLS:
        side *= 2
    step_of = np.zeros((n, n), np.int32)
    for step, (rows, cols) in enumerate(tiles, 1):
        step_of[rows.start : rows.stop, cols.start : cols.stop] = step
    room = -n % side
    pooled = np.pad(np.asarray(relative, np.float32), ((0, room), (0, room))).reshape((n + room) // side, side, -1, side).max((1, 3))
    q, k = np.tril_indices(len(pooled))
    names = np.array([label[:12] for label in labels], object)
    cells = pd.DataFrame({"kind": "cell", "q0": q * side, "k0": k * side, "value": pooled[q, k]})
    cells["q1"], cells["k1"] = np.minimum(cells["q0"] + side, n), np.minimum(cells["k0"] + side, n)
    cells["step"], cells["query"], cells["key"] = step_of[cells["q0"], cells["k0"]], names[cells["q0"]], names[cells["k0"]]
    bounds = [(rows.start, rows.stop, cols.start, cols.stop) for rows, cols in tiles]
    drawn = pd.DataFrame(bounds, columns=["q0", "q1", "k0", "k1"]).assign(kind="tile", step=np.arange(1, len(tiles) + 1))
    parts = [cells, drawn]
    if n <= MOST_LABELS:
        parts.append(pd.DataFrame({"kind": "name", "q0": np.arange(n), "query": names}))
    data = pd.concat(parts, ignore_index=True).assign(now=now, steps=len(tiles), n=n)
    counts = ["q0", "q1", "k0", "k1", "step", "now", "steps", "n"]
    return data.astype({column: np.float32 if data[column].hasnans else np.int16 for column in counts})  # half as much to send


def name_size(n: int) -> int:
    """Type size of the queries' names beside `n` rows; 0: too many to name."""
    return 12 if n <= 26 else 9 if n <= MOST_LABELS else 0


@spec
def matrix_chart(names_at: int, language: str = "en", follow: str = "", **words: str):
    """The tiles of `matrix_data`: the one under way in full colour, those before it already gone, those after it not yet there.

    Left the queries, on top keys and values, violet where they are in fast memory; right the outputs: orange under way,
    blue written. The tile follows the slider that the CSS selector `follow` names. `names_at` is the `name_size` of the
    queries. `words`: query, key, score. Places are shares of the text, so that one spec serves texts of all lengths.
    """
    x_scale = alt.Scale(domain=[-0.36 if names_at else -0.09, 1.09], nice=False)
    y_scale = alt.Scale(domain=[1.01, -0.14], nice=False)
    x, y = alt.X("x0:Q", scale=x_scale, axis=None), alt.Y("y0:Q", scale=y_scale, axis=None)
    places = {place: f"datum.{field} / datum.n" for place, field in (("x0", "k0"), ("x1", "k1"), ("y0", "q0"), ("y1", "q1"))}
    base = alt.Chart().transform_calculate(t=NOW, **places)
    cells = base.transform_filter("datum.kind == 'cell' && datum.step <= datum.t").mark_rect().encode(
        x=x, y=y, x2="x1:Q", y2="y1:Q",
        color=alt.Color("value:Q", scale=alt.Scale(type="sqrt", domain=[0, 1]), legend=None),
        opacity=alt.condition("datum.step == datum.t", alt.value(1), alt.value(0.13)),
        tooltip=[
            alt.Tooltip("query:N", title=words["query"]),
            alt.Tooltip("key:N", title=words["key"]),
            alt.Tooltip("value:Q", title=words["score"], format=".2f"),
        ],
    )  # fmt: skip
    tile = base.transform_filter("datum.kind == 'tile'")
    grid = tile.mark_rect(fillOpacity=0, stroke="currentColor", strokeOpacity=0.15).encode(x=x, y=y, x2="x1:Q", y2="y1:Q")
    here = tile.transform_filter("datum.step == datum.t")
    frame = here.mark_rect(fillOpacity=0, stroke="currentColor", strokeWidth=2.5).encode(x=x, y=y, x2="x1:Q", y2="y1:Q")

    def strip(across: bool, role: str, low: str, high: str, at: float, opacity: float = 1.0):
        """A bar beside the matrix, from field `low` to `high`."""
        chart = here.transform_calculate(low=low, high=high).transform_filter("datum.high > datum.low")
        chart = in_role(chart, role).mark_rect(opacity=opacity, cornerRadius=2)
        start, end = ("x", "y") if across else ("y", "x")
        scales = {"x": x_scale, "y": y_scale}
        along, beside = getattr(alt, start.upper()), getattr(alt, end.upper())
        sides = {f"{start}2": "high:Q", f"{end}2": alt.datum(at + 0.04)}
        return chart.encode(along("low:Q", scale=scales[start], axis=None), beside(datum=at, scale=scales[end], axis=None), **sides)

    strips = [
        strip(False, "dropped", "0", "1", -0.06, 0.35), strip(False, "paged", "datum.y0", "datum.y1", -0.06),
        strip(True, "dropped", "0", "1", -0.06, 0.35), strip(True, "paged", "datum.x0", "datum.x1", -0.06),
        strip(False, "dropped", "0", "1", 1.02, 0.35), strip(False, "reused", "0", "datum.y0", 1.02),
        strip(False, "computed", "datum.y0", "datum.y1", 1.02),
    ]  # fmt: skip
    signs = [
        here.mark_text(fontSize=13, fontWeight=600, fill="currentColor", text=text).encode(
            x=alt.X(datum=at, scale=x_scale, axis=None), y=alt.Y(datum=up, scale=y_scale, axis=None)
        )
        for text, at, up in (("Q", -0.04, -0.1), ("K, V", 0.5, -0.1), ("O", 1.04, -0.1))
    ]
    names = base.transform_filter("datum.kind == 'name'").transform_calculate(middle="(datum.q0 + 0.5) / datum.n")
    names = names.mark_text(align="right", baseline="middle", fontSize=names_at, fill="currentColor", opacity=0.8)
    names = names.encode(x=alt.X(datum=-0.075, scale=x_scale, axis=None), y=alt.Y("middle:Q", scale=y_scale, axis=None), text="query:N")
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    layers = [grid, cells, frame, *strips, *signs, *([names] if names_at else [])]
    return finish(alt.layer(*layers).add_params(alt.param(name="slider", value=None, **bind)), language, height=430, many=True)


def row_data(tiles: Sequence[dict], now: int) -> pd.DataFrame:
    """One row a tile: keys seen, and m, l and the error of the output for the last query of its rows.

    first, last: the steps of these rows."""
    data = pd.DataFrame(tiles)
    data["step"] = np.arange(1, len(data) + 1)
    steps = data.groupby("row")["step"]
    return data.assign(first=steps.transform("min"), last=steps.transform("max"), now=now, steps=len(data))


@spec
def row_chart(field: str, form: str, language: str = "en", follow: str = "", **words: str):
    """One number of `row_data` (m, l or error) as the tiles of a row come; it follows the slider.

    `form` writes the axis; `words`: seen, value.
    """
    base = alt.Chart().transform_calculate(t=NOW).transform_filter("datum.first <= datum.t && datum.t <= datum.last")
    axis = alt.Axis(tickCount=3, gridOpacity=0.5, format=form)
    encoded = base.encode(
        x=alt.X("seen:Q", title=words["seen"], scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickMinStep=1, tickCount=5)),
        y=alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=field != "m"), axis=axis),
        tooltip=[alt.Tooltip("seen:Q", title=words["seen"]), alt.Tooltip(f"{field}:Q", title=words["value"], format=".4~g")],
    )
    coming = in_role(encoded, "dropped").mark_line(strokeWidth=2, interpolate="step-after", opacity=0.6)
    points = in_role(encoded, "dropped").mark_point(filled=True, size=30, opacity=0.6)
    done = in_role(encoded.transform_filter("datum.step <= datum.t"), "computed")
    line = done.mark_line(strokeWidth=3, interpolate="step-after")
    here = in_role(encoded.transform_filter("datum.step == datum.t"), "computed").mark_point(filled=True, size=130, opacity=1)
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    chart = alt.layer(coming, points, line, here).add_params(alt.param(name="slider", value=None, **bind))
    return finish(chart, language, height=118)


def bars_data(rows: Sequence[tuple[str, float, str, str]]) -> pd.DataFrame:
    """name, value, role, written."""
    return pd.DataFrame(rows, columns=["name", "value", "role", "written"])


def memory_data(lengths: Sequence[int]) -> pd.DataFrame:
    """Numbers kept besides inputs and output, for `core.charts.context.cost_chart`: n² in ordinary attention, n in tiles."""
    rows = [(n, n**power, role) for power, role in ((2, "reused"), (1, "computed")) for n in lengths]
    return pd.DataFrame(rows, columns=["tokens", "pairs", "role"])


@spec
def bars_chart(rows: int, most: float, percent: bool, language: str = "en", **words: str):
    """Bars of `bars_data`. `most` ends the axis (0: it is left to the data); `words`: value."""
    scale = alt.Scale(domain=[0, 1.3 * most], nice=False) if most else alt.Scale(nice=False)
    written = {"format": ".0%", "tickCount": 5} if percent else {"labelExpr": counted(language), "tickCount": 4}
    axis = alt.Axis(**written, gridOpacity=0.4)
    base = alt.Chart().encode(
        x=alt.X("value:Q", title=words["value"], scale=scale, axis=axis),
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, labelFontSize=13)),
    )
    bars = base.mark_bar(size=18, cornerRadiusEnd=3).encode(color=role_color())
    texts = base.mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(text="written:N")
    return finish(bars + texts, language, height=30 * rows + 50)


def time_data(measured: dict[int, dict[str, float]]) -> pd.DataFrame:
    """tokens, milliseconds, role from seconds of "standard" and "fused" by number of tokens."""
    roles = {"standard": "reused", "fused": "computed"}
    rows = [(n, 1000 * seconds, roles[way]) for n, both in measured.items() for way, seconds in both.items()]
    return pd.DataFrame(rows, columns=["tokens", "milliseconds", "role"])


@spec
def time_chart(sizes: tuple[int, ...], language: str = "en", **words: str):
    """Measured times against the number of tokens, both logarithmic. `words`: tokens, milliseconds, standard, fused."""
    x_scale = alt.Scale(type="log", domain=[sizes[0], sizes[-1]], nice=False)
    x_axis = alt.Axis(values=list(sizes), grid=False, format="d", labelOverlap=True)
    y_axis = alt.Axis(tickCount=5, gridOpacity=0.5, format="~g")
    chart = alt.Chart().mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=55)).encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=x_scale, axis=x_axis),
        y=alt.Y("milliseconds:Q", title=words["milliseconds"], scale=alt.Scale(type="log"), axis=y_axis),
        color=role_color(labels={"reused": words["standard"], "computed": words["fused"]}),
        tooltip=[
            alt.Tooltip("tokens:Q", title=words["tokens"], format=","),
            alt.Tooltip("milliseconds:Q", title=words["milliseconds"], format=".3~g"),
        ],
    )  # fmt: skip
    return finish(chart, language, height=280)
