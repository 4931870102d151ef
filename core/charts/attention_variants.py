"""Charts of the page on shared keys and values: who shares whose, loss against bytes, well-known models against memories."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core import costs
from core.charts.theme import EVERY_ROW, finish, role_color, spec

MOST_TOKENS = 28  # columns of the cache that are drawn: the last ones
HEADS_AT, STRIPS_AT = 0.05, 0.25  # where the heads stand and the strips begin; the strips end at 1
GAP = 0.008  # between two neighbouring strips
SCALES = {"x": alt.Scale(domain=[0, 1.03], nice=False), "y": alt.Scale(domain=[1.02, -0.2], nice=False)}


def sharing_data(n_heads: int, widths: tuple[int, int], whole: int, weights: np.ndarray, labels: Sequence[str], names: Sequence[str]):
    """Heads that ask, lines to what they read, and the cache as cells, placed in a unit square; a cell is as high as it has numbers.

    widths: numbers in the two vectors kept for a token, called `names`; whole: numbers that all heads would keep, each
    for itself; weights: (n_kv, T) attention on each token; labels: (T,). Columns kind, x0, x1, y0, y1, value, token, name.
    """
    n_kv, shown = len(weights), labels[-MOST_TOKENS:]
    weights, size = weights[:, -len(shown) :], n_heads // n_kv
    high, column = sum(widths) / whole, (1 - STRIPS_AT) / len(shown)
    rows = [("ghost", STRIPS_AT, 1.0, 0.0, 1.0, 0.0, "", "")]
    for group in range(n_kv):
        top = (group + 0.5) / n_kv - high / 2
        for head in range(group * size, (group + 1) * size):
            y = (head + 0.5) / n_heads
            rows.append(("head", HEADS_AT, HEADS_AT, y, y, 0.0, "", str(head + 1)))
            rows.append(("link", HEADS_AT + 0.025, STRIPS_AT - 0.045, y, top + high / 2, 0.0, "", ""))
        for i, (width, name) in enumerate(zip(widths, names)):
            y0, y1 = top + i * widths[0] / whole, top + (i * widths[0] + width) / whole
            rows.append(("name", STRIPS_AT - 0.012, 0.0, (y0 + y1) / 2, 0.0, 0.0, "", name))
            for t, token in enumerate(shown):
                x = STRIPS_AT + t * column
                place = (x, x + column * 0.9, y0 + GAP / 2, y1 - GAP / 2)
                rows.append(("cell", *place, float(weights[group, t]), token, name))
    rows += [("token", STRIPS_AT + (t + 0.5) * column, 0.0, -0.02, 0.0, 0.0, token[:10], "") for t, token in enumerate(shown)]
    return pd.DataFrame(rows, columns=["kind", "x0", "x1", "y0", "y1", "value", "token", "name"])


@spec
def sharing_chart(language: str = "en", **words: str):
    """`sharing_data`: orange heads ask, blue cells are kept, the fuller the more the last token looks there.

    Grey is what all heads for themselves would keep. `words`: token, part, weight, and those of the roles computed, reused, dropped.
    """
    x, y = alt.X("x0:Q", scale=SCALES["x"], axis=None), alt.Y("y0:Q", scale=SCALES["y"], axis=None)
    color = role_color(labels={role: words[role] for role in ("computed", "reused", "dropped")}, columns=2)

    def part(kind: str, role: str):
        chart = alt.Chart().transform_filter(f"datum.kind == '{kind}'").transform_calculate(role=f"'{role}'")
        return chart.encode(x=x, y=y, color=color)

    ghost = part("ghost", "dropped").mark_rect(opacity=0.16, cornerRadius=4).encode(x2="x1:Q", y2="y1:Q")
    links = part("link", "reused").mark_rule(strokeWidth=2.5, opacity=0.75).encode(x2="x1:Q", y2="y1:Q")
    cells = part("cell", "reused").mark_rect(cornerRadius=1).encode(
        x2="x1:Q", y2="y1:Q",
        opacity=alt.Opacity("value:Q", scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.3, 1]), legend=None),
        tooltip=[alt.Tooltip("token:N", title=words["token"]), alt.Tooltip("name:N", title=words["part"]),
                 alt.Tooltip("value:Q", title=words["weight"], format=".1%")],
    )  # fmt: skip
    heads = part("head", "computed").mark_point(filled=True, size=520, opacity=1)

    def written(kind: str, field: str, **look):
        chart = alt.Chart().transform_filter(f"datum.kind == '{kind}'").mark_text(fill="currentColor", **look)
        return chart.encode(x=x, y=y, text=f"{field}:N")

    numbers = alt.Chart().transform_filter("datum.kind == 'head'").mark_text(fill="black", fontSize=13, fontWeight=700)
    signs = written("name", "name", align="right", baseline="middle", fontSize=12)
    narrow = {"angle": alt.ExprRef("width < 480 ? 270 : 300"), "fontSize": alt.ExprRef("width < 480 ? 8 : 11")}
    tokens = written("token", "token", align="left", baseline="middle", opacity=0.85, **narrow)
    layers = [ghost, links, cells, heads, numbers.encode(x=x, y=y, text="name:N"), signs, tokens]
    return finish(alt.layer(*layers), language, height=430, many=True)


def trade_data(points: Sequence[tuple[str, int, float, str]]) -> pd.DataFrame:
    """name, bytes, loss, role; `side` is where a name has room beside close neighbours: above, below, right."""
    data = pd.DataFrame(points, columns=["name", "bytes", "loss", "role"])

    def side(size: int) -> str:
        gaps = [other - size for other in data["bytes"]]
        return "below" if any(0 < gap < 300 for gap in gaps) else "right" if any(-300 < gap < 0 for gap in gaps) else "above"

    return data.assign(side=data["bytes"].map(side))


@spec
def trade_chart(low: float, high: float, roles: tuple[tuple[str, str], ...], language: str = "en", **words: str):
    """Loss from `low` to `high` against cache bytes a token (`trade_data`); roles: (role, word) of the legend. `words`: bytes, loss."""
    x_scale, y_scale = alt.Scale(domain=[0, 3400], nice=False), alt.Scale(domain=[low, high], nice=False)
    base = alt.Chart().encode(
        x=alt.X("bytes:Q", title=words["bytes"], scale=x_scale, axis=alt.Axis(tickCount=6, grid=False)),
        y=alt.Y("loss:Q", title=words["loss"], scale=y_scale, axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
    )
    tooltip = [alt.Tooltip("name:N", title=" "), alt.Tooltip("bytes:Q", title=words["bytes"], format=","),
               alt.Tooltip("loss:Q", title=words["loss"], format=".3f")]  # fmt: skip
    color = role_color(labels=dict(roles) or None, columns=1)
    points = base.mark_point(filled=True, size=170, opacity=1).encode(color=color, tooltip=tooltip)
    ends = base.transform_joinaggregate(top="max(loss)", bottom="min(loss)", groupby=["name"])
    top = ends.transform_filter("datum.loss == (datum.side == 'below' ? datum.bottom : datum.top)")
    look = {"fontSize": 13, "fontWeight": 600, "fill": "currentColor"}
    places = {"above": {"dy": -17}, "below": {"dy": 19}, "right": {"align": "left", "dx": 13}}
    names = [
        top.transform_filter(f"datum.side == '{side}'").mark_text(**look, **place).encode(text="name:N")
        for side, place in places.items()
    ]
    return finish(alt.layer(points, *names), language, height=300)


def loss_data(losses: Mapping[int, float], chosen: int) -> pd.DataFrame:
    """heads, loss, role: the chosen number of heads in orange."""
    rows = [(heads, loss, "computed" if heads == chosen else "dropped") for heads, loss in losses.items()]
    return pd.DataFrame(rows, columns=["heads", "loss", "role"])


@spec
def loss_chart(most: int, language: str = "en", **words: str):
    """Bars of `loss_data` up to `most` nats. `words`: heads, loss."""
    base = alt.Chart().encode(
        x=alt.X("heads:O", title=words["heads"], sort="descending", axis=alt.Axis(labelAngle=0, labelFontSize=13)),
        y=alt.Y("loss:Q", title=words["loss"], scale=alt.Scale(domain=[0, most], nice=False), axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
    )
    bars = base.mark_bar(size=34, cornerRadiusEnd=3).encode(color=role_color())
    texts = base.mark_text(dy=-9, fontSize=13, fill="currentColor").encode(text=alt.Text("loss:Q", format=".2f"))
    return finish(bars + texts, language, height=230)


def models_data(names: Sequence[str], tokens: int, sequences: int) -> pd.DataFrame:
    """Cache of well-known models in 16-bit numbers, GB: `gb` as they are, `unshared` with keys and values for every head."""
    rows = []
    for name in names:
        model = costs.models()[name]
        sizes = [costs.kv_cache_bytes(shape, tokens, sequences=sequences) / 1e9 for shape in (model, costs.unshared(model))]
        heads = f"{model.n_heads} / {model.n_kv_heads if model.attention != 'MLA' else 'c'}"
        rows.append((name, model.attention, heads, *sizes, costs.kv_bytes_per_token(model, tokens=tokens)))
    data = pd.DataFrame(rows, columns=["name", "attention", "heads", "gb", "unshared", "per_token"])
    return data.assign(model=data["name"] + " · " + data["attention"])


@spec
def models_chart(rows: int, lines: tuple[tuple[str, float], ...], language: str = "en", **words: str):
    """`models_data`: blue what is kept, grey what every head for itself would keep; `lines` are memories, GB.

    The axis is logarithmic and stays. `words`: axis, heads, reused, dropped.
    """
    x_scale = alt.Scale(type="log", domain=[0.01, 50_000], nice=False)
    axis = alt.Axis(values=[0.01, 0.1, 1, 10, 100, 1000, 10_000], format="~g", gridOpacity=0.35, labelOverlap=True)
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(labelFontSize=12, **EVERY_ROW))
    tooltip = [alt.Tooltip("model:N", title=" "), alt.Tooltip("heads:N", title=words["heads"])]
    tooltip += [alt.Tooltip(f"{field}:Q", title=words[role], format=",.3~g") for field, role in (("gb", "reused"), ("unshared", "dropped"))]
    color = role_color(labels={role: words[role] for role in ("reused", "dropped")}, columns=1)
    base = alt.Chart().transform_calculate(kept="clamp(datum.gb, 0.01, 50000)", all="clamp(datum.unshared, 0.01, 50000)").encode(y=y)
    kept, all_ = alt.X("kept:Q", title=words["axis"], scale=x_scale, axis=axis), alt.X("all:Q", scale=x_scale)
    saved = base.transform_calculate(role="'dropped'").mark_rule(strokeWidth=3, opacity=0.5).encode(x=kept, x2="all:Q", color=color)
    dot = base.encode(y=y, color=color, tooltip=tooltip)
    ends = dot.transform_calculate(role="'dropped'").mark_point(filled=True, size=110, opacity=1).encode(x=all_)
    here = dot.transform_calculate(role="'reused'").mark_point(filled=True, size=170, opacity=1).encode(x=kept)
    layers = [saved, ends, here]
    for name, size in lines:
        line = alt.Chart().transform_aggregate(n="count()").transform_calculate(size=f"{size:g}", gpu=f"'{name}'")
        rule = line.transform_calculate(role="'computed'").mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(color=color)
        layers.append(rule.encode(x=alt.X("size:Q", scale=x_scale), tooltip=[alt.Tooltip("gpu:N", title=" ")]))
        sign = line.mark_text(align="right", dx=-4, angle=0, fill="currentColor", fontSize=11)
        layers.append(sign.encode(x=alt.X("size:Q", scale=x_scale), y=alt.value(-8 - 13 * (lines.index((name, size)) % 2)), text="gpu:N"))
    return finish(alt.layer(*layers), language, height=32 * rows + 20)
