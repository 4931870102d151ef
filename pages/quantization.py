"""Lab: weights in fewer bits. Where they end up, what they take, and what the running model then says."""

import streamlit as st

from core.charts import quantization as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.costs import gpus, models
from core.decoding import distribution
from core.measure import kl
from core.measure.weight_drift import agreement
from core.quantization import FORMATS, matrix, quantize
from core.quantization.formats import encode_float
from core.quantization.histogram import level_histogram
from core.quantization.sizes import stored_size
from core.ui import controls, panels
from core.ui.charts import draw, is_new, seen_first
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.quantized import (
    Stored,
    error_by_layer,
    format_names,
    next_logits,
    price_chart,
    scores,
    size_chart,
    small_model,
    stored_controls,
    written_beside,
)  # fmt: skip

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
t, lm = page.t, page.lm
names = format_names(page)
heldout = lm.tokenizer.encode(t.plain("heldout.text").strip())


@fragment
def guess(_prompt):
    def answer():
        before, after = scores(lm, heldout), scores(small_model(lm, Stored("int4", "group", 32)), heldout)
        worse = after.perplexity / before.perplexity - 1
        right = "hardly" if worse < 0.15 else "worse" if worse < 1 else "ruined"
        return right, {"before": before.perplexity, "after": after.perplexity, "same": agreement(before, after)}

    panels.predict(page, ("hardly", "worse", "ruined"), answer)


@fragment
def experiment(prompt):
    stored = stored_controls(page)
    weights, text, new_text = st.container(), st.container(), is_new(page, "text", prompt)
    if new_text:
        says(text, prompt, small_model(lm, stored))
    with weights:
        comb(stored)
        with st.spinner(t("working"), show_time=True):
            small = small_model(lm, stored)
        error_by_layer(page, small.report)
    if not new_text:
        says(text, prompt, small)
    before, after, compared = price_of(stored, small, prompt)
    with panels.panel(page, "bytes", "arithmetic"):
        size_chart(page, "bytes", stored, lm.config, "MB")
    seventy(stored)
    name = "takeaway" if small.bits_per_weight < 32 else "takeaway_whole"
    losses = {"before": before.perplexity, "after": after.perplexity}
    panels.takeaway(page, name, bits=small.bits_per_weight, times=32 / small.bits_per_weight, **losses)
    if compared:  # last, because it takes seconds
        price_chart(page, *compared, stored)


def show(name, spec, data, alt):
    draw(page, name, spec, data, alt)
    panels.download(page, name, lambda: data)


def words(group, *keys):
    return t.words(group, *keys) | {"language": page.language}


def comb(stored):
    with panels.panel(page, "comb", "live"):
        with st.container(horizontal=True, gap="medium"):
            part = controls.segmented(page, "part", charts.PARTS, "up")
            layer = controls.slider(page, "layer", 0, lm.config.n_layers - 1, min(4, lm.config.n_layers - 1))
        weight = matrix(lm, layer, part).weight
        small = quantize(weight, *stored.arguments)
        histogram = level_histogram(weight, small)
        data, error, levels = charts.histogram_data(histogram), small.error(weight).relative, len(histogram.levels)
        axis = t.plain(f"comb.axis_{stored.granularity or 'tensor'}")
        alt = t.plain("comb.alt", format=names[stored.format], levels=levels, used=histogram.used, error=error)
        show("comb", charts.levels_chart(levels, axis, **words("comb", "level", "share")), data, alt)
        seen_first(page, stored, part, layer)
        found = {"matrix_bits": small.bits_per_weight, "matrix_error": error}
        if levels:
            found |= {"used": t.plain("used.value", used=histogram.used, levels=levels), "zeros": histogram.zeros}
        else:
            st.caption(t("comb.dense", n=2 ** FORMATS[stored.format].bits))
        panels.metrics(page, found, {"matrix_bits": ".2f", "matrix_error": ".2%", "zeros": ".1%"})


def says(place, prompt, small):
    with place, panels.panel(page, "says", "live"):
        logits = next_logits(lm, prompt), next_logits(small, prompt)
        before, after = (distribution(scored) for scored in logits)
        best, first = (before + after).topk(SHOWN).indices, before.argmax()
        data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best])
        alt = t.plain("says.alt", token=lm.tokenizer.label(first), before=float(before[first]), after=float(after[first]))
        show("next", distribution_chart(SHOWN, **words("says", "before", "after", "token")), data, alt)
        seen_first(page, prompt)
        same = written_beside(page, prompt, small, WRITTEN)
        panels.metrics(page, {"kl": float(kl(*logits)), "same": same}, {"kl": ".4f"})


def price_of(stored, small, prompt):
    with panels.panel(page, "price", "live"):
        own = controls.segmented(page, "measured", ["shipped", "own"], "shipped") == "own"
        ids = prompt if own else heldout
        before, after = scores(lm, ids), scores(small, ids)
        values = {"ppl_before": before.perplexity, "ppl_after": after.perplexity, "agreement": agreement(before, after), "tokens": len(ids)}
        panels.metrics(page, values, {"ppl_before": ",.2f", "ppl_after": ",.2f", "agreement": ".1%"})
        if not own:
            st.caption(t("heldout.source"))
        compared = controls.toggle(page, "compare") and (st.empty(), st.empty(), ids)
    return before, after, compared


def seventy(stored):
    with panels.panel(page, "seventy", "arithmetic"):
        size_chart(page, "seventy", stored, models()["Llama-3-70B"], "GB", tuple(gpus()[name].memory_gb for name in GPUS))
        panels.table(page, "real", charts.seventy_data(t.words("real.names", *charts.REAL_FORMATS)))


lab(page, PRESETS, guess, experiment, max_tokens=400, min_tokens=2)
panels.myth_fact(page)
panels.myth_fact(page, "training")
panels.source(page, quantize, encode_float, stored_size)
panels.sources(page)
