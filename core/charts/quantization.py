"""Charts of the quantization lab: the comb of levels, error by layer, bytes, and what fewer bits cost."""

import math

import altair as alt
import pandas as pd

from core import costs
from core.charts.theme import EVERY_ROW, finish, in_role, role_color, spec
from core.quantization.histogram import LevelHistogram
from core.quantization.model import MatrixReport
from core.quantization.sizes import Size

PARTS = ("q", "k", "v", "o", "gate", "up", "down")
# Of core.costs.BITS: numbers that need no scales, and formats as files store them, scales included.
REAL_FORMATS = ("fp32", "fp16", "fp8_e4m3", "int8", "q8_0", "int4", "nf4", "q4_0", "nf4_double")
FEW = 16  # up to so many levels each tooth gets a head
WORST = 0.8  # relative error at the end of the colour scale
ROW = 27  # pixels a bar


def histogram_data(histogram: LevelHistogram) -> pd.DataFrame:
    """One row a bin and a level: kind ("weights", "level"), position in -1..1, density, share, height in the picture."""
    width = histogram.centers[1] - histogram.centers[0]
    columns = ("position", "density", "share")
    bins = pd.DataFrame(dict(zip(columns, (histogram.centers, histogram.density, histogram.density * width)))).assign(kind="weights")
    levels = pd.DataFrame(dict(zip(columns, (histogram.levels, histogram.level_density, histogram.share)))).assign(kind="level")
    # The outermost bins hold the largest weight of every block; they may stick out of the picture.
    peak = max(bins["density"].iloc[1:-1].max(), levels["density"].max() if len(levels) else 0.0)
    both = pd.concat([bins, levels], ignore_index=True)
    return both.assign(height=both["density"] / peak)


@spec
def levels_chart(levels: int, axis: str, level: str, share: str, language: str = "en"):
    """The weights of `histogram_data` as a bell curve with the format's levels as a comb, on a fixed axis from -1 to 1.

    Grey area: where the weights are. Orange teeth: the levels, as high as weights were rounded to them.
    The short teeth below the axis are all levels, used or not; with `levels` = 0 (too many to draw) a band.
    """
    x = alt.X("position:Q", title=axis, scale=alt.Scale(domain=[-1.03, 1.03], nice=False),
              axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1], grid=False))  # fmt: skip
    vertical = {"axis": None, "scale": alt.Scale(domain=[-0.1, 1.08], nice=False, zero=False)}
    height, top = alt.Y("height:Q", **vertical), alt.Y("top:Q", **vertical)
    bell = in_role(alt.Chart(), "dropped").transform_filter("datum.kind == 'weights'")
    bell = bell.mark_area(interpolate="monotone", opacity=0.55, clip=True).encode(x=x, y=height)
    if not levels:
        ends = in_role(alt.Chart(), "computed").transform_aggregate(left="min(position)", right="max(position)")
        ends = ends.transform_calculate(position="datum.left", top="-0.02", low="-0.09", role="'computed'")
        return finish(bell + ends.mark_rect().encode(x=x, x2="right:Q", y=top, y2="low:Q"), language, height=300)
    width = 3 if levels <= FEW else 1
    tooltip = [alt.Tooltip("position:Q", title=level, format=".4f"), alt.Tooltip("share:Q", title=share, format=".2%")]
    comb = in_role(alt.Chart(), "computed").transform_filter("datum.kind == 'level'").encode(x=x, tooltip=tooltip)
    comb = comb.transform_calculate(top="-0.03", low="-0.09", zero="0")
    layers = [
        bell,
        comb.mark_rule(strokeWidth=width).encode(y=top, y2="low:Q"),
        comb.mark_rule(strokeWidth=width, clip=True).encode(y=height, y2="zero:Q"),
    ]
    if levels <= FEW:
        layers.append(comb.mark_point(filled=True, size=80, opacity=1, clip=True).encode(y=height))
    return finish(alt.layer(*layers), language, height=300)


def error_data(report: list[MatrixReport], chosen: tuple[int, str] | None = None, language: str = "en") -> pd.DataFrame:
    """The matrices inside the blocks: layer, part, relative error (also as written), megabytes, and which one is `chosen`."""
    rows = [
        (r.layer, r.part, r.relative_error, _percent(r.relative_error, language), r.bytes_after / 1e6, (r.layer, r.part) == chosen)
        for r in report
        if r.layer is not None
    ]
    return pd.DataFrame(rows, columns=["layer", "part", "error", "written", "mb", "chosen"])


@spec
def error_chart(layers: int, layer: str, part: str, error: str, mb: str, language: str = "en"):
    """Relative error of every matrix of `error_data`, layers down, parts across; the chosen one is framed.

    One colour scale for all formats, 0 to 80 %. A click selects layer and part in the selection `pick`.
    """
    pick = alt.selection_point(name="pick", fields=["layer", "part"], on="click", empty=False)
    x = alt.X("part:N", sort=list(PARTS), title=None, axis=alt.Axis(orient="top", labelAngle=0))
    tooltip = [
        alt.Tooltip("layer:O", title=layer),
        alt.Tooltip("part:N", title=part),
        alt.Tooltip("error:Q", title=error, format=".3%"),
        alt.Tooltip("mb:Q", title=mb, format=".3f"),
    ]
    base = alt.Chart().encode(x=x, y=alt.Y("layer:O", title=layer, axis=alt.Axis(**EVERY_ROW)), tooltip=tooltip)
    color = alt.Color("error:Q", legend=None, scale=alt.Scale(domain=[0, WORST], clamp=True))
    cells = base.mark_rect(cornerRadius=3, cursor="pointer").encode(color=color).add_params(pick)
    text = base.mark_text(fontSize=12, fill="currentColor").encode(text="written:N")
    frame = base.transform_filter("datum.chosen").mark_rect(filled=False, stroke="currentColor", strokeWidth=2.5, cornerRadius=3)
    return finish(cells + text + frame, language, height=ROW * layers + 40)


def bytes_data(
    sizes: dict[str, Size], names: dict[str, str], weights: int, chosen: str, unit: str = "MB", language: str = "en"
) -> pd.DataFrame:
    """Two rows a format, codes and scales: their size in MB or GB, the total, bits a weight, and what stands beside the bar."""
    divisor = {"MB": 1e6, "GB": 1e9}[unit]
    rows = []
    for name, size in sizes.items():
        bits, total = 8 * size.total / weights, size.total / divisor
        written = _local(f"{total:.1f} {unit}", language)
        for role, part in (("computed", size.codes), ("scales", size.scales)):
            rows.append((name, _label(names[name], bits, language), role, part / divisor, total, bits, written, name == chosen))
    return pd.DataFrame(rows, columns=["format", "label", "role", "size", "total", "bits", "written", "chosen"])


@spec
def bytes_chart(rows: int, unit: str, ceilings: tuple[float, ...], codes: str, scales: str, language: str = "en"):
    """Stacked bars of `bytes_data`; the chosen format stands out.

    `ceilings`, sizes in `unit` such as a device's memory, are drawn as dashed lines.
    """
    # Unseen bars, a fifth longer than the others, leave room for the numbers.
    x = alt.X("size:Q", stack="zero", title=unit, scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13, **EVERY_ROW))
    tooltip = [alt.Tooltip("label:N", title=" "), alt.Tooltip("size:Q", title=unit, format=",.3f")]
    base = alt.Chart().encode(y=y)
    color = role_color(labels={"computed": codes, "scales": scales}, extra=("scales",))
    bars = base.mark_bar(size=17).encode(x=x, color=color, order="role:N", opacity=_strong(0.38), tooltip=tooltip)
    once = alt.Chart().transform_filter("datum.role == 'computed'")
    text = once.mark_text(align="left", dx=6, fontSize=13, fill="currentColor")
    text = text.encode(x="total:Q", y=y, text="written:N", opacity=_strong(0.75))
    room = once.transform_calculate(room="1.2 * datum.total").mark_bar(opacity=0).encode(x="room:Q", y=y)
    layers = [room, bars, text]
    for size in ceilings:
        line = once.transform_filter("datum.chosen").transform_calculate(ceiling=f"{size:g}", name=f"'{size:g} {unit}'")
        line = line.encode(x="ceiling:Q")
        named = line.mark_text(baseline="bottom", fontSize=11, fill="currentColor", opacity=0.8)
        layers.insert(1, line.mark_rule(strokeDash=[4, 4], strokeWidth=1.5, stroke="currentColor", opacity=0.35))
        layers.append(named.encode(y=alt.value(-3), text="name:N"))
    return finish(alt.layer(*layers), language, height=ROW * rows + 90)


def price_data(
    names: dict[str, str], bits: dict[str, float], perplexity: dict[str, float], chosen: str, language: str = "en"
) -> pd.DataFrame:
    """One row a format: bits a weight, perplexity (missing while not measured), change against FP32, the bar's end.

    Bars end at three times FP32's perplexity; what is worse is cut off there and keeps its number.
    """
    data = pd.DataFrame([(key, name, bits[key], perplexity.get(key, math.nan)) for key, name in names.items()])
    data.columns = ["format", "name", "bits", "perplexity"]
    data["reference"] = perplexity["fp32"]
    data["change"] = data["perplexity"] / data["reference"] - 1
    data["end"] = data["perplexity"].clip(upper=3 * data["reference"])
    data["label"] = [_label(name, number, language) for name, number in zip(data["name"], data["bits"])]
    data["chosen"] = data["format"] == chosen
    numbers = zip(data["format"], data["perplexity"], data["change"].round(3) + 0.0)  # + 0.0 turns -0 into 0
    written = ["" if key not in perplexity else f"{value:,.2f}  ({change:+.1%})" for key, value, change in numbers]
    return data.assign(written=[_local(text.removesuffix("  (+0.0%)") if i == 0 else text, language) for i, text in enumerate(written)])


@spec
def price_chart(rows: int, perplexity: str, change: str, language: str = "en"):
    """Perplexity of every format of `price_data` as bars, with FP32's as a dashed line; the chosen one stands out."""
    x = alt.X("end:Q", title=perplexity, scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13, **EVERY_ROW))
    tooltip = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("perplexity:Q", title=perplexity, format=",.3f"),
        alt.Tooltip("change:Q", title=change, format="+.2%"),
    ]
    base = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    bars = in_role(base, "computed").mark_bar(size=17).encode(opacity=_strong(0.38))
    text = base.mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(text="written:N", opacity=_strong(0.75))
    line = alt.Chart().mark_rule(strokeDash=[5, 4], stroke="currentColor", opacity=0.5).encode(x="mean(reference):Q")
    room = base.transform_calculate(room="max(1.45 * datum.end, 2 * datum.reference)").mark_bar(opacity=0).encode(x="room:Q")
    return finish(alt.layer(room, bars, line, text), language, height=ROW * rows + 70)


def _strong(others: float):
    """Opacity: full for the chosen row."""
    return alt.condition("datum.chosen", alt.value(1.0), alt.value(others))


def _percent(value: float, language: str) -> str:
    """A share with two significant digits where it is small: 0.00017 -> "0.02%"."""
    digits = 0 if value >= 0.0995 else 1 if value >= 0.00995 else 2
    return _local(f"{value:.{digits}%}", language) if value else "0"


def _label(name: str, bits: float, language: str) -> str:
    """A format and its bits a weight: "INT4 · 4.50 bit"."""
    return _local(f"{name} · {bits:.2f} {'Bit' if language == 'de' else 'bit'}", language)


def _local(text: str, language: str) -> str:
    """Number signs of the language in a text without other dots and commas."""
    return text.translate(str.maketrans(",.", ".,")).replace("%", "\u202f%") if language == "de" else text


def seventy_data(names: dict[str, str]) -> pd.DataFrame:
    """What 70 billion weights take: format, bits a weight, GB for 70.0 billion, GB for Llama 3 70B. `names` of REAL_FORMATS."""
    llama = costs.models()["Llama-3-70B"]
    rows = [(names[f], costs.BITS[f], costs.weight_bytes(70e9, f) / 1e9, costs.weight_bytes(llama, f) / 1e9) for f in REAL_FORMATS]
    return pd.DataFrame(rows, columns=["format", "bits", "nominal", "llama"]).round(2)
