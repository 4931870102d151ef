"""Charts of the quantization lab: the comb of levels, error by layer, bytes, and what fewer bits cost."""

import altair as alt
import pandas as pd

from core.charts.theme import finish, in_role, role_color
from core.quantization.histogram import LevelHistogram
from core.quantization.model import MatrixReport
from core.quantization.sizes import Size

PARTS = ("q", "k", "v", "o", "gate", "up", "down")
WORST = 0.5  # relative error at the end of the colour scale


def histogram_data(histogram: LevelHistogram) -> pd.DataFrame:
    """One row a bin and a level: kind ("weights", "level"), position in -1..1, density, share."""
    width = histogram.centers[1] - histogram.centers[0]
    bins = pd.DataFrame({"kind": "weights", "position": histogram.centers, "density": histogram.density, "share": histogram.density * width})
    levels = pd.DataFrame({"kind": "level", "position": histogram.levels, "density": histogram.level_density, "share": histogram.share})
    return pd.concat([bins, levels], ignore_index=True)


def levels_chart(data: pd.DataFrame, words: dict[str, str], language: str = "en"):
    """The weights' bell curve with the format's levels as a comb, on a fixed axis from -1 to 1.

    Grey area: where the weights are. Orange teeth: the levels, as high as weights were rounded to them.
    The short teeth below the axis are all levels, used or not. `words`: axis, level, share.
    """
    bins, levels = data[data["kind"] == "weights"], data[data["kind"] == "level"]
    # The outermost bins hold the largest weight of every block; they may stick out of the picture.
    peak = 1.08 * float(max(bins["density"].iloc[1:-1].max(), levels["density"].max() if len(levels) else 0.0))
    x = alt.X("position:Q", title=words["axis"], axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1], grid=False),
              scale=alt.Scale(domain=[-1.03, 1.03], nice=False))  # fmt: skip
    height = alt.Y("density:Q", axis=None, scale=alt.Scale(domain=[-0.1 * peak, peak], nice=False, zero=False))
    bell = in_role(alt.Chart(bins), "dropped").mark_area(interpolate="monotone", opacity=0.55, clip=True).encode(x=x, y=height)
    if not len(levels):  # 65,536 levels and more: closer together than the pixels, so a band
        band = pd.DataFrame({"position": [-1.0], "end": [1.0], "density": [-0.02 * peak], "low": [-0.09 * peak]})
        solid = in_role(alt.Chart(band), "computed").mark_rect().encode(x=x, x2="end:Q", y=height, y2="low:Q")
        return finish(bell + solid, language, height=300)
    few = len(levels) <= 16
    width = 3 if few else 1
    tooltip = [alt.Tooltip("position:Q", title=words["level"], format=".4f"), alt.Tooltip("share:Q", title=words["share"], format=".2%")]
    comb = in_role(alt.Chart(levels.assign(zero=0.0)), "computed").encode(x=x, y=height, tooltip=tooltip)
    teeth = comb.mark_rule(strokeWidth=width, clip=True).encode(y2="zero:Q")
    below = levels.assign(density=-0.03 * peak, low=-0.09 * peak)
    all_levels = in_role(alt.Chart(below), "computed").mark_rule(strokeWidth=width).encode(x=x, y=height, y2="low:Q", tooltip=tooltip)
    heads = [comb.mark_point(filled=True, size=80, opacity=1, clip=True)] if few else []
    return finish(alt.layer(bell, all_levels, teeth, *heads), language, height=300)


def error_chart(data: pd.DataFrame, chosen: tuple[int, str] | None, words: dict[str, str], language: str = "en"):
    """Relative error of every matrix, layers down, parts across; columns layer, part, error, mb.

    One colour scale for all formats (0 to 50 %). A click selects layer and part in the selection `pick`;
    the `chosen` matrix is framed. `words`: layer, part, error, mb.
    """
    data = data.assign(shown=[percent(e, language) for e in data["error"]])
    pick = alt.selection_point(name="pick", fields=["layer", "part"], on="click", empty=False)
    base = alt.Chart(data).encode(
        x=alt.X("part:N", sort=list(PARTS), title=None, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("layer:O", title=words["layer"], axis=alt.Axis(titleAngle=-90)),
        tooltip=[alt.Tooltip("layer:O", title=words["layer"]), alt.Tooltip("part:N", title=words["part"]),
                 alt.Tooltip("error:Q", title=words["error"], format=".3%"), alt.Tooltip("mb:Q", title=words["mb"], format=".3f")],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=3, cursor="pointer").encode(
        color=alt.Color("error:Q", legend=None, scale=alt.Scale(domain=[0, WORST], clamp=True))
    ).add_params(pick)  # fmt: skip
    text = base.mark_text(fontSize=12, fill="currentColor").encode(text="shown:N")
    layers = cells + text
    if chosen:
        framed = data[(data["layer"] == chosen[0]) & (data["part"] == chosen[1])]
        frame = alt.Chart(framed).mark_rect(filled=False, stroke="currentColor", strokeWidth=2.5, cornerRadius=3).encode(
            x=alt.X("part:N", sort=list(PARTS)), y="layer:O")  # fmt: skip
        layers = layers + frame
    return finish(layers, language, height=27 * data["layer"].nunique() + 40)


def bytes_chart(data: pd.DataFrame, chosen: str, words: dict[str, str], ceilings: dict[str, float] | None = None, language: str = "en"):
    """Stacked bars of `bytes_data`: stored numbers and their scales for every format; `chosen` stands out.

    `ceilings` (name -> size in the table's unit) draws dashed lines, such as a device's memory.
    `words`: codes, scales, axis.
    """
    roles = {"codes": "computed", "scales": "scales"}
    data = data.assign(shown=[_local(f"{total:.1f} {words['axis']}", language) for total in data["total"]])
    long = data.melt(id_vars=["format", "label"], value_vars=list(roles), var_name="kind", value_name="size")
    long["role"], long["words"] = long["kind"].map(roles), long["kind"].map(words)
    scale = alt.Scale(domain=[0, 1.2 * float(data["total"].max())], nice=False)
    x = alt.X("size:Q", stack="zero", title=words["axis"], scale=scale, axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    y = alt.Y("label:N", sort=list(data["label"]), title=None, axis=alt.Axis(labelFontSize=13, labelLimit=180))
    tooltip = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("words:N", title=" "),
        alt.Tooltip("size:Q", title=words["axis"], format=",.3f"),
    ]
    bars = alt.Chart(long).mark_bar(size=17).encode(
        x=x, y=y, color=role_color(labels={role: words[kind] for kind, role in roles.items()}, extra=("scales",)),
        order=alt.Order("kind:N"), opacity=_strong(chosen, 0.38), tooltip=tooltip)  # fmt: skip
    text = alt.Chart(data).mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(
        x=alt.X("total:Q", scale=scale), y=y, text="shown:N", opacity=_strong(chosen, 0.75))  # fmt: skip
    if not ceilings:
        return finish(bars + text, language, height=27 * len(data) + 70)
    lines = alt.Chart(pd.DataFrame({"name": list(ceilings), "total": list(ceilings.values())})).encode(x=alt.X("total:Q", scale=scale))
    rules = lines.mark_rule(strokeDash=[4, 4], strokeWidth=1.5, stroke="currentColor", opacity=0.35)
    names = lines.mark_text(baseline="bottom", fontSize=11, fill="currentColor", opacity=0.8).encode(y=alt.value(-3), text="name:N")
    return finish(rules + bars + text + names, language, height=27 * len(data) + 70)


def _strong(chosen: str, others: float):
    """Opacity: full for the chosen format."""
    return alt.condition(alt.datum["format"] == chosen, alt.value(1.0), alt.value(others))


def price_data(rows: list[tuple[str, str, float, float]], language: str = "en") -> pd.DataFrame:
    """Rows of (format, name, bits a weight, perplexity), FP32 first, with labels and the change against FP32."""
    data = pd.DataFrame(rows, columns=["format", "name", "bits", "perplexity"])
    data["change"] = data["perplexity"] / data["perplexity"].iloc[0] - 1
    data["label"] = _labels(data["name"], data["bits"], language)
    return data


def price_chart(data: pd.DataFrame, chosen: str, words: dict[str, str], language: str = "en"):
    """Perplexity of every format as bars of `price_data`, labelled with the change against FP32 (dashed line).

    The axis ends at three times FP32's perplexity; what is worse is cut off and keeps its label.
    `words`: perplexity, change.
    """
    reference = float(data["perplexity"].iloc[0])
    end = reference * min(3.0, max(1.5, 1.1 + float(data["change"].max())))
    numbers = [f"{value:,.2f}  ({change:+.1%})" if change else f"{value:,.2f}" for value, change in zip(data["perplexity"], data["change"])]
    data = data.assign(shown=[_local(number, language) for number in numbers], end=data["perplexity"].clip(upper=end))
    scale = alt.Scale(domain=[0, 1.45 * end], nice=False)
    x = alt.X("end:Q", title=words["perplexity"], scale=scale, axis=alt.Axis(tickCount=5, gridOpacity=0.5))
    y = alt.Y("label:N", sort=list(data["label"]), title=None, axis=alt.Axis(labelFontSize=13, labelLimit=180))
    tooltip = [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("perplexity:Q", title=words["perplexity"], format=",.3f"),
        alt.Tooltip("change:Q", title=words["change"], format="+.2%"),
    ]
    base = alt.Chart(data).encode(x=x, y=y, tooltip=tooltip)
    bars = in_role(base, "computed").mark_bar(size=17).encode(opacity=_strong(chosen, 0.38))
    text = base.mark_text(align="left", dx=6, fontSize=13, fill="currentColor").encode(text="shown:N", opacity=_strong(chosen, 0.75))
    line = alt.Chart(pd.DataFrame({"end": [reference]})).mark_rule(strokeDash=[5, 4], stroke="currentColor", opacity=0.5).encode(x=x)
    return finish(bars + line + text, language, height=27 * 8 + 60)


def bytes_data(sizes: dict[str, Size], names: dict[str, str], weights: int, unit: str = "MB", language: str = "en") -> pd.DataFrame:
    """One row a format: `unit`s of codes and scales, their total, bits a weight, and a label; `names` shows the formats."""
    divisor = {"MB": 1e6, "GB": 1e9}[unit]
    rows = [(format, names[format], size.codes / divisor, size.scales / divisor, size.total / divisor) for format, size in sizes.items()]
    data = pd.DataFrame(rows, columns=["format", "name", "codes", "scales", "total"])
    data["bits"] = data["total"] * divisor * 8 / weights
    data["label"] = _labels(data["name"], data["bits"], language)
    return data


def error_data(report: list[MatrixReport]) -> pd.DataFrame:
    """Rows of a report for `error_chart`: the matrices inside the blocks."""
    rows = [(r.layer, r.part, r.relative_error, r.bytes_before / 1e6, r.bytes_after / 1e6) for r in report if r.layer is not None]
    return pd.DataFrame(rows, columns=["layer", "part", "error", "mb_before", "mb"])


def percent(value: float, language: str) -> str:
    """A share with two significant digits where it is small: 0.00017 -> "0.017%"."""
    if value == 0:
        return "0"
    digits = 0 if value >= 0.0995 else 1 if value >= 0.00995 else 2
    return _local(f"{value:.{digits}%}", language)


def _labels(names, bits, language: str) -> list[str]:
    """A format and its bits a weight: "INT4 · 4.50 bit"."""
    unit = "Bit" if language == "de" else "bit"
    return [_local(f"{name} · {number:.2f} {unit}", language) for name, number in zip(names, bits)]


def _local(text: str, language: str) -> str:
    """Number signs of the language in a text without other dots and commas."""
    return text.translate(str.maketrans(",.", ".,")).replace("%", "\u202f%") if language == "de" else text


__all__ = ["PARTS", "bytes_chart", "bytes_data", "error_chart", "error_data", "histogram_data", "levels_chart", "percent", "price_chart", "price_data"]
