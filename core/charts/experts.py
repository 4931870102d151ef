"""Charts of mixtures of experts: load, its course in training, what one expert matters, what decides, large models."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core import costs
from core.charts.axes import from_zero, reaching
from core.charts.theme import finish, in_role, role_color, spec

BALANCES = {"none": "dropped", "loss": "computed", "bias": "reused"}  # how the load is kept even -> colour
NETWORKS = {"dense": "paged"} | BALANCES
MODELS = (
    "gpt-oss-20b", "Mixtral 8x7B", "Llama-3-70B", "Llama-4 Scout", "gpt-oss-120b", "Llama-4 Maverick", "Llama-3.1-405B", "DeepSeek-V3",
)  # fmt: skip
FACTORS = ("token", "kind", "language", "genre", "document", "position")
_ROWS = {"labelOverlap": False, "labelFlush": False, "labelBaseline": "middle", "labelLimit": 180}  # a label for each, beside it
_SHARES = alt.Axis(format=".0%", tickCount=5, gridOpacity=0.5)


def shares_data(shares: np.ndarray) -> pd.DataFrame:
    """Shares (L, E) of the experts of each layer: layer and expert from 1, share."""
    layer, expert = (axis.ravel() + 1 for axis in np.indices(shares.shape))
    return pd.DataFrame({"layer": layer, "expert": expert.astype(str), "share": np.asarray(shares, np.float32).ravel()})


@spec
def shares_chart(layers: int, experts: int, y_max: float, layer: str, expert: str, share: str, language: str = "en"):
    """`shares_data` as groups of bars, a group a layer, coloured as experts are everywhere; the dashed line is the even share."""
    names = [str(e + 1) for e in range(experts)]
    y = alt.Y("share:Q", title=share, scale=alt.Scale(domain=[0, y_max], nice=False), axis=_SHARES)
    group = experts + 2  # bars, and two left free
    middles = [layer * group + (experts - 1) / 2 for layer in range(layers)]
    axis = alt.Axis(values=middles, labelExpr=f"round((datum.value - {middles[0]:g}) / {group} + 1)", grid=False)
    left = alt.X("left:Q", title=layer, scale=alt.Scale(domain=[-1, layers * group - 2], nice=False), axis=axis)
    bars = alt.Chart().transform_calculate(left=f"(datum.layer - 1) * {group} + toNumber(datum.expert) - 1.46", right="datum.left + 0.92")
    bars = bars.mark_rect(cornerRadius=1).encode(
        x=left,
        x2="right:Q",
        y=y,
        y2=alt.datum(0),
        color=alt.Color("expert:N", scale=alt.Scale(domain=names), legend=None),
        tooltip=[
            alt.Tooltip("layer:O", title=layer), alt.Tooltip("expert:N", title=expert), alt.Tooltip("share:Q", title=share, format=".1%"),
        ],
    )  # fmt: skip
    rule = alt.Chart().mark_rule(strokeDash=[5, 4], strokeWidth=1.5, stroke="currentColor").encode(y=alt.datum(1 / experts))
    return finish(alt.layer(bars, rule), language, height=230)


def course_data(log: pd.DataFrame, layer: int) -> pd.DataFrame:
    """The share of the busiest and of the idlest expert of a layer along training: millions of tokens, share, end, kind, role."""
    parts = []
    for kind, role in BALANCES.items():
        rows = log[log["kind"] == kind]
        for end in ("most", "least"):
            share = rows[f"layer_{layer}_{end}"].rolling(5, min_periods=1, center=True).mean()  # one batch says little
            parts.append(pd.DataFrame({"tokens": rows["tokens"] / 1e6, "share": share, "end": end, "kind": kind, "role": role}))
    return pd.concat(parts, ignore_index=True)


@spec
def course_chart(longest: float, y_max: float, even: float, tokens: str, share: str, language: str = "en", **labels: str):
    """`course_data`: two lines a method, above the even share (dashed) the busiest expert and below it the idlest.

    `labels`: kind -> words.
    """
    words = {role: labels[kind] for kind, role in BALANCES.items()}
    lines = alt.Chart().mark_line(strokeWidth=2.5, clip=True).encode(
        x=alt.X("tokens:Q", title=tokens, scale=alt.Scale(domain=[0, longest], nice=False), axis=alt.Axis(grid=False, tickCount=6)),
        y=alt.Y("share:Q", title=share, scale=alt.Scale(domain=[0, y_max], nice=False), axis=_SHARES),
        color=role_color(labels=words, columns=1),
        detail="end:N",
        tooltip=[
            alt.Tooltip("kind:N", title=" "), alt.Tooltip("tokens:Q", title=tokens, format=".0f"),
            alt.Tooltip("share:Q", title=share, format=".1%"),
        ],
    )  # fmt: skip
    rule = alt.Chart().mark_rule(strokeDash=[5, 4], strokeWidth=1.5, stroke="currentColor").encode(y=alt.datum(even))
    return finish(alt.layer(lines, rule), language, height=370)


def grid_data(change: np.ndarray, chosen: tuple[int, int]) -> pd.DataFrame:
    """Change of the loss (L, E), nats a token, by layer and expert from 1; `framed` is the chosen one (from 0).

    `shade` is the change as a share of the largest, of 0.1 at least: small ones stay pale.
    """
    layer, expert = (axis.ravel() for axis in np.indices(change.shape))
    framed = (layer == chosen[0]) & (expert == chosen[1])
    change = np.asarray(change, np.float32).ravel()
    shade = change / max(float(abs(change).max()), 0.1)
    rows = {"layer": layer + 1, "expert": expert + 1, "change": change, "shade": shade, "framed": framed.astype(np.int8)}
    return pd.DataFrame(rows)


@spec
def grid_chart(layer: str, expert: str, change: str, language: str = "en"):
    """`grid_data` as cells with their numbers; a click selects `layer` and `expert` in the selection `pick`.

    The scale goes on beyond the largest change: the theme's words can be read on every shade then.
    """
    pick = alt.selection_point(name="pick", fields=["layer", "expert"], on="click", empty=False)
    tooltip = [alt.Tooltip("layer:O", title=layer), alt.Tooltip("expert:O", title=expert)]
    tooltip.append(alt.Tooltip("change:Q", title=change, format="+.3f"))
    base = alt.Chart().encode(
        x=alt.X("expert:O", title=expert, axis=alt.Axis(orient="top", labelAngle=0)), y=alt.Y("layer:O", title=layer), tooltip=tooltip
    )
    scale = alt.Scale(domain=[-1.8, 1.8], range="diverging", interpolate="rgb", clamp=True)
    cells = base.mark_rect(cursor="pointer", cornerRadius=4).encode(
        color=alt.Color("shade:Q", scale=scale, legend=None),
        stroke=alt.condition("datum.framed > 0", alt.value("currentColor"), alt.value("transparent")),
        strokeWidth=alt.value(2.5),
    )
    ink = base.transform_calculate(words="abs(datum.change) < 0.005 ? '·' : format(datum.change, '+.2f')")
    ink = ink.mark_text(fontSize=12, cursor="pointer", fill="currentColor").encode(text="words:N")
    return finish(alt.layer(cells.add_params(pick), ink), language, height=250)


def losses_data(networks: Mapping[str, Mapping], sources: Mapping[str, str]) -> pd.DataFrame:
    """Held-out loss of every network on every source: source, label, kind, role, nats."""
    rows = [
        (source, label, kind, role, networks[kind]["held_out_nats_per_token"][source])
        for source, label in sources.items() for kind, role in NETWORKS.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["source", "label", "kind", "role", "nats"])


@spec
def losses_chart(low: float, high: float, nats: str, language: str = "en", **labels: str):
    """`losses_data`: a row a source, a point a network; further left is better. `labels`: kind -> words."""
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    x = alt.X("nats:Q", title=nats, scale=scale, axis=alt.Axis(tickCount=6, gridOpacity=0.4))
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(**_ROWS))
    base = alt.Chart().encode(y=y)
    span = base.mark_rule(strokeWidth=1.5, stroke="currentColor", opacity=0.3).encode(x=alt.X("min(nats):Q", title=nats), x2="max(nats):Q")
    points = base.mark_point(filled=True, size=150, opacity=0.9).encode(
        x=x,
        color=role_color(labels={role: labels[kind] for kind, role in NETWORKS.items()}, columns=1),
        tooltip=[alt.Tooltip("label:N", title=" "), alt.Tooltip("kind:N", title=" "), alt.Tooltip("nats:Q", title=nats, format=".2f")],
    )
    return finish(alt.layer(span, points), language, height=330)


def factors_data(layers: Sequence[Mapping], labels: Mapping[str, str]) -> pd.DataFrame:
    """How much of the choice each of FACTORS explains in every layer (as recorded): factor, label, layer from 1, share, mean."""
    rows = [
        (factor, labels[factor], i, layer["explained"][factor], float(np.mean([one["explained"][factor] for one in layers])))
        for factor in FACTORS for i, layer in enumerate(layers, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["factor", "label", "layer", "share", "mean"])


@spec
def factors_chart(share: str, layer: str, language: str = "en"):
    """`factors_data`: a bar for the mean of the layers, a dot for each."""
    x = {"title": share, "scale": alt.Scale(domain=[0, 1], nice=False), "axis": alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])}
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(**_ROWS))
    base = alt.Chart().encode(y=y)
    bars = in_role(base, "reused").transform_filter("datum.layer == 1").mark_bar(size=18, cornerRadiusEnd=3).encode(x=alt.X("mean:Q", **x))
    dots = base.mark_point(filled=True, size=45, opacity=0.9, fill="currentColor").encode(
        x=alt.X("share:Q", **x), tooltip=[alt.Tooltip("layer:O", title=layer), alt.Tooltip("share:Q", title=share, format=".1%")]
    )
    values = base.transform_filter("datum.layer == 1").mark_text(align="left", dx=8, fontWeight="bold", fill="currentColor")
    values = values.transform_calculate(end="0").encode(x=alt.value("width"), text=alt.Text("mean:Q", format=".1%"))
    return finish(alt.layer(bars, dots, values), language, height=270)


def kinds_data(counts: Sequence[Sequence[int]], kinds: Mapping[str, str], all_word: str) -> pd.DataFrame:
    """Tokens of every kind that each expert got (E, kinds): expert from 1 or `all_word`, kind, label, share of the expert's, tokens."""
    counts = np.asarray(counts)
    rows = []
    for name, row in [(all_word, counts.sum(0)), *((str(e + 1), row) for e, row in enumerate(counts))]:
        for place, ((kind, label), n) in enumerate(zip(kinds.items(), row)):
            rows.append((name, kind, label, place, n / max(row.sum(), 1), int(n)))
    return pd.DataFrame(rows, columns=["expert", "kind", "label", "place", "share", "tokens"])


@spec
def kinds_chart(expert: str, of_tokens: str, tokens: str, language: str = "en"):
    """`kinds_data` as cells, a row an expert; each row sums to 1."""
    base = alt.Chart().encode(
        x=alt.X("label:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=-35, labelLimit=130, labelOverlap=False)),
        y=alt.Y("expert:N", sort=None, title=expert, axis=alt.Axis(**_ROWS)),
        tooltip=[
            alt.Tooltip("expert:N", title=expert), alt.Tooltip("label:N", title=" "), alt.Tooltip("share:Q", title=of_tokens, format=".1%"),
            alt.Tooltip("tokens:Q", title=tokens, format=",d"),
        ],
    )  # fmt: skip
    # The scale goes on beyond 100 %, so that the theme's words can be read on every shade.
    cells = base.mark_rect(cornerRadius=3).encode(color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1.7]), legend=None))
    words = base.mark_text(fontSize=12, fill="currentColor").encode(text=alt.Text("share:Q", format=".0%"))
    return finish(alt.layer(cells, words), language, height=390)


def models_data(unit: str, sequences: int) -> pd.DataFrame:
    """Published models: weights held, and read for one step of `sequences` texts; in GB of a format of
    costs.BITS, or in billions ("count").

    Rows of the embedding table that are not looked up count as not read, as the makers of gpt-oss and DeepSeek-V3 count.
    """
    bits = {"count": 8}.get(unit) or costs.BITS[unit]
    rows = []
    for name in MODELS:
        model = costs.models()[name]
        total, read = (costs.parameters(model), costs.decode_work(model, 0, sequences, "int8").bytes)
        experts = f"{model.active_experts}/{model.n_experts}" if model.n_experts else "–"
        rows.append((name, experts, total * bits / 8e9, read * bits / 8e9, read / total))
    return pd.DataFrame(rows, columns=["model", "experts", "held", "read", "read_share"])


@spec
def models_chart(axis: str, held: str, read: str, experts: str, part: str, language: str = "en"):
    """`models_data`: the grey bar is what memory holds, the orange one what a step reads of it."""
    x = {"title": axis, "scale": from_zero(), "axis": alt.Axis(tickCount=5, gridOpacity=0.4, format=",d")}
    tooltip = [
        alt.Tooltip("model:N", title=" "), alt.Tooltip("experts:N", title=experts),
        alt.Tooltip("read_share:Q", title=part, format=".1%"),
        alt.Tooltip("held:Q", title=held, format=",.1f"), alt.Tooltip("read:Q", title=read, format=",.1f"),
    ]  # fmt: skip
    y = alt.Y("model:N", sort=None, title=None, axis=alt.Axis(**_ROWS))
    base = alt.Chart().encode(y=y, tooltip=tooltip)
    color = role_color(labels={"dropped": held, "computed": read}, columns=1)
    whole = base.transform_calculate(role="'dropped'").mark_bar(size=22, opacity=0.6).encode(x=alt.X("held:Q", **x), color=color)
    used = base.transform_calculate(role="'computed'").mark_bar(size=14).encode(x=alt.X("read:Q", **x), color=color)
    written = "format(datum.read, ',.3~r') + ' / ' + format(datum.held, ',.3~r')"
    words = base.transform_calculate(words=written, end="max(datum.held, datum.read)")
    words = words.mark_text(align="left", dx=6, fill="currentColor").encode(x=alt.X("end:Q", **x), text="words:N")
    end = reaching(alt.X("held:Q", **x), "held", 1.3)
    return finish(alt.layer(whole, used, words, end), language, height=46 + 36 * len(MODELS))
