"""Charts of the perplexity page: surprise along a text, its sum, and why the mean comes before the exp."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_order, in_role, role_color, spec
from core.charts.tokens import axis_labels

MOST_LABELS = 36  # tokens that still get their name under the bar


def surprisal_data(labels: Sequence[str], bits: np.ndarray, chosen: int | None, upto: float) -> pd.DataFrame:
    """One row a token from its surprisal (n,) in bits: running mean and 2^mean up to it; `chosen` is a place from 0.

    upto: percent of the text that the server knows to be read.
    """
    bits = np.asarray(bits, np.float64)
    position = np.arange(1, len(bits) + 1)
    mean = bits.cumsum() / position
    columns = {
        "position": position, "token": list(labels), "label": axis_labels(labels, longest=12), "bits": bits, "share": np.exp2(-bits),
        "mean": mean, "perplexity": np.exp2(mean), "chosen": position - 1 == (-1 if chosen is None else chosen), "upto": upto,
    }  # fmt: skip
    return pd.DataFrame(columns)


@spec
def surprisal_chart(role: str, named: bool, most: int, language: str = "en", follow: str = "", **words: str):
    """Bars of `surprisal_data`, 0 to `most` bits, and the mean of what is read as a dashed line.

    How much is read (percent) follows the slider on the page that the CSS selector `follow` names. With `named`
    the tokens stand under their bars. A click selects `position` in `pick`. `words`: position, token, bits, share,
    so_far, choices.
    """
    pick = alt.selection_point(name="pick", fields=["position"], on="click", empty=False, toggle=False)
    axis = alt.Axis(title=None, labelAngle=-50, labelLimit=90, labelFontSize=12, labelOverlap=False)
    numbered = alt.X("position:O", title=words["position"], axis=alt.Axis(labelOverlap=True, labelAngle=0))
    x = alt.X("label:N", sort=in_order("position"), axis=axis) if named else numbered
    scale = alt.Scale(domain=[0, most], nice=False)
    y = alt.Y("bits:Q", title=words["bits"], scale=scale, axis=alt.Axis(tickCount=4, gridOpacity=0.5))
    percent = "(isValid(toNumber(slider)) ? toNumber(slider) : datum.upto)"
    base = alt.Chart().transform_joinaggregate(n="max(position)").transform_calculate(last=f"max(1, ceil(datum.n * {percent} / 100))")
    tooltip = [
        alt.Tooltip("token:N", title=words["token"]),
        alt.Tooltip("bits:Q", title=words["bits"], format=".1f"),
        alt.Tooltip("share:Q", title=words["share"], format=".3~%"),
    ]
    bars = in_role(base, role).mark_bar(cornerRadiusEnd=2, cursor="pointer").encode(
        x=x, y=y, tooltip=tooltip,
        opacity=alt.condition("datum.position <= datum.last", alt.value(1), alt.value(0.2)),
        stroke=alt.condition("datum.chosen", alt.value("currentColor"), alt.value("transparent")),
        strokeWidth=alt.value(2),
    )  # fmt: skip
    here = base.transform_filter("datum.position == datum.last")
    rule = here.mark_rule(strokeWidth=2, strokeDash=[6, 4], stroke="currentColor").encode(y=alt.Y("mean:Q"))
    number = "format(datum.perplexity, datum.perplexity < 9.95 ? '.1f' : ',.0f')"
    written = f"'{words['so_far']} ' + format(datum.mean, '.1f') + ' {words['bits']} = ' + {number} + ' {words['choices']}'"
    text = here.transform_calculate(written=written).mark_text(align="right", baseline="bottom", fontSize=14, fill="currentColor")
    text = text.encode(x=alt.value("width"), y=alt.value(-6), text="written:N")
    column = base.mark_bar(opacity=0, cursor="pointer").encode(x=x, y=alt.datum(0), y2=alt.datum(most), tooltip=tooltip).add_params(pick)
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    chart = alt.layer(bars, rule, text, column).add_params(alt.param(name="slider", value=None, **bind))
    return finish(chart, language, height=210 if named else 180)


def sum_data(texts: Sequence[tuple[str, str, Sequence[str], Sequence[int], np.ndarray]]) -> pd.DataFrame:
    """Bits so far against bytes so far, from (role, model, labels, bytes (n,), bits (n,)) of each reading; starts at 0, 0."""
    parts = []
    for role, model, labels, n_bytes, bits in texts:
        columns = {"bytes": np.cumsum([0, *n_bytes]), "bits": np.cumsum([0.0, *bits]), "token": ["", *labels]}
        parts.append(pd.DataFrame(columns).assign(role=role, model=model))
    return pd.concat(parts, ignore_index=True)


@spec
def sum_chart(first: str, language: str = "en", **words: str):
    """Bits against bytes (`sum_data`): the slope is bits a byte. Models other than `first` are dashed.

    `words`: bytes, bits, token, model, a, b.
    """
    chart = alt.Chart().mark_line(interpolate="step-after").encode(
        x=alt.X("bytes:Q", title=words["bytes"], scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickMinStep=1)),
        y=alt.Y("bits:Q", title=words["bits"], axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
        color=role_color(labels={"computed": words["a"], "reused": words["b"]}),
        strokeWidth=alt.condition(alt.datum.role == "computed", alt.value(6), alt.value(2.5)),  # seen behind the other
        strokeDash=alt.condition(alt.datum.model == first, alt.value([1, 0]), alt.value([5, 4])),
        detail=alt.Detail("model:N"),
        tooltip=[
            alt.Tooltip("token:N", title=words["token"]),
            alt.Tooltip("model:N", title=words["model"]),
            alt.Tooltip("bytes:Q", title=words["bytes"], format=","),
            alt.Tooltip("bits:Q", title=words["bits"], format=",.1f"),
        ],
    )  # fmt: skip
    return finish(chart, language, height=260)


def jensen_data(labels: Sequence[str], bits: np.ndarray, right: float, wrong: float, words: dict[str, str]) -> pd.DataFrame:
    """One row a token, bits and choices = 2^bits, and two rows for the means; `words` (right, wrong) stand beside these."""
    bits = np.asarray(bits, np.float64)
    tokens = pd.DataFrame({"kind": "token", "token": list(labels), "bits": bits, "choices": np.exp2(bits), "word": ""})
    kinds = list(words)
    beside = [words[kind] for kind in kinds]
    means = pd.DataFrame({"kind": kinds, "token": "", "bits": bits.mean(), "choices": [right, wrong], "word": beside})
    return pd.concat([tokens, means], ignore_index=True)


@spec
def jensen_chart(most: int, language: str = "en", **words: str):
    """Tokens of `jensen_data` on the line choices = 2^bits, and how far off it the wrong mean lies. `words`: bits, choices, token."""
    scale = alt.Scale(domain=[0, most], nice=False)
    x = alt.X("bits:Q", title=words["bits"], scale=scale, axis=alt.Axis(tickCount=6, gridOpacity=0.4))
    axis = alt.Axis(format=",d", gridOpacity=0.4, values=[16**i for i in range(most // 4 + 1)])
    scale = alt.Scale(type="log", base=2, domain=[1, 2**most], nice=False)
    base = alt.Chart().encode(x=x, y=alt.Y("choices:Q", title=words["choices"], scale=scale, axis=axis))
    tooltip = [
        alt.Tooltip("token:N", title=words["token"]),
        alt.Tooltip("bits:Q", title=words["bits"], format=".1f"),
        alt.Tooltip("choices:Q", title=words["choices"], format=",.1f"),
    ]
    dots = in_role(base.transform_filter("datum.kind == 'token'"), "computed")
    dots = dots.mark_point(filled=True, size=70, opacity=0.45).encode(tooltip=tooltip)
    both = base.transform_filter("datum.kind != 'token'")
    gap = both.mark_line(strokeWidth=2, strokeDash=[4, 4], stroke="currentColor")
    marks = []
    for kind, shape, dx, dy in (("right", "circle", 16, 9), ("wrong", "cross", -8, -17)):  # one below the line of dots, one above
        one = both.transform_filter(f"datum.kind == '{kind}'")
        marks.append(one.mark_point(filled=True, size=170, opacity=1, fill="currentColor", stroke="currentColor", shape=shape))
        for half, place in (("<", {"align": "left", "dx": dx, "dy": dy}), (">=", {"align": "right", "dx": -14})):
            text = one.transform_filter(f"datum.bits {half} {most / 2}")
            text = text.mark_text(fontSize=14, fontWeight=600, fill="currentColor", **place)
            marks.append(text.encode(text="word:N"))
    return finish(alt.layer(dots, gap, *marks), language, height=280)
