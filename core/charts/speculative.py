"""Charts of speculative decoding: how p is put together, and what drafting gains."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.axes import from_zero, reaching
from core.charts.theme import finish, in_order, in_role, role_color, spec
from core.charts.tokens import axis_labels
from core.costs.speculation import block_speedup, speedup
from core.measure.speculation import Gain

LENGTHS = range(1, 17)  # draft lengths of the arithmetic


def split_data(labels: Sequence[str], p: np.ndarray, q: np.ndarray, drawn: tuple[np.ndarray, np.ndarray], n: int) -> pd.DataFrame:
    """One row a token: p = kept + corrected, q, and the shares of `n` draws that came either way. All arrays (n tokens,)."""
    p, q = np.asarray(p, np.float32), np.asarray(q, np.float32)
    return pd.DataFrame({
        "token": list(labels), "label": axis_labels(labels), "p": p, "q": q, "kept": np.minimum(p, q), "corrected": np.maximum(p - q, 0),
        "row": np.arange(len(p), dtype=np.int16),
        "drawn": ((drawn[0] + drawn[1]) / n).astype(np.float32), "drawn_kept": (drawn[0] / n).astype(np.float32),
    })  # fmt: skip


@spec
def split_chart(rows: int, kept: str, corrected: str, surplus: str, drawn: str, token: str, language: str = "en"):
    """`split_data`: what the draft gives and passes, what the correction adds; a faint bar of what is rejected; dots of the draws."""
    scale, axis = alt.Scale(domain=[0, 1], nice=False), alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title=None)
    words = {"p": "p", "q": "q", "kept": kept, "corrected": corrected, "drawn": drawn}
    tooltip = [alt.Tooltip("token:N", title=token), *(alt.Tooltip(f"{c}:Q", title=w, format=".2%") for c, w in words.items())]
    labels = alt.Axis(title=None, labelLimit=140, labelFontSize=14, labelOverlap=False)
    base = alt.Chart().encode(y=alt.Y("label:N", sort=in_order("row"), axis=labels), tooltip=tooltip)
    color = role_color(labels={"reused": kept, "computed": corrected, "dropped": surplus}, columns=1)

    def bar(role: str, start: str, end: str, size: int, **style):
        data = base.transform_calculate(role=f"'{role}'", start=start, end=end)
        return data.mark_bar(size=size, **style).encode(x=alt.X("start:Q", scale=scale, axis=axis), x2="end:Q", color=color)

    dots = base.mark_point(shape="diamond", size=55, filled=True, opacity=1, fill="currentColor", clip=True)
    layers = [
        bar("dropped", "datum.kept", "datum.q", 9, opacity=0.55),
        bar("reused", "0", "datum.kept", 19),
        bar("computed", "datum.kept", "datum.p", 19),
        dots.encode(x=alt.X("drawn:Q", scale=scale, axis=axis)),
    ]
    return finish(alt.layer(*layers), language, height=30 * rows + 60)


def gain_data(gains: Sequence[Gain]) -> pd.DataFrame:
    """One row a draft length: length, acceptance, draft_cost, check_cost, measured, theorem, with_check."""
    columns = ("draft_length", "acceptance", "draft_cost", "check_cost", "measured", "theorem", "with_check")
    return pd.DataFrame([[getattr(g, c) for c in columns] for g in gains], columns=list(columns))


@spec
def gain_chart(most: int, measured: str, theorem: str, with_check: str, length: str, times: str, language: str = "en"):
    """`gain_data`: bars of what was measured, the formula as lines; the line at 1 is plain writing."""
    x = alt.X("draft_length:O", title=length, scale=alt.Scale(domain=list(range(1, most + 1))), axis=alt.Axis(labelAngle=0))
    words = {"measured": measured, "theorem": theorem, "with_check": with_check}
    formats = {"draft_length": "d", "acceptance": ".0%", "draft_cost": ".2f", "check_cost": ".2f"} | dict.fromkeys(words, ".2f")
    tooltip = [alt.Tooltip(f"{c}:Q", title=words.get(c, c.replace("_", " ")), format=f) for c, f in formats.items()]
    color = role_color(labels={"computed": measured, "reused": theorem, "paged": with_check})
    base = alt.Chart().encode(x=x, tooltip=tooltip)

    def height(column: str):
        return alt.Y(f"{column}:Q", title=times, scale=from_zero(), axis=alt.Axis(tickCount=5))

    bars = base.transform_calculate(role="'computed'").mark_bar(size=26, cornerRadiusEnd=3, clip=True)
    values = base.mark_text(dy=-8, fontSize=13, fill="currentColor").encode(y=height("measured"), text=alt.Text("measured:Q", format=".2f"))
    layers = [bars.encode(y=height("measured"), y2=alt.datum(0), color=color), values]
    for role, column in (("reused", "theorem"), ("paged", "with_check")):
        line = base.transform_calculate(role=f"'{role}'")
        layers.append(line.mark_line(strokeWidth=2.5, point=True, clip=True).encode(y=height(column), color=color))
    layers.append(in_role(alt.Chart(), "dropped").mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(y=alt.datum(1)))
    layers += [reaching(height(column), column, 1.15) for column in ("measured", "theorem")]
    return finish(alt.layer(*layers), language, height=280)


def formula_data(acceptance: float, draft_cost: float, check_cost: float, block_cost: float) -> pd.DataFrame:
    """length, series ("one" by one or "block"), times: the speed-up by the formula."""
    one = [(n, "one", "computed", speedup(acceptance, n, draft_cost, check_cost)) for n in LENGTHS]
    block = [(n, "block", "paged", block_speedup(acceptance, n, block_cost, check_cost)) for n in LENGTHS]
    return pd.DataFrame(one + block, columns=["length", "series", "role", "times"])


@spec
def formula_chart(one: str, block: str, length: str, times: str, language: str = "en"):
    """`formula_data` as two lines; the line at 1 is plain writing."""
    y = alt.Y("times:Q", title=times, scale=from_zero(), axis=alt.Axis(tickCount=6))
    chart = alt.Chart().mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=40), clip=True).encode(
        x=alt.X("length:Q", title=length, axis=alt.Axis(values=list(LENGTHS), grid=False), scale=alt.Scale(domain=[1, LENGTHS[-1]])),
        y=y,
        color=role_color(labels={"computed": one, "paged": block}),
        tooltip=[alt.Tooltip("length:Q", title=length), alt.Tooltip("times:Q", title=times, format=".2f")],
    )  # fmt: skip
    rule = in_role(alt.Chart(), "dropped").mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(y=alt.datum(1))
    return finish(alt.layer(chart, rule, reaching(y, "times", 1.1)), language, height=280)
