"""Charts of the page on GRU and Transformer; everywhere the Transformer is orange and the GRU blue."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import EVERY_ROW, finish, role_color, spec

ROLES_OF = {"transformer": "computed", "gru": "reused"}
MOST_NATS = 16  # of the axis; what is above is drawn at its edge


def losses_data(labels: Sequence[str], losses: Mapping[str, np.ndarray], back: Sequence[int], chosen: int) -> pd.DataFrame:
    """One row a token but the first: -ln p by each network, how far back it stood last (0: never), whether it is the chosen one."""
    transformer, gru = (np.asarray(losses[kind], np.float32) for kind in ROLES_OF)
    places = np.arange(1, len(labels))
    return pd.DataFrame(
        {
            "place": places + 1, "token": labels[1:], "transformer": transformer, "gru": gru, "back": np.asarray(back[1:], np.int32),
            "chosen": places == chosen,
        }
    )  # fmt: skip


@spec
def losses_chart(transformer: str, gru: str, place: str, loss: str, token: str, back: str, language: str = "en"):
    """Both networks' loss at every token; a line joins them in the colour of the worse one, strong where the token returns."""
    x = alt.X("place:Q", title=place, scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(grid=False, tickMinStep=1, format="d"))
    scale = alt.Scale(domain=[0, MOST_NATS], clamp=True)
    base = alt.Chart()
    tips = [
        alt.Tooltip("token:N", title=token), alt.Tooltip("transformer:Q", title=transformer, format=".2f"),
        alt.Tooltip("gru:Q", title=gru, format=".2f"), alt.Tooltip("back:Q", title=back),
    ]  # fmt: skip
    strength = alt.condition("datum.back > 0", alt.value(0.95), alt.value(0.4))
    legend = role_color(labels={"computed": transformer, "reused": gru})
    joined = base.transform_calculate(role="datum.gru > datum.transformer ? 'reused' : 'computed'")
    joined = joined.mark_rule(strokeWidth=2).encode(
        x=x, y=alt.Y("transformer:Q", title=loss, scale=scale, axis=alt.Axis(tickCount=5, gridOpacity=0.5)), y2="gru:Q",
        color=legend, opacity=alt.condition("datum.back > 0", alt.value(0.55), alt.value(0.18)),
    )  # fmt: skip
    layers = [joined]
    for kind, role in ROLES_OF.items():
        dots = base.transform_calculate(role=f"'{role}'").mark_point(filled=True, size=42)
        layers.append(dots.encode(x=x, y=alt.Y(f"{kind}:Q", scale=scale), color=legend, opacity=strength, tooltip=tips))
    marked = base.transform_filter("datum.chosen").mark_rule(stroke="currentColor", strokeDash=[4, 3], opacity=0.6).encode(x=x)
    return finish(alt.layer(*layers, marked), language, height=300)


def shares_data(labels: Sequence[str], shares: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row a network and a token before the predicted one: the token's share of what the prediction hangs on."""
    n = len(next(iter(shares.values())))
    places = {"place": np.arange(1, n + 1), "token": labels[:n]}
    parts = [pd.DataFrame(places | {"share": np.asarray(found, np.float32), "role": ROLES_OF[kind]}) for kind, found in shares.items()]
    return pd.concat(parts, ignore_index=True)


@spec
def shares_chart(transformer: str, gru: str, place: str, share: str, token: str, language: str = "en"):
    """What one prediction hangs on, token by token: the Transformer's shares upwards, the GRU's downwards."""
    base = alt.Chart().transform_calculate(height="datum.role == 'computed' ? sqrt(datum.share) : -sqrt(datum.share)")
    ticks = alt.Axis(
        values=[sign * share**0.5 for sign in (-1, 1) for share in (0.1, 0.4)] + [0],
        labelExpr="format(datum.value * datum.value, '.0%')", gridOpacity=0.5,
    )  # fmt: skip
    bars = base.mark_bar(size=4).encode(
        x=alt.X("place:Q", title=place, scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(grid=False, tickMinStep=1, format="d")),
        y=alt.Y("height:Q", title=share, scale=alt.Scale(domain=[-0.75, 0.75], clamp=True), axis=ticks),
        color=role_color(labels={"computed": transformer, "reused": gru}),
        tooltip=[alt.Tooltip("token:N", title=token), alt.Tooltip("share:Q", title=share, format=".1%")],
    )
    zero = alt.Chart().mark_rule(stroke="currentColor", opacity=0.35).encode(y=alt.datum(0))
    return finish(alt.layer(bars, zero), language, height=230)


def curves_data(curves: Mapping[str, Mapping[int, float]]) -> pd.DataFrame:
    """Distance, value and role of each network's curve."""
    rows = [(int(distance), value, ROLES_OF[kind]) for kind, curve in curves.items() for distance, value in curve.items()]
    return pd.DataFrame(rows, columns=["distance", "value", "role"])


@spec
def curves_chart(
    transformer: str, gru: str, distance: str, value: str, format: str, low: float, high: float,
    points: tuple[int, ...], log: bool = False, dots: bool = True, language: str = "en",
):  # fmt: skip
    """Two curves against a distance (logarithmic); `points` are written at the axis, `log` makes the values logarithmic too."""
    x_axis = {"values": list(points), "labelOverlap": True}
    y = alt.Scale(type="log" if log else "linear", domain=[low, high], nice=False, clamp=True)
    line = alt.Chart().mark_line(strokeWidth=3 if dots else 2, point=alt.OverlayMarkDef(size=55) if dots else False).encode(
        x=alt.X("distance:Q", title=distance, scale=alt.Scale(type="log", nice=False), axis=alt.Axis(grid=False, format="d", **x_axis)),
        y=alt.Y("value:Q", title=value, scale=y, axis=alt.Axis(tickCount=5, format=format, gridOpacity=0.5)),
        color=role_color(labels={"computed": transformer, "reused": gru}),
        tooltip=[alt.Tooltip("distance:Q", title=distance, format=","), alt.Tooltip("value:Q", title=value, format=format)],
    )  # fmt: skip
    return finish(line, language, height=250)


def time_data(measured: Mapping[tuple[int, str], float]) -> pd.DataFrame:
    """tokens, milliseconds, role, way from seconds by number of tokens and "network way", such as (64, "gru write")."""
    rows = [(n, 1000 * seconds, ROLES_OF[name.split()[0]], name.split()[1]) for (n, name), seconds in measured.items()]
    return pd.DataFrame(rows, columns=["tokens", "milliseconds", "role", "way"])


@spec
def time_chart(sizes: tuple[int, ...], language: str = "en", **words: str):
    """Measured times, both axes logarithmic; solid: all at once, dashed: one by one.

    Words: transformer, gru, tokens, milliseconds, read, write (the two ways, with how they are drawn).
    """
    tips = [alt.Tooltip(f"{field}:Q", title=words[field], format=form) for field, form in (("tokens", ","), ("milliseconds", ".3~g"))]
    x_axis = alt.Axis(values=list(sizes), grid=False, format="d", labelOverlap=True)
    x = alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(type="log", domain=[sizes[0], sizes[-1]], nice=False), axis=x_axis)
    y_axis = alt.Axis(tickCount=5, gridOpacity=0.5, format="~g")
    names = f"datum.value == 'read' ? '{words['read']}' : '{words['write']}'"
    line = alt.Chart().mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=50)).encode(
        x=x, y=alt.Y("milliseconds:Q", title=words["milliseconds"], scale=alt.Scale(type="log", domain=[1, 10_000]), axis=y_axis),
        color=role_color(labels={"computed": words["transformer"], "reused": words["gru"]}),
        strokeDash=alt.StrokeDash("way:N", scale=alt.Scale(domain=["read", "write"], range=[[1, 0], [6, 5]]),
                                  legend=alt.Legend(title=None, orient="top", labelExpr=names, symbolType="stroke", labelLimit=0)),
        detail="way:N", tooltip=tips,
    )  # fmt: skip
    return finish(line, language, height=300)


def held_out_data(losses: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> pd.DataFrame:
    """One row a source: its name and both losses."""
    return pd.DataFrame(
        {"source": list(names.values()), **{kind: [found[source] for source in names] for kind, found in losses.items()}}
    )


@spec
def held_out_chart(transformer: str, gru: str, loss: str, language: str = "en"):
    """Held-out losses, a row a source, both networks joined by a line."""
    y = alt.Y("source:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13, **EVERY_ROW))
    scale = alt.Scale(domain=[3.5, 5], nice=False)
    x = alt.X("transformer:Q", scale=scale, title=loss)
    color = role_color(labels={"computed": transformer, "reused": gru})
    joined = alt.Chart().transform_calculate(role="'dropped'").mark_rule(strokeWidth=3)
    layers = [joined.encode(y=y, x=x, x2="gru:Q", color=color)]
    for kind, role in ROLES_OF.items():
        dots = alt.Chart().transform_calculate(role=f"'{role}'").mark_point(filled=True, size=120, opacity=1)
        tip = [alt.Tooltip(f"{kind}:Q", title=loss, format=".2f")]
        layers.append(dots.encode(y=y, x=alt.X(f"{kind}:Q", scale=scale), color=color, tooltip=tip))
    return finish(alt.layer(*layers), language, height=210)
