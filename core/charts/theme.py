"""One colour language for all charts, and what all charts share.

    computed   hot orange   worked out just now
    reused     cool blue    taken from a cache
    dropped    grey         cut off, forgotten, or only for comparison
    paged      violet       moved in blocks

The four are the first four categorical colours of the theme, so an Altair chart names the role and the
browser picks the shade for light or dark. Plotly figures that need fixed colours take `PALETTES`.
"""

import json
from collections.abc import Callable
from functools import cache, wraps

import altair as alt
from altair.utils import schemapi

ROLES = ("computed", "reused", "dropped", "paged")

# The same lists stand in .streamlit/config.toml, where the browser takes them from.
INK = {"light": "#1d2129", "dark": "#e9e7e2"}  # of what is written, where a chart cannot take the page's own
PALETTES = {
    "light": {
        "categorical": ["#d9590b", "#3d96d6", "#a3a8b0", "#5a3d92", "#0b8a80", "#c9a000", "#c2417f", "#6b4a2b"],
        "sequential": ["#fff3e6", "#ffe3c7", "#ffcfa1", "#fdb878", "#f79d50", "#ec812d", "#d9640f", "#b94c06", "#933804", "#6b2603"],
        "diverging": ["#0f4c81", "#2f78b4", "#6aa8d8", "#a9cdea", "#dfeaf3", "#fbe6d4", "#fdc396", "#f2914a", "#d0610f", "#8f3a04"],
    },
    "dark": {
        "categorical": ["#ff8c42", "#3b95d9", "#6b727c", "#d9c8ff", "#35c2b2", "#f0c94a", "#f07bb0", "#c79a6b"],
        "sequential": ["#2a211b", "#43301f", "#5f3f22", "#7e4f25", "#9f6029", "#c2732f", "#e28a3f", "#f6a55f", "#ffc38c", "#ffe1c2"],
        "diverging": ["#8cc8f5", "#5ba6e0", "#3a7fb8", "#2b5a83", "#263847", "#43342a", "#7a4a24", "#b5672a", "#e58b42", "#ffc08a"],
    },
}


def spec(function: Callable[..., alt.TopLevelMixin]) -> Callable[..., dict]:
    """Decorates a function that builds a chart without data: its Vega-Lite spec is made once for each set of arguments.

    Building and checking a chart takes Altair up to 100 ms, handing new data to a finished one under 5. So charts
    that follow a finger are written this way, all encodings with their type (":Q"), and drawn by
    `core.ui.charts.draw(page, name, spec, data, alt)`. Arguments are numbers and strings: words, sizes, limits.
    """

    @cache  # bounded by the words and sizes of the pages, never by what a viewer types
    def written(*args, **kwargs) -> str:
        chart = function(*args, **kwargs).to_dict(validate=schemapi.DEBUG_MODE)
        return json.dumps(_without_data(chart, on_canvas=chart.get("usermeta") == CANVAS))

    @wraps(function)
    def fresh(*args, **kwargs) -> dict:
        return json.loads(written(*args, **kwargs))

    return fresh


def of_height(chart: dict, rows: int, row: int, more: int = 0) -> dict:
    """A spec for so many rows of `row` pixels and `more` besides; to build it anew for each number of rows takes a quarter of a second."""
    return chart | {"height": row * rows + more}


def _without_data(part, on_canvas: bool = False):
    """A spec without the empty data set that Altair writes into every layer: it would add a row named "undefined".

    Lines say nothing to a screen reader, which meets the chart's sentence instead; on a canvas no mark can: no words are made for it.
    """
    if isinstance(part, list):
        return [_without_data(p, on_canvas) for p in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("mark"), dict):
        part = _in_one_layer(part)
        if on_canvas or part["mark"].get("type") == "rule":
            part = part | {"mark": part["mark"] | {"aria": False}}
    return {key: _without_data(value, on_canvas) for key, value in part.items() if key != "datasets" and value != {"name": "empty"}}


_POINTS, _LINES = ("point", "circle", "square", "tick"), ("line", "rule")  # the first are pale unless they are told otherwise


def _in_one_layer(unit: dict) -> dict:
    """A part of a spec whose marks have pale fills and strokes, not `opacity`: looks the same, costs the browser less.

    An element that is pale as a whole is a layer of its own, put together anew whenever anything on the page changes.
    Where the data give a fill or a stroke its own opacity besides, the two multiply, and the part stays as it is.
    """
    mark, encoding = dict(unit["mark"]), dict(unit.get("encoding", {}))
    if "opacity" in encoding and {"fillOpacity", "strokeOpacity"} & encoding.keys():
        return unit
    usual = 0.7 if mark["type"] in _POINTS and "opacity" not in encoding else None  # Vega-Lite's
    pale = mark.get("opacity", usual)
    drawn = mark["type"] in _LINES or (mark["type"] in _POINTS and not mark.get("filled")) or "stroke" in mark or "stroke" in encoding
    kinds = (["strokeOpacity"] if drawn else []) + (["fillOpacity"] if mark["type"] not in _LINES else [])
    if pale:  # what is not to be seen at all stays as it is
        mark = {kind: pale for kind in kinds} | mark
        mark.pop("opacity", None)
    if "opacity" in encoding:
        pale = encoding.pop("opacity")
        encoding = {kind: pale for kind in kinds} | encoding
    if mark["type"] in _POINTS and mark.get("opacity") != 0:
        mark["opacity"] = 1
    return unit | {"mark": mark} | ({"encoding": encoding} if encoding else {})


def role_color(field: str = "role", labels: dict[str, str] | None = None, extra: tuple[str, ...] = (), columns: int = 0) -> alt.Color:
    """Colour by role; `field` holds names of ROLES. `labels` (role -> words) draws a legend on top.

    `extra` names what has no role: it gets the colours after the four. `columns` breaks a long legend; 0 is one line.
    """
    legend = None
    if labels:
        words = " : ".join(f"datum.value == '{role}' ? {_quoted(text)}" for role, text in labels.items()) + " : ''"
        legend = alt.Legend(
            title=None, orient="top", values=list(labels), labelExpr=words, symbolType="square", symbolOpacity=1, labelLimit=0,
            columns=columns or alt.Undefined,
        )  # fmt: skip
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=[*ROLES, *extra]), legend=legend)


def in_role(chart, role: str):
    """One role's colour for a whole layer: `in_role(alt.Chart(data), "computed").mark_bar()...`."""
    return chart.transform_calculate(role=_quoted(role)).encode(color=role_color())


EVERY_ROW = {"labelOverlap": False, "labelFlush": False, "labelBaseline": "middle", "labelLimit": 180}  # a label for each, beside it


def in_order(field: str) -> alt.EncodingSortField:
    """Rows by a column that counts them.

    Left to the order they come in (`sort=None`), a name that was there before the data changed keeps its old place.
    """
    return alt.EncodingSortField(field, op="min")


_COUNTS = {"de": ("Mio.", "Mrd.", "Bio."), "en": ("M", "B", "T")}


def counted(language: str) -> str:
    """Axis labels of large counts in the language's words: 1 Mio., 1 Mrd., 1 Bio.; 1 M, 1 B, 1 T."""
    words = reversed(list(zip(("1e6", "1e9", "1e12"), _COUNTS[language])))
    large = "".join(f"datum.value >= {power} ? format(datum.value / {power}, ',') + '\u00a0{word}' : " for power, word in words)
    return f"datum.label == '' ? '' : {large}format(datum.value, ',')"  # a logarithmic axis leaves some labels empty


CANVAS = {"embedOptions": {"renderer": "canvas"}}


def finish(chart, language: str = "en", height: int | None = None, many: bool = False):
    """What every chart gets last: no frame, the language's number signs, a height that does not jump.

    A chart of `many` marks is painted on a canvas: the browser need not keep a thousand elements up to date. There
    "currentColor" is black, so `core.ui.charts.draw` writes INK in its place.
    """
    if many:
        chart = chart.properties(usermeta=CANVAS)
    if height is not None:
        chart = chart.properties(height=height)
    if language == "de":
        chart = chart.configure(locale=alt.Locale(number=alt.NumberLocale(**_GERMAN_NUMBERS)))
    return chart.configure_view(strokeWidth=0).configure_axis(domain=False, ticks=False, labelPadding=6)


def inked(chart: dict, theme: str) -> dict:
    """A spec whose "currentColor" is INK of `theme` (light or dark) where it is painted on a canvas; any other stays as it is."""
    if chart.get("usermeta") != CANVAS:
        return chart
    return json.loads(json.dumps(chart).replace('"currentColor"', json.dumps(INK[theme])))


_GERMAN_NUMBERS = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", " €"], "percent": "\u202f%"}


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
