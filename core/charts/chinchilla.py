"""Charts of the Chinchilla optimum: isoFLOP curves of the recorded grid; size against text for a budget, with real models."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.axes import counts
from core.charts.theme import finish, role_color, spec
from core.scaling.isoflop import Parabola, on_budget
from core.scaling.parametric import Parametric
from core.scaling.published import Trained

SIZES = (8e4, 3e7)  # ends of the axis of isoFLOP curves
LOSS = (2.8, 4.5)  # nats
LINE = 48  # points of a curve
PLANE = ((3e4, 3e13), (2e6, 1e14))  # parameters, tokens: ends of the axes
BESIDE = {  # where a model's name stands from its point: alignment, pixels; clear of the lines and of each other
    "GPT-3": ("left", 4, 16), "Chinchilla": ("right", -16, 3), "Llama 3 8B": ("left", -2, -13), "Llama 3 70B": ("left", 9, 5),
}  # fmt: skip
BUDGETS = (13.0, 26.0)  # powers of ten of FLOPs


def isoflop_data(N, D, loss, curves: Mapping[float, Parabola], flops: float, chosen: Parabola | None, written) -> pd.DataFrame:
    """What `isoflop_chart` shows: kind ("curve", "best", "point", "name"), budget, N, loss, role.

    `curves` are the grey ones, `chosen` the parabola of `flops`, None where the grid has none; `written(flops)` names one.
    """
    rows = []
    every = dict(curves) | ({flops: chosen} if chosen else {})
    for budget, parabola in sorted(every.items()):
        role = "computed" if budget == flops else "dropped"
        sizes, losses = on_budget(N, D, loss, budget)
        line = np.geomspace(sizes.min(), sizes.max(), LINE)
        rows += [("curve", budget, n, y, role) for n, y in zip(line, parabola(line))]
        if role == "computed":
            rows += [("point", budget, n, y, role) for n, y in zip(sizes, losses)]
        if parabola.inside:
            rows.append(("best", budget, parabola.best, parabola.lowest, "paged" if role == "computed" else "reused"))
    table = pd.DataFrame(rows, columns=["kind", "budget", "N", "loss", "role"])
    return table.assign(name=table["budget"].map(written)).astype({"N": "float32", "loss": "float32"})


@spec
def isoflop_chart(language: str = "en", **words: str):
    """`isoflop_data` on axes that stay. `words`: axis, loss, budget, chosen, other, best, lowest."""
    x = alt.X("N:Q", title=words["axis"], scale=_log(*SIZES), axis=counts(language))
    y = alt.Y("loss:Q", title=words["loss"], scale=alt.Scale(domain=list(LOSS), nice=False), axis=alt.Axis(gridOpacity=0.4, tickCount=6))
    labels = {"computed": words["chosen"], "paged": words["best"], "reused": words["lowest"], "dropped": words["other"]}
    tooltip = [
        alt.Tooltip("name:N", title=words["budget"]), alt.Tooltip("N:Q", title=words["axis"], format=",.3~s"),
        alt.Tooltip("loss:Q", title=words["loss"], format=".3f"),
    ]  # fmt: skip
    base = alt.Chart().encode(x=x, y=y, color=role_color(labels=labels, columns=2), tooltip=tooltip)
    curves, best = base.transform_filter("datum.kind == 'curve'"), base.transform_filter("datum.kind == 'best'")
    others = curves.transform_filter("datum.role == 'dropped'").mark_line(strokeWidth=1.5, clip=True).encode(detail="budget:N")
    chosen = curves.transform_filter("datum.role == 'computed'").mark_line(strokeWidth=4, clip=True)
    points = base.transform_filter("datum.kind == 'point'").mark_point(filled=True, size=90, opacity=1, clip=True)
    path = best.transform_calculate(role="'reused'").mark_line(strokeWidth=2, strokeDash=[5, 3], clip=True).encode(order="budget:Q")
    lows = best.mark_point(filled=True, opacity=1, clip=True).encode(
        size=alt.condition("datum.role == 'paged'", alt.value(260), alt.value(50)),
        shape=alt.condition("datum.role == 'paged'", alt.value("diamond"), alt.value("circle")),
    )  # fmt: skip
    return finish(alt.layer(others, path, chosen, points, lows), language, height=420)


def plane_data(laws: Mapping[str, Parametric], budget: float, models: Sequence[Trained], N, D) -> pd.DataFrame:
    """What `plane_chart` shows: kind ("law", "budget", "optimum", "model", "run"), role, name, N, D.

    `laws` by role: each is the line of its best N and D over all budgets, with one point at `budget`; N, D are the
    recorded runs.
    """
    rows = [("run", "dropped", "", n, d) for n, d in zip(N, D)]
    rows += [("budget", "budget", "", n, budget / 6 / n) for n in PLANE[0]]
    for role, law in laws.items():
        rows += [("law", role, "", *law.optimum(flops)) for flops in np.geomspace(*(10**end for end in BUDGETS), LINE)]
        rows.append(("optimum", role, "", *law.optimum(budget)))
    rows += [("model", "model", model.name, model.parameters, model.tokens) for model in models]
    table = pd.DataFrame(rows, columns=["kind", "role", "name", "N", "D"])
    return table.assign(ratio=table["D"] / table["N"], flops=6 * table["N"] * table["D"])


@spec
def plane_chart(language: str = "en", **words: str):
    """`plane_data`: parameters against tokens. `words`: axis, tokens, ratio, ours, besiroglu, printed."""
    x = alt.X("N:Q", title=words["axis"], scale=_log(*PLANE[0]), axis=counts(language, grid=True))
    y = alt.Y("D:Q", title=words["tokens"], scale=_log(*PLANE[1]), axis=counts(language, grid=True))
    labels = {"computed": words["ours"], "reused": words["besiroglu"], "dropped": words["printed"]}
    tooltip = [
        alt.Tooltip("name:N", title=" "), alt.Tooltip("N:Q", title=words["axis"], format=",.3~s"),
        alt.Tooltip("D:Q", title=words["tokens"], format=",.3~s"), alt.Tooltip("ratio:Q", title=words["ratio"], format=",.1f"),
    ]  # fmt: skip
    place = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    base = place.encode(color=role_color(labels=labels, columns=1))
    runs = base.transform_filter("datum.kind == 'run'").mark_point(filled=True, size=14, opacity=0.9)
    budget = place.transform_filter("datum.kind == 'budget'").mark_line(strokeDash=[6, 4], strokeWidth=2, stroke="currentColor", clip=True)
    laws = base.transform_filter("datum.kind == 'law'").mark_line(strokeWidth=2.5, clip=True)
    optima = base.transform_filter("datum.kind == 'optimum'").mark_point(filled=True, size=200, opacity=1, shape="diamond", clip=True)
    models = place.transform_filter("datum.kind == 'model'")
    dots = models.mark_point(filled=True, size=80, opacity=1, fill="currentColor", clip=True)
    look = {"fontSize": 12, "fontWeight": "bold", "fill": "currentColor"}
    beside = [
        models.transform_filter(f"datum.name == '{name}'").mark_text(align=align, dx=dx, dy=dy, **look).encode(text="name:N")
        for name, (align, dx, dy) in BESIDE.items()
    ]
    return finish(alt.layer(runs, laws, budget, optima, dots, *beside), language, height=520)


def _log(low: float, high: float) -> alt.Scale:
    return alt.Scale(type="log", domain=[low, high], nice=False)
