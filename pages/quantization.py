"""Lab: weights in fewer bits. Where they end up, what they take, and what the running model then says."""

import streamlit as st

from core.charts import quantization as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.costs import gpus, models
from core.decoding import distribution
from core.measure import kl
from core.measure.weight_drift import agreement, shared_start
from core.quantization import FORMATS, GRANULARITIES, matrix, quantize
from core.quantization.formats import encode_float
from core.quantization.histogram import level_histogram
from core.quantization.sizes import count, matrix_shapes, stored_size
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.quantized import Stored, compared_strips, perplexity_of, scores, small_model, written
from core.ui.token_strip import token_strip

WRITTEN, SHOWN = 32, 8  # tokens each model writes; next tokens in the chart
GPUS = ("RTX 4090", "H100 SXM", "H200 SXM")
PRESETS = {
    "default": {"format": "int4", "granularity": "channel", "group_size": 32},
    "eight": {"format": "int8"},
    "coarse": {"granularity": "tensor"},
    "groups": {"granularity": "group"},
    "bell": {"format": "nf4", "granularity": "group", "group_size": 64},
    "range": {"format": "fp8_e5m2"},
}

page = require("quantization")
t, lm, state = page.t, page.lm, st.session_state
names = {name: t.plain(f"format.options.{name}") for name in FORMATS}
heldout = lm.tokenizer.encode(t.plain("heldout.text").strip())


@fragment
def guess():
    def answer():
        before, after = scores(lm, heldout), scores(small_model(lm, Stored("int4", "group", 32)).lm, heldout)
        worse = after.perplexity / before.perplexity - 1
        right = "hardly" if worse < 0.15 else "worse" if worse < 1 else "ruined"
        return right, {"before": before.perplexity, "after": after.perplexity, "same": agreement(before, after)}

    panels.predict(page, ("hardly", "worse", "ruined"), answer)


@fragment
def experiment(prompt):
    stored = settings()
    comb(stored)
    with st.spinner(t("working"), show_time=True):
        small = small_model(lm, stored)
    by_layer(small.report)
    says(prompt, small)
    before, after, compared = price_of(stored, small, prompt)
    sizes("bytes", stored, lm.config, "MB")
    sizes("seventy", stored, models()["Llama-3-70B"], "GB", [gpus()[name].memory_gb for name in GPUS])
    bits = small.bits_per_weight
    panels.takeaway(page, bits=bits, times=32 / bits, before=before.perplexity, after=after.perplexity)
    if compared:  # last, because it takes seconds
        compare(*compared, stored)


def settings():
    name = controls.segmented(page, "format", list(FORMATS), "int4")
    if not FORMATS[name].scaled:
        return Stored(name)
    with st.container(horizontal=True, gap="large"):
        granularity = controls.segmented(page, "granularity", GRANULARITIES, "channel")
        group_size = controls.segmented(page, "group_size", [32, 64, 128], 32) if granularity == "group" else None
    return Stored.of(name, granularity, group_size)


def show(name, spec, data, alt, on_pick=None):
    draw(page, name, spec, data, alt, on_pick)
    panels.download(page, name, lambda: data)


def words(group, *keys):
    return {key: t.plain(f"{group}.{key}") for key in keys} | {"language": page.language}


def comb(stored):
    with panels.panel(page, "comb", "live"):
        left, right = st.columns(2, gap="large")
        with left:
            part = controls.segmented(page, "part", charts.PARTS, "up")
        with right:
            layer = controls.slider(page, "layer", 0, lm.config.n_layers - 1, min(4, lm.config.n_layers - 1))
        weight = matrix(lm, layer, part).weight
        small = quantize(weight, *stored.arguments)
        histogram = level_histogram(weight, small)
        data, error, levels = charts.histogram_data(histogram), small.error(weight).relative, len(histogram.levels)
        axis = t.plain(f"comb.axis_{stored.granularity or 'tensor'}")
        alt = t.plain("comb.alt", format=names[stored.format], levels=levels, used=histogram.used, error=error)
        show("comb", charts.levels_chart(levels, axis, **words("comb", "level", "share")), data, alt)
        found = {"matrix_bits": small.bits_per_weight, "matrix_error": error}
        if levels:
            found |= {"used": t.plain("used.value", used=histogram.used, levels=levels), "zeros": histogram.zeros}
        else:
            st.caption(t("comb.dense", n=2 ** FORMATS[stored.format].bits))
        panels.metrics(page, found, {"matrix_bits": ".2f", "matrix_error": ".2%", "zeros": ".1%"})


def by_layer(report):
    def picked(row):
        for control in ("layer", "part"):
            controls.set_value(page, control, row[control])

    with panels.panel(page, "layers", "live"):
        data = charts.error_data(report, (state[page.key("layer")], state[page.key("part")]), page.language)
        worst = data.loc[data["error"].idxmax()]
        alt = t.plain("layers.alt", worst=worst["error"], layer=worst["layer"], part=worst["part"], best=data["error"].min())
        show("errors", charts.error_chart(lm.config.n_layers, **words("layers", "layer", "part", "error", "mb")), data, alt, picked)
        share = report[0].bytes_before / sum(row.bytes_before for row in report)
        st.caption(t("layers.embed", error=report[0].relative_error, share=share))


def says(prompt, small):
    with panels.panel(page, "says", "live"):
        logits = live.read(lm, prompt).logits, live.read(small.lm, prompt).logits
        before, after = (distribution(scored) for scored in logits)
        best, first = (before + after).topk(SHOWN).indices, before.argmax()
        data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best])
        alt = t.plain("says.alt", token=lm.tokenizer.label(first), before=float(before[first]), after=float(after[first]))
        show("next", distribution_chart(SHOWN, **words("says", "before", "after", "token")), data, alt)
        texts = written(lm, prompt, WRITTEN), written(small.lm, prompt, WRITTEN)
        for word, column, strip in zip(("before", "after"), st.columns(2, gap="large"), compared_strips(page, *texts)):
            with column:
                st.markdown(f"**{t(f'says.{word}')}**")
                token_strip(page, f"written_{word}", strip, t.plain(f"says.{word}"))
        same = t.plain("same.value", n=shared_start(*texts), all=len(texts[0]))
        panels.metrics(page, {"kl": float(kl(*logits)), "same": same}, {"kl": ".4f"})


def price_of(stored, small, prompt):
    with panels.panel(page, "price", "live"):
        own = controls.segmented(page, "measured", ["shipped", "own"], "shipped") == "own"
        ids = prompt if own else heldout
        before, after = scores(lm, ids), scores(small.lm, ids)
        values = {"ppl_before": before.perplexity, "ppl_after": after.perplexity, "agreement": agreement(before, after), "tokens": len(ids)}
        panels.metrics(page, values, {"ppl_before": ",.2f", "ppl_after": ",.2f", "agreement": ".1%"})
        if not own:
            st.caption(t("heldout.source"))
        compared = controls.toggle(page, "compare") and (st.empty(), st.empty(), ids)
    return before, after, compared


def compare(place, below, ids, stored):
    """All formats, drawn one by one as they are measured; any click in between stops it."""
    ways = {name: Stored.of(name, *stored.arguments[1:]) for name in FORMATS}
    shapes, measured = matrix_shapes(lm.config), {}
    bits = {name: stored_size(shapes, *way.arguments).total * 8 / count(shapes) for name, way in ways.items()}
    for name, way in ways.items():
        measured[name] = perplexity_of(lm, way, ids)
        data = charts.price_data(names, bits, measured, stored.format, page.language)
        worst = data.loc[data["change"].idxmax()]
        with place:
            spec = charts.price_chart(len(FORMATS), **words("price", "perplexity", "change"))
            draw(page, f"price_{name}", spec, data, t.plain("price.alt", worst=worst["change"], format=worst["name"]))
    with below:
        panels.download(page, "price", lambda: data)


def sizes(panel, stored, config, unit, ceilings=()):
    with panels.panel(page, panel, "arithmetic"):
        shapes = matrix_shapes(config)
        held = {name: stored_size(shapes, name, *stored.arguments[1:]) for name in FORMATS}
        data = charts.bytes_data(held, names, count(shapes), stored.format, unit, page.language)
        chosen = data["total"][data["chosen"]].iloc[0]
        alt = t.plain("bytes.alt", format=names[stored.format], total=chosen, first=data["total"].iloc[0], unit=unit)
        show(panel, charts.bytes_chart(len(FORMATS), unit, tuple(ceilings), **words("bytes", "codes", "scales")), data, alt)


above = st.container()
controls.presets(page, PRESETS)
prompt = controls.prompt(page, max_tokens=400, min_tokens=2)
with above:
    guess()
experiment(prompt)
panels.myth_fact(page)
panels.myth_fact(page, "training")
panels.source(page, quantize, encode_float, stored_size)
panels.sources(page)
