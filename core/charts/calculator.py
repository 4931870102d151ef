"""Charts of the calculator: what a model takes from a GPU in every format, and which GPU can write how fast."""

import altair as alt
import pandas as pd

from core import costs
from core.charts.axes import from_zero, reaching
from core.charts.theme import finish, in_role, role_color, spec

FORMATS = ("fp32", "bf16", "fp8_e4m3", "q8_0", "nf4", "q4_0")
PARTS = {"weights": "computed", "kv_cache": "reused", "activations": "paged", "overhead": "dropped"}
ROW = 34  # pixels a bar


def memory_data(
    model, names: dict[str, str], tokens: int, sequences: int, n_gpus: int, cache_bytes: float
) -> pd.DataFrame:
    """Four rows a format of `names`: what one of `n_gpus` holds; columns format, label, part, role, gb, total."""
    rows = []
    for order, (name, label) in enumerate(names.items()):
        share = costs.share(model, tokens, name, sequences, n_gpus, cache_bytes)
        for place, (part, role) in enumerate(PARTS.items()):
            rows.append((order, name, label, place, part, role, getattr(share, part) / 1e9, share.total / 1e9))
    return pd.DataFrame(rows, columns=["order", "format", "label", "place", "part", "role", "gb", "total"])


def ceilings(x_max: float) -> tuple[tuple[str, float], ...]:
    """Memory sizes of the graphics cards on an axis that ends at `x_max` GB: the first card of that size, GB.

    Where two lines stand close together only the larger is named.
    """
    sizes: dict[float, str] = {}
    for name, gpu in costs.gpus().items():
        if not gpu.rough and gpu.memory_gb <= x_max:
            sizes.setdefault(
                gpu.memory_gb,
                f"{name.removesuffix(' 40').removesuffix(' 80').removesuffix(' SXM')} · {gpu.memory_gb:g}",
            )
    lines, last = [], float("inf")
    for size in sorted(sizes, reverse=True):
        named = last - size > 0.13 * x_max
        lines.append((sizes[size] if named else "", size))
        last = size if named else last
    return tuple(reversed(lines))


@spec
def memory_chart(rows: int, x_max: float, lines: tuple[tuple[str, float], ...], language: str = "en", **words: str):
    """Stacked bars of `memory_data`, cut off at `x_max` GB, against the memory of graphics cards (`ceilings`).

    `words`: axis and the parts weights, kv_cache, activations, overhead.
    """
    x = alt.X(
        "gb:Q",
        title=words["axis"],
        scale=alt.Scale(domain=[0, x_max], nice=False),
        axis=alt.Axis(tickCount=6, gridOpacity=0.3),
    )
    y = alt.Y(
        "label:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, labelOverlap=False)
    )
    tooltip = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("gb:Q", title="GB", format=",.3~f"),
        alt.Tooltip("total:Q", title="Σ GB", format=",.3~f"),
    ]
    labels = {role: words[part] for part, role in PARTS.items()}
    color = role_color(labels=labels, columns=2)
    bars = alt.Chart().mark_bar(size=20, clip=True).encode(x=x, y=y, color=color, order="place:O", tooltip=tooltip)
    sums = (
        alt.Chart().transform_filter("datum.place == 0").transform_calculate(end=f"min(datum.total, {0.9 * x_max:g})")
    )
    sums = sums.mark_text(align="left", dx=5, fill="currentColor", fontWeight="bold")
    layers = [bars, sums.encode(x="end:Q", y=y, text=alt.Text("total:Q", format=",.3~r"))]
    for name, size in lines:
        line = alt.Chart().transform_aggregate(n="count()").transform_calculate(size=f"{size:g}").encode(x="size:Q")
        layers.append(line.mark_rule(strokeDash=[5, 4], strokeWidth=1.5, stroke="currentColor"))
        if name:
            layers.append(
                line.mark_text(align="center", fill="currentColor", fontSize=11).encode(
                    text=alt.value(name), y=alt.value(-8)
                )
            )
    return finish(alt.layer(*layers), language, height=ROW * rows + 110)


def gpu_data(model, format: str, tokens: int, sequences: int, n_gpus: int, cache_bytes: float) -> pd.DataFrame:
    """One row a machine: gb needed and there, whether it fits, the bound in tokens a second, and what limits it."""
    need = costs.share(model, tokens, format, sequences, n_gpus, cache_bytes).total
    rows = []
    for name, gpu in costs.gpus().items():
        bound = costs.decode_bound(model, gpu, tokens, format, sequences, n_gpus, cache_bytes)
        fits = costs.fits(need, gpu)
        rows.append(
            (
                name,
                need / 1e9,
                gpu.memory_gb,
                fits,
                "computed" if fits else "dropped",
                bound.tokens_per_second,
                bound.limit,
                gpu.rough,
            )
        )
    return pd.DataFrame(rows, columns=["gpu", "need", "memory", "fits", "role", "rate", "limit", "rough"])


@spec
def gpu_chart(rows: int, axis: str, fits: str, too_small: str, language: str = "en"):
    """Tokens a second of `gpu_data`; grey where the model finds no room."""
    x = alt.X(
        "rate:Q",
        title=axis,
        scale=from_zero(),
        axis=alt.Axis(tickCount=5, format="~s", gridOpacity=0.3),
    )
    y = alt.Y("gpu:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False))
    tooltip = [
        alt.Tooltip("gpu:N", title=" "),
        alt.Tooltip("rate:Q", title=axis, format=",.3~r"),
        alt.Tooltip("memory:Q", title="GB", format="~f"),
    ]
    base = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    bars = base.mark_bar(size=18, cornerRadiusEnd=3).encode(
        color=role_color(labels={"computed": fits, "dropped": too_small})
    )
    numbers = (
        in_role(alt.Chart(), "computed")
        .mark_text(align="left", dx=5, fill="currentColor")
        .encode(x=x, y=y, text=alt.Text("rate:Q", format=",.3~r"))
    )
    return finish(bars + numbers + reaching(x, "rate", 1.12), language, height=28 * rows + 90)
