"""Charts of the sparse attention page: a mask, what patterns lose at the same width, work from thousands to millions of tokens."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_role, role_color, spec

MOST_LABELS = 40  # tokens that still get their name beside the mask
# In the order of the theme's colours: orange, blue, grey, violet, teal, yellow, pink. "own": top-k by the model's own scores.
SERIES = ("top_k", "window", "full", "local_global", "block", "dilated", "own")
WORK = ("top_k", "window", "full", "indexer")


def mask_data(mask: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Runs of neighbouring cells of `mask` (T, T): kind "seen", from k0 to k1 in row q; and kind "row", one a token.

    A row's k1 is the number of tokens before its end, `count` how many of them it sees, `query` its name.
    """
    n = len(labels)
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    q, k0 = np.nonzero(edges == 1)
    k1 = np.nonzero(edges == -1)[1]
    seen = pd.DataFrame({"kind": "seen", "q": q, "k0": k0, "k1": k1})
    rows = pd.DataFrame({"kind": "row", "q": np.arange(n), "k0": 0, "k1": np.arange(1, n + 1)})
    rows["count"], rows["query"] = mask.sum(1), [label[:12] for label in labels]
    return pd.concat([rows, seen], ignore_index=True).assign(q1=lambda data: data["q"] + 1)


@spec
def mask_chart(n: int, language: str = "en", **words: str):
    """The mask of `mask_data`: orange what is looked at, pale what could be; the last row is framed. `words`: query, count."""
    named = n <= MOST_LABELS
    x_scale = alt.Scale(domain=[-0.3 * n if named else -0.01 * n, 1.01 * n], nice=False)
    y_scale = alt.Scale(domain=[1.01 * n, -0.01 * n], nice=False)
    place = {"x": alt.X("k0:Q", scale=x_scale, axis=None), "x2": "k1:Q", "y": alt.Y("q:Q", scale=y_scale, axis=None), "y2": "q1:Q"}
    rows, seen = (alt.Chart().transform_filter(f"datum.kind == '{kind}'") for kind in ("row", "seen"))
    could = in_role(rows, "dropped").mark_rect(opacity=0.22).encode(**place)
    looked = in_role(seen, "computed").mark_rect(opacity=1, stroke="transparent", strokeWidth=1 if n <= 64 else 0).encode(**place)
    frame = rows.transform_filter(f"datum.q1 == {n}").mark_rect(fillOpacity=0, stroke="currentColor", strokeWidth=1.5).encode(**place)
    tooltip = [alt.Tooltip("query:N", title=words["query"]), alt.Tooltip("count:Q", title=words["count"])]
    layers = [could, looked, frame, rows.mark_rect(opacity=0).encode(tooltip=tooltip, **place)]
    if named:
        names = rows.transform_calculate(middle="datum.q + 0.5").mark_text(
            align="right", baseline="middle", fontSize=12 if n <= 26 else 9, fill="currentColor", opacity=0.85
        )
        left, middle = alt.X(datum=-0.02 * n, scale=x_scale, axis=None), alt.Y("middle:Q", scale=y_scale, axis=None)
        layers.append(names.encode(x=left, y=middle, text="query:N"))
    return finish(alt.layer(*layers), language, height=430, many=True)


def sweep_data(found: Mapping[str, Mapping[int, Mapping[str, float]]], measure: str, names: Mapping[str, str]) -> pd.DataFrame:
    """One row a pattern and width: series, width, value; "full" is a level: a row at either end."""
    widths = [width for pattern, numbers in found.items() if pattern != "full" for width in numbers]
    rows = [(names[name], width, numbers[measure]) for name in found if name != "full" for width, numbers in found[name].items()]
    level = next(iter(found["full"].values()))[measure]
    rows += [(names["full"], width, level) for width in sorted({min(widths, default=1), max(widths, default=1)})]
    return pd.DataFrame(rows, columns=["series", "width", "value"])


@spec
def sweep_chart(names: tuple[str, ...], form: str, language: str = "en", follow: str = "", **words: str):
    """Lines of `sweep_data` over the width; `names` are the words of SERIES, in its order.

    A dashed line marks the width that the slider named by the CSS selector `follow` stands at. `words`: width, value.
    """
    x = alt.X("width:Q", title=words["width"], scale=alt.Scale(type="log", base=2, nice=False), axis=alt.Axis(grid=False, format="d"))
    y = alt.Y("value:Q", title=words["value"], axis=alt.Axis(format=form, tickCount=5, gridOpacity=0.5))
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=0, symbolType="square")
    color = alt.Color("series:N", scale=alt.Scale(domain=list(names)), legend=legend)
    tooltip = [
        alt.Tooltip("series:N", title=" "),
        alt.Tooltip("width:Q", title=words["width"]),
        alt.Tooltip("value:Q", title=words["value"], format=".2f" if form == "~g" else ".0%"),
    ]
    level = f"datum.series == {names[SERIES.index('full')]!r}"
    base = alt.Chart().encode(x=x, y=y, color=color, tooltip=tooltip)
    lines = base.transform_filter(f"!({level})").mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=45))
    full = base.transform_filter(level).mark_line(strokeWidth=2, strokeDash=[3, 3])
    layers = [full, lines]
    if follow:
        here = alt.Chart().transform_aggregate(low="min(width)", high="max(width)")
        here = here.transform_filter("isValid(toNumber(slider))")
        here = here.transform_calculate(width="clamp(toNumber(slider), datum.low, datum.high)")
        layers.append(here.mark_rule(strokeWidth=2, strokeDash=[6, 4], stroke="currentColor").encode(x=x))
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    return finish(alt.layer(*layers).add_params(alt.param(name="slider", value=None, **bind)), language, height=340)


def work_data(work: Mapping[str, Mapping[int, float]], names: Mapping[str, str]) -> pd.DataFrame:
    """series, tokens, products."""
    rows = [(names[name], tokens, float(products)) for name, by in work.items() for tokens, products in by.items()]
    return pd.DataFrame(rows, columns=["series", "tokens", "products"])


@spec
def work_chart(names: tuple[str, ...], language: str = "en", **words: str):
    """Lines of `work_data`, both axes logarithmic; `names` are the words of WORK, in its order. `words`: tokens, products."""
    axis = alt.Axis(format="~s", grid=False, values=[10**3, 10**4, 10**5, 10**6, 10**7])
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=0, symbolType="square")
    powers = alt.Axis(values=[10.0**i for i in range(10, 21, 2)], labelExpr="'10^' + round(log(datum.value) / log(10))", gridOpacity=0.5)
    chart = alt.Chart().mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=35)).encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(type="log", nice=False), axis=axis),
        y=alt.Y("products:Q", title=words["products"], scale=alt.Scale(type="log"), axis=powers),
        color=alt.Color("series:N", scale=alt.Scale(domain=list(names)), legend=legend),
        tooltip=[alt.Tooltip("series:N", title=" "), alt.Tooltip("tokens:Q", title=words["tokens"], format=","),
                 alt.Tooltip("products:Q", title=words["products"], format=".2e")],
    )  # fmt: skip
    return finish(chart, language, height=330)


def claim_data(claimed: Mapping[str, Mapping[int, float]]) -> pd.DataFrame:
    """name, tokens, milliseconds, role: the second is what is sold."""
    roles = dict(zip(claimed, ("dropped", "paged")))
    rows = [(name, tokens, ms, roles[name]) for name, by in claimed.items() for tokens, ms in by.items()]
    return pd.DataFrame(rows, columns=["name", "tokens", "milliseconds", "role"])


@spec
def claim_chart(language: str = "en", **words: str):
    """Two published points a kernel, joined; both axes logarithmic. `words`: tokens, milliseconds."""
    base = alt.Chart().encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(type="log", domain=[90_000, 2_400_000], nice=False),
                axis=alt.Axis(values=[2**17, 2**20], labelExpr="datum.value > 1e6 ? '1M' : '128K'", grid=False)),
        y=alt.Y("milliseconds:Q", title=words["milliseconds"], scale=alt.Scale(type="log", domain=[20, 40_000], nice=False),
                axis=alt.Axis(format="~s", values=[100, 1000, 10_000], gridOpacity=0.5)),
    )  # fmt: skip
    lines = base.mark_line(strokeWidth=2.5, strokeDash=[5, 4]).encode(color=role_color(), detail="name:N")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        color=role_color(),
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("milliseconds:Q", title=words["milliseconds"], format=",.1f")],
    )
    texts = base.encode(text=alt.Text("milliseconds:Q", format=",.0f"))
    texts = texts.mark_text(align="left", dx=8, dy=14, fontSize=13, fill="currentColor")
    names = base.transform_filter(f"datum.tokens == {2**17}").encode(text="name:N")
    names = names.mark_text(align="left", dx=-6, dy=-16, fontSize=13, fontWeight=600, fill="currentColor")
    return finish(lines + points + texts + names, language, height=260)
