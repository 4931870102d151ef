"""Charts of the page on encoders and decoders: who fills a gap, who may look at whom, which word comes from which."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_order, in_role, role_color, spec
from core.charts.tokens import axis_labels

ROWS, LEAST = 9, 0.005  # candidates for a gap, and the share from which one of the networks makes a word one
ROW, HEAD = 24, 76  # pixels of a word in a map, and of what stands above
_ROOM = "clamp(width / (width - 124), 1.2, 2.4)"  # of each half, for the share behind a bar of 100 %, also on a phone


def gap_data(both: np.ndarray, left: np.ndarray, words: Sequence[str], right: int) -> pd.DataFrame:
    """The likeliest words for a gap by each network, both (V,); `right` is the id that stood there and always among them."""
    both, left = np.asarray(both, np.float32), np.asarray(left, np.float32)
    taken = {right, *np.argsort(-both)[:5].tolist(), *np.argsort(-left)[:5].tolist()}
    likely = (i for i in taken if i == right or max(both[i], left[i]) >= LEAST)
    order = sorted(likely, key=lambda i: (-both[i].round(3), -left[i]))[:ROWS]  # below 0.1 % the encoder's share is not written
    if right not in order:
        order[-1] = right
    none = ROWS - len(order)  # rows without a word keep the picture's height
    return pd.DataFrame(
        {
            "word": [*(words[i] for i in order), *("\u200b" * (i + 1) for i in range(none))],
            "both": np.append(both[order], np.zeros(none, np.float32)),
            "left": np.append(left[order], np.zeros(none, np.float32)),
            "right": [i == right for i in order] + [False] * none,
            "row": np.arange(ROWS, dtype=np.int8),
        }
    )


@spec
def gap_chart(both: str, left: str, candidate: str, language: str = "en"):
    """Two halves: what the decoder expects to the left in blue, what the encoder expects to the right in orange; both to 100 %.

    The word that stood there is drawn strong. `both`, `left` and `candidate` are the words for them.
    """
    x = {"scale": alt.Scale(domainMin=alt.ExprRef(f"-{_ROOM}"), domainMax=alt.ExprRef(_ROOM), nice=False), "axis": None}
    strong = alt.condition("datum.right", alt.value(1.0), alt.value(0.5))
    shares = (alt.Tooltip(f"{field}:Q", title=name, format=".2%") for field, name in (("left", left), ("both", both)))
    tips = [alt.Tooltip("word:N", title=candidate), *shares]
    labels = alt.Axis(title=None, labelFontSize=15, labelLimit=120, labelOverlap=False)
    y = alt.Y("word:N", sort=in_order("row"), axis=labels)
    layers = []
    for side, role, field in ((-1, "reused", "left"), (1, "computed", "both")):
        base = alt.Chart().transform_calculate(end=f"{side} * datum.{field}", role=f"'{role}'",
                                               share=f"datum.{field} < 0.001 ? '' : format(datum.{field}, '.1%')")  # fmt: skip
        bar = base.mark_bar(size=17).encode(
            y=y, x=alt.X("end:Q", **x), x2=alt.datum(0), opacity=strong, tooltip=tips,
            color=role_color(labels={"reused": left, "computed": both}),
        )  # fmt: skip
        share = base.mark_text(align="left" if side > 0 else "right", dx=5 * side, fontSize=14, fill="currentColor")
        layers += [bar, share.encode(y=y, x=alt.X("end:Q", **x), text="share:N")]
    zero = alt.Chart().mark_rule(stroke="currentColor", opacity=0.35).encode(x=alt.datum(0))
    return finish(alt.layer(*layers, zero), language, height=25 * ROWS + 30)


def looks_data(weights: np.ndarray, allowed: np.ndarray, rows: Sequence[str], columns: Sequence[str], framed: int = -1) -> pd.DataFrame:
    """Every cell of a mask (R, C): may row look at column, and how much of its attention it gives; row `framed` stands out."""
    weights, allowed = np.asarray(weights, np.float32), np.asarray(allowed, bool)
    r, c = (part.ravel() for part in np.indices(weights.shape))
    down, across = np.array(axis_labels(rows, 14), object), np.array(axis_labels(columns, 14), object)
    return pd.DataFrame(
        {
            "row": down[r], "column": across[c], "weight": weights.ravel(),
            "role": np.where(allowed.ravel(), "computed", "dropped"), "framed": r == framed, "place": r.astype(np.int16) + 1,
        }
    )  # fmt: skip


@spec
def mask_chart(by: str, at: str, weight: str, language: str = "en"):
    """A mask of `looks_data`: orange where a word may look, the stronger the more it does; grey where it may not."""
    cells = alt.Chart().transform_calculate(shown="datum.role == 'computed' ? 0.22 + 0.78 * sqrt(datum.weight) : 0.28")
    cells = cells.mark_rect(cornerRadius=2).encode(
        **_axes(), color=role_color(), opacity=alt.Opacity("shown:Q", scale=None, legend=None), tooltip=_tips(by, at, weight),
        stroke=alt.condition("datum.framed", alt.value("currentColor"), alt.value("transparent")), strokeWidth=alt.value(1.5),
    )  # fmt: skip
    return finish(cells, language)


@spec
def alignment_chart(by: str, at: str, weight: str, follow: str = "", language: str = "en"):
    """Cross-attention of `looks_data`, one row a word written; rows appear with the slider whose CSS selector is `follow`."""
    base = alt.Chart().transform_calculate(n="isValid(toNumber(written_now)) ? toNumber(written_now) : 99")
    base = base.transform_calculate(shown="datum.place > datum.n ? 0 : 0.06 + 0.94 * sqrt(datum.weight)")
    label = "indexof(domain('y'), datum.value) < (isValid(toNumber(written_now)) ? toNumber(written_now) : 99) ? datum.label : ''"
    axes = _axes(label)
    cells = in_role(base, "computed").mark_rect(cornerRadius=2).encode(
        **axes, opacity=alt.Opacity("shown:Q", scale=None, legend=None), tooltip=_tips(by, at, weight),
        stroke=alt.condition("datum.place == datum.n", alt.value("currentColor"), alt.value("transparent")), strokeWidth=alt.value(1.5),
    )  # fmt: skip
    text = base.transform_filter("datum.weight >= 0.1 && datum.place <= datum.n").mark_text(fontSize=12, fill="currentColor")
    text = text.encode(**axes, text=alt.Text("weight:Q", format=".0%"))
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    return finish(alt.layer(cells, text).add_params(alt.param(name="written_now", value=None, **bind)), language)


def _axes(label: str = "") -> dict:
    axis = {"title": None, "labelFontSize": 13, "labelLimit": 110, "labelOverlap": False}
    return {
        "x": alt.X("column:N", sort=None, axis=alt.Axis(orient="top", labelAngle=-60, **axis)),
        "y": alt.Y("row:N", sort=None, axis=alt.Axis(**axis, **({"labelExpr": label} if label else {}))),
    }


def _tips(by: str, at: str, weight: str) -> list:
    return [alt.Tooltip("row:N", title=by), alt.Tooltip("column:N", title=at), alt.Tooltip("weight:Q", title=weight, format=".1%")]
