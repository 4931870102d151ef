"""Charts of the scaling laws: recorded runs, a law through some of them and how far the others lie from it."""

from collections.abc import Callable, Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.axes import counts, powers_of_ten
from core.charts.theme import finish, role_color, spec
from core.scaling.power_law import PowerLaw
from core.scaling.runs import GridRun

LOSS = (1.8, 6.5)  # nats, the ends of the axis
LOSS_TICKS = [2, 2.5, 3, 3.5, 4, 5, 6]
AWAY = 0.12  # share of the law, the ends of the axis of residuals
FARTHER = 12  # times the largest run: so far the law is drawn
LINE = 60  # points of a law
FAMILIES = {"parameters": "tokens", "tokens": "parameters", "flops": "parameters"}  # what the grey lines have in common


def reach(runs: Sequence[GridRun], against: str) -> tuple[float, float]:
    """Ends of the axis: room for a run trained live at its left, for the law at its right."""
    x = [getattr(run, against) for run in runs]
    return float(min(x) / (1.8 if against == "parameters" else 60)), float(FARTHER * max(x))


def law_places(runs: Sequence[GridRun], against: str) -> np.ndarray:
    """Where a law is drawn: (LINE,), from the smallest run to FARTHER times the largest."""
    x = [getattr(run, against) for run in runs]
    return np.geomspace(min(x), FARTHER * max(x), LINE)


def runs_data(
    runs: Sequence[GridRun], against: str, law: PowerLaw, places: np.ndarray, band: tuple[np.ndarray, np.ndarray],
    fitted: Sequence[GridRun], held: Sequence[GridRun], live: Sequence[Mapping], name: Callable[[float], str],
) -> pd.DataFrame:  # fmt: skip
    """All that `runs_chart` shows, one row a run and a place of the law: kind, x, loss, role, family, law, low, high, away.

    `band` are the ends of the interval at `places`; `live` holds one dict a measurement of runs trained here (run, size
    and what a GridRun names; a finished one also as `run_of_grid`, for it may be among `fitted`); `name(number)` writes
    parameters and tokens in few signs.
    """
    columns = ("kind", "x", "loss", "role", "family", "law", "low", "high", "away", "size", "seen")
    rows = [("law", x, y, "computed", "", y, low, high, 0.0, "", "") for x, y, low, high in zip(places, law(places), *band)]
    other = FAMILIES[against]
    ends = {getattr(run, other): run for run in sorted(runs, key=lambda run: getattr(run, against))}
    for run in runs:
        role = "computed" if run in fitted else "paged" if run in held else "dropped"
        x, family = getattr(run, against), name(getattr(run, other))
        said = (name(run.parameters), name(run.tokens))
        on_law = float(law(x))
        rows.append(("run", x, run.held_out, role, family, on_law, run.held_out, on_law, run.held_out / on_law - 1, *said))
        if ends[getattr(run, other)] is run:
            rows.append(("name", x, run.held_out, "dropped", family, 0.0, 0.0, 0.0, 0.0, *said))
    for entry in live:
        x, kind, loss = entry[against], "trained" if entry.get("last") else "training", entry["held_out"]
        said = (name(entry["parameters"]), name(entry["tokens"]))
        role = "computed" if entry.get("run_of_grid") in fitted else "reused"
        rows.append((kind, x, loss, role, f"live {entry['run']}", float(law(x)), 0.0, 0.0, loss / float(law(x)) - 1, *said))
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({column: "float32" for column in ("x", "loss", "law", "low", "high", "away")})


@spec
def runs_chart(against: str, low: float, high: float, language: str = "en", **words: str):
    """`runs_data` on logarithmic axes that stay. `words`: axis, loss, fit, held, other, live, size, seen, law."""
    x = alt.X("x:Q", title=words["axis"], scale=_log(low, high), axis=_axis(against, language))
    y = alt.Y("loss:Q", title=words["loss"], scale=_log(*LOSS), axis=alt.Axis(values=LOSS_TICKS, gridOpacity=0.4, format="~f"))
    labels = {"computed": words["fit"], "paged": words["held"], "reused": words["live"], "dropped": words["other"]}
    color = role_color(labels=labels, columns=2)
    tooltip = [
        alt.Tooltip("size:N", title=words["size"]), alt.Tooltip("seen:N", title=words["seen"]),
        alt.Tooltip("loss:Q", title=words["loss"], format=".3f"), alt.Tooltip("law:Q", title=words["law"], format=".3f"),
    ]  # fmt: skip
    base = alt.Chart().encode(x=x, y=y, color=color)
    law, runs = base.transform_filter("datum.kind == 'law'"), base.transform_filter("datum.kind == 'run'")
    band = law.mark_area(opacity=0.2, clip=True).encode(y=alt.Y("low:Q", title=words["loss"], scale=_log(*LOSS)), y2="high:Q")
    families = runs.transform_calculate(role="'dropped'").mark_line(strokeWidth=1.2, opacity=0.8).encode(detail="family:N")
    missed = runs.transform_filter("datum.role == 'paged'").mark_rule(strokeWidth=2, strokeDash=[3, 2], clip=True)
    points = runs.mark_point(filled=True, opacity=1).encode(
        tooltip=tooltip, size=alt.condition("datum.role == 'dropped'", alt.value(28), alt.value(130)),
        shape=alt.condition("datum.role == 'paged'", alt.value("diamond"), alt.value("circle")),
    )  # fmt: skip
    names = base.transform_filter("datum.kind == 'name'").mark_text(align="left", dx=9, fontSize=11, fill="currentColor", opacity=0.75)
    here = base.transform_filter("indexof(datum.kind, 'train') == 0")
    trail = here.mark_line(strokeWidth=2, clip=True, aria=False).encode(detail="family:N", order="x:Q")
    if against == "parameters":
        trail = here.mark_point(filled=True, size=18, clip=True, aria=False)
    silent = {"clip": True, "aria": False}  # without a run trained here there is nothing to be told
    ends = here.transform_filter("datum.kind == 'trained'").mark_point(filled=True, size=170, opacity=1, shape="triangle-up", **silent)
    layers = [families, band, law.mark_line(strokeWidth=3, clip=True), missed.encode(y=y, y2="high:Q"), points]
    layers += [names.encode(text="family:N"), trail, ends.encode(tooltip=tooltip)]
    return finish(alt.layer(*layers), language, height=450)


@spec
def residuals_chart(against: str, low: float, high: float, language: str = "en", **words: str):
    """How far the runs of `runs_data` that the law speaks of lie above or below it. `words`: axis, away."""
    x = alt.X("x:Q", title=words["axis"], scale=_log(low, high), axis=_axis(against, language))
    percent = alt.Axis(format="+.0%", tickCount=5, gridOpacity=0.4)
    y = alt.Y("shown:Q", title=words["away"], scale=alt.Scale(domain=[-AWAY, AWAY], nice=False), axis=percent)
    spoken_of = "datum.kind == 'run' && datum.role != 'dropped' || datum.kind == 'trained' && datum.role == 'computed'"
    base = alt.Chart().transform_filter(spoken_of)
    base = base.transform_calculate(shown=f"clamp(datum.away, -{AWAY}, {AWAY})", zero="0").encode(x=x, y=y, color=role_color())
    tooltip = [alt.Tooltip("size:N", title=" "), alt.Tooltip("away:Q", title=words["away"], format="+.1%")]
    zero = alt.Chart().transform_aggregate(n="count()").mark_rule(strokeWidth=1.5, stroke="currentColor").encode(y=alt.datum(0))
    points = base.mark_point(filled=True, size=90, opacity=1).encode(tooltip=tooltip)
    return finish(zero + base.mark_rule(strokeWidth=2).encode(y2="zero:Q") + points, language, height=150)


def laws_data(laws: Mapping[str, PowerLaw], low: float, high: float, unit: float = 1.0) -> pd.DataFrame:
    """Published laws on an axis from `low` to `high` in units of `unit`: name, x, loss."""
    x = np.geomspace(low, high, LINE)
    parts = [pd.DataFrame({"name": name, "x": x, "loss": law(x * unit)}) for name, law in laws.items()]
    return pd.concat(parts, ignore_index=True).astype({"x": "float64", "loss": "float32"})


@spec
def laws_chart(against: str, low: float, high: float, names: tuple[str, ...], language: str = "en", **words: str):
    """`laws_data` on logarithmic axes; `words`: axis, loss."""
    x = alt.X("x:Q", title=words["axis"], scale=_log(low, high), axis=_axis(against, language))
    y = alt.Y("loss:Q", title=words["loss"], scale=_log(1.4, 8), axis=alt.Axis(values=[1.5, 2, 3, 4, 5, 6, 8], gridOpacity=0.4))
    roles = {name: role for name, role in zip(names, ("paged", "reused"))}
    role = " : ".join(f"datum.name == '{name}' ? '{role}'" for name, role in roles.items()) + " : 'dropped'"
    color = role_color(labels={role: name for name, role in roles.items()})
    tooltip = [alt.Tooltip("name:N", title=" "), alt.Tooltip("loss:Q", title=words["loss"], format=".2f")]
    lines = alt.Chart().transform_calculate(role=role).mark_line(strokeWidth=3, clip=True).encode(x=x, y=y, color=color, tooltip=tooltip)
    return finish(lines, language, height=230)


def _log(low: float, high: float) -> alt.Scale:
    return alt.Scale(type="log", domain=[low, high], nice=False)


def _axis(against: str, language: str) -> alt.Axis:
    """Powers of ten: FLOPs as such, parameters and tokens in words."""
    return powers_of_ten() if against == "flops" else counts(language)
