"""Lab: weights in fewer bits. Where they end up, what they take, and what the running model then says."""

import pandas as pd
import streamlit as st

from core.charts import quantization as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.costs import gpus, models
from core.decoding import distribution
from core.measure.weight_drift import agreement, next_token_kl
from core.quantization import FORMATS, GRANULARITIES, matrix, quantize
from core.quantization.formats import encode_float
from core.quantization.histogram import level_histogram
from core.quantization.sizes import count, matrix_shapes, stored_size
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.quantized import Stored, compared_strips, price, scores, small_model, written
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
    before, after = price_of(stored, small, prompt)
    sizes("bytes", stored, lm.config, "MB")
    sizes("seventy", stored, models()["Llama-3-70B"], "GB", tuple((f"{gpus()[gpu].memory_gb:.0f} GB", gpus()[gpu].memory_gb) for gpu in GPUS))
    bits = small.bits_per_weight
    panels.takeaway(page, bits=bits, times=32 / bits, before=before, after=after)


def settings():
    name = controls.segmented(page, "format", list(FORMATS), "int4")
    if not FORMATS[name].scaled:
        return Stored(name)
    with st.container(horizontal=True, gap="large"):
        granularity = controls.segmented(page, "granularity", GRANULARITIES, "channel")
        group_size = controls.segmented(page, "group_size", [32, 64, 128], 32) if granularity == "group" else None
    return Stored.of(name, granularity, group_size)


def comb(stored):
    with panels.panel(page, "comb", "live"):
        with st.container(horizontal=True, gap="large"):
            part = controls.segmented(page, "part", charts.PARTS, "up")
            layer = controls.slider(page, "layer", 0, lm.config.n_layers - 1, min(4, lm.config.n_layers - 1))
        weight = matrix(lm, layer, part).weight
        small = quantize(weight, *stored.arguments)
        histogram = level_histogram(weight, small)
        data, error, levels = charts.histogram_data(histogram), small.error(weight).relative, len(histogram.levels)
        words = {"axis": t.plain(f"comb.axis_{stored.granularity or 'tensor'}"), "level": t.plain("comb.level"), "share": t.plain("comb.share")}
        alt = t.plain("comb.alt", format=names[stored.format], levels=levels, used=histogram.used, error=error)
        draw(page, "comb", charts.levels_chart(levels, **words, language=page.language), data, alt)
        found = {"matrix_bits": small.bits_per_weight, "matrix_error": error}
        if levels:
            found |= {"used": t.plain("used.value", used=histogram.used, levels=levels), "zeros": histogram.zeros}
        else:
            st.caption(t("comb.dense", n=2 ** FORMATS[stored.format].bits))
        panels.metrics(page, found, {"matrix_bits": ".2f", "matrix_error": ".2%", "zeros": ".1%"})
        panels.download(page, "comb", lambda: data)


def by_layer(report):
    def picked(row):
        for control in ("layer", "part"):
            controls.set_value(page, control, row[control])

    with panels.panel(page, "layers", "live"):
        data = charts.error_data(report, (state[page.key("layer")], state[page.key("part")]), page.language)
        words = {word: t.plain(f"layers.{word}") for word in ("layer", "part", "error", "mb")}
        worst = data.loc[data["error"].idxmax()]
        alt = t.plain("layers.alt", worst=float(worst["error"]), layer=int(worst["layer"]), part=worst["part"], best=float(data["error"].min()))
        draw(page, "errors", charts.error_chart(lm.config.n_layers, **words, language=page.language), data, alt, on_pick=picked)
        st.caption(t("layers.embed", error=report[0].relative_error, share=report[0].bytes_before / sum(r.bytes_before for r in report)))
        panels.download(page, "layers", lambda: pd.DataFrame(report))


def says(prompt, small):
    with panels.panel(page, "says", "live"):
        logits = live.read(lm, prompt).logits, live.read(small.lm, prompt).logits
        before, after = (distribution(scored) for scored in logits)
        best = (before + after).topk(SHOWN).indices
        data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best], page.language)
        words = {word: t.plain(f"says.{word}") for word in ("before", "after", "token")}
        alt = t.plain("says.alt", token=lm.tokenizer.label(before.argmax()), before=float(before.max()), after=float(after[before.argmax()]))
        draw(page, "next", distribution_chart(SHOWN, **words, language=page.language), data, alt)
        texts = written(lm, prompt, WRITTEN), written(small.lm, prompt, WRITTEN)
        for word, column, strip in zip(("before", "after"), st.columns(2, gap="large"), compared_strips(page, *texts)):
            with column:
                st.markdown(f"**{t(f'says.{word}')}**")
                token_strip(page, f"written_{word}", strip, t.plain(f"says.{word}"))
        same = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), min(map(len, texts)))
        panels.metrics(page, {"kl": next_token_kl(*logits), "same": t.plain("same.value", n=same, all=len(texts[0]))}, {"kl": ".4f"})
        panels.download(page, "next", lambda: data)


def price_of(stored, small, prompt):
    with panels.panel(page, "price", "live"):
        own = controls.segmented(page, "measured", ["shipped", "own"], "shipped") == "own"
        ids = prompt if own else heldout
        before, after = scores(lm, ids), scores(small.lm, ids)
        values = {"ppl_before": before.perplexity, "ppl_after": after.perplexity, "agreement": agreement(before, after), "tokens": len(ids)}
        panels.metrics(page, values, {"ppl_before": ",.2f", "ppl_after": ",.2f", "agreement": ".1%"})
        if not own:
            st.caption(t("heldout.source"))
        if controls.toggle(page, "compare"):
            compare(stored, ids)
    return before.perplexity, after.perplexity


def compare(stored, ids):
    """All formats, drawn one by one as they are measured; any click in between stops it."""
    words = {word: t.plain(f"price.{word}") for word in ("perplexity", "change")}
    place, rows = st.empty(), []
    for name in FORMATS:
        rows.append((name, names[name], *price(lm, Stored.of(name, *stored.arguments[1:]), ids)))
        data = charts.price_data(rows, stored.format, page.language)
        alt = t.plain("price.alt", worst=float(data["change"].max()), format=names[data["format"][data["change"].idxmax()]])
        with place:
            draw(page, f"price_{name}", charts.price_chart(len(FORMATS), **words, language=page.language), data, alt)
    panels.download(page, "price", lambda: data)


def sizes(panel, stored, config, unit, ceilings=()):
    with panels.panel(page, panel, "arithmetic"):
        shapes = matrix_shapes(config)
        stored_sizes = {name: stored_size(shapes, name, *stored.arguments[1:]) for name in FORMATS}
        data = charts.bytes_data(stored_sizes, names, count(shapes), stored.format, unit, page.language)
        total, first = float(data["total"][data["chosen"]].iloc[0]), float(data["total"].iloc[0])
        spec = charts.bytes_chart(len(FORMATS), unit, t.plain("bytes.codes"), t.plain("bytes.scales"), ceilings, page.language)
        draw(page, panel, spec, data, t.plain("bytes.alt", format=names[stored.format], total=total, first=first, unit=unit))
        panels.download(page, panel, lambda: data)


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
