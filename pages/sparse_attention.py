"""Page: attention that looks at a few tokens only. What the model loses by that, and what it saves."""

import streamlit as st

from core import costs
from core.charts import sparse_attention as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.charts.flash_attention import bars_chart, bars_data
from core.costs.attention_pairs import CLAIMED, index_against_full, indexer_leads, layer_share, pairs, work_by_length
from core.models.indexer import Indexer, find_directions, index_products, index_scores
from core.models.sparse_attention import PATTERNS, local_global_mask, sparse_logits, top_k_mask, window_mask
from core.ui import controls, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.live_slider import live_slider, selector
from core.ui.sparse import drawn_mask, indexes, recorded_losses, slopes, sparse, sweep
from core.ui.token_strip import Token, token_strip

MEASURES = {"loss": "~g", "kl": "~g", "agreement": ".0%", "share": ".0%"}  # and how each is written
MODELS = ("Llama-3-70B", "Gemma-2-27B", "gpt-oss-120b", "Llama-4 Scout", "Gemma-3-27B", "Mistral-7B", "DeepSeek-V3.2")
LENGTHS = (10**3, 3 * 10**3, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6, 3 * 10**6, 12 * 10**6)
WINDOW = 4096  # of the line that is only for comparison

page = require("sparse_attention")
t, lm = page.t, page.lm
label, usual = lm.tokenizer.label, indexes(lm)[0]
PRESETS = {
    "default": {"pattern": "window", "width": 16.0, "index": usual, "layer": 9},
    "needle": {},
    "window": {"width": 32.0},
    "list": {"width": 20.0},
    "block": {"pattern": "block"},
    "holes": {"pattern": "dilated"},
}


@fragment
def guess(ids):
    def answer():
        found = {name: sparse(lm, ids, name, 16, usual).drift.numbers for name in ("window", "local_global", "top_k")}
        best = max(found, key=lambda name: (round(found[name]["share"], 2), -found[name]["kl"]))
        return best, {"n": len(ids), "full": found[best]["full_share"]} | {name: numbers["share"] for name, numbers in found.items()}

    panels.predict(page, ("window", "local_global", "top_k"), answer)


@fragment
def experiment(ids):
    n, index, layer = len(ids), usual, 1
    with panels.panel(page, "mask", "live"):
        pattern = controls.segmented(page, "pattern", PATTERNS, "window")
        width = int(live_slider(page, "width", 1, 64, 16, 1, every_step=True))
        with controls.place():
            if pattern == "top_k":
                index = controls.segmented(page, "index", indexes(lm), usual)
                layer = controls.slider(page, "layer", 1, lm.config.n_layers, min(9, lm.config.n_layers))
        mask = drawn_mask(lm, ids, pattern, width, index, layer - 1)
        counts = {"n": n, "width": width, "layer": layer, "pairs": int(mask.sum()), "all": pairs(n)}
        counts |= {"saved": 1 - counts["pairs"] / counts["all"], "pattern": t.plain(f"pattern.options.{pattern}")}
        picture, beside = st.columns([5, 4], gap="large")
        with picture:  # seen before the model has read
            data = charts.mask_data(mask, lm.tokenizer.labels(ids))
            spec = charts.mask_chart(n, page.language, **t.words("mask", "query", "count"))
            draw(page, "mask", spec, data, t.plain("mask.alt", **counts))
            seen_first()
        drift = sparse(lm, ids, pattern, width, index).drift
        counts |= {"answer": label(drift.answer), "says": label(drift.probs.argmax()), **drift.numbers}
        with beside:
            st.markdown(t(f"explained.{pattern}", **counts))
            st.markdown(t("mask.pairs", **counts))
            st.markdown(t("mask.lost", **counts))
            best = (drift.full_probs + drift.probs).topk(5).indices
            bars = distribution_data(best, lm.tokenizer.labels(best), drift.full_probs[best], drift.probs[best])
            spec = distribution_chart(6, **t.words("mask", "before", "after", "token"), language=page.language)
            draw(page, "answers", spec, bars, t.plain("mask.lost", **counts))
        strip = [Token(label(i), state="" if seen else "dropped") for i, seen in zip(ids, mask[-1].tolist())]
        token_strip(page, "last", strip, t.plain("mask.strip"))
        if pattern == "top_k":
            products, own = (index_products(kind, lm.config.n_heads, lm.config.head_dim) for kind in (index, "own"))
            st.markdown(t("mask.index", index=products, own=2 * own, share=products / (2 * own), all=counts["all"]))
            if index == "trained":
                with st.container(horizontal=True, vertical_alignment="center"):
                    panels.badge(page, "recorded")
                    st.caption(t("mask.recorded", **recorded_losses()), width="content")
        panels.download(page, "mask", lambda: data)
    panels.takeaway(page, "takeaway_all" if pattern == "full" else "takeaway", **counts)


@fragment
def compare(ids):
    with panels.panel(page, "sweep", "live"):
        measure = controls.segmented(page, "measure", list(MEASURES), "loss")
        place = st.empty()
        found = sweep(lm, ids, lambda share: place.progress(share, t("sweep.working", share=share)))
        place.empty()
        names = t.words("series", *charts.SERIES)
        data = charts.sweep_data(found, measure, names)
        form, titles = MEASURES[measure], {"width": t.plain("sweep.width"), "value": t.plain(f"measure.options.{measure}")}
        spec = charts.sweep_chart(tuple(names.values()), form, page.language, selector(page, "width"), **titles)
        n, all_seen = next(iter(found["full"].items()))
        values = {"width": min(8, n), "n": n} | {name: by.get(8, all_seen)["loss"] for name, by in found.items()}
        draw(page, "sweep", spec, data, t.plain("sweep.alt", **values))
        st.markdown(t("sweep.result", **values))
        panels.download(page, "sweep", lambda: data)


@fragment
def scale():
    with panels.panel(page, "scale", "arithmetic"):
        k = controls.segmented(page, "k", (512, 1024, 2048, 4096, 8192), 2048)
        spec, names, last = costs.models()["DeepSeek-V3.2"], t.words("work", *charts.WORK), LENGTHS[-1]
        work = work_by_length(spec, LENGTHS, k, WINDOW)
        values = {"k": k, "n": last, "pairs": pairs(last) / 1e9, "best": pairs(last, k) / 1e9}
        values |= index_against_full(spec, last, k) | {name: by[last] for name, by in work.items()}
        data, titles = charts.work_data(work, names), t.words("scale", "tokens", "products")
        draw(page, "scale", charts.work_chart(tuple(names.values()), page.language, **titles), data, t.plain("scale.alt", **values))
        st.markdown(t("scale.result", **values))
        panels.download(page, "scale", lambda: data)


def practice():
    with panels.panel(page, "practice", "arithmetic"):
        shares = {name: layer_share(costs.models()[name], 2**17) for name in MODELS}
        data = bars_data([(name, share, "computed", t.number(share, ".1%")) for name, share in shares.items()])
        spec = bars_chart(len(data), 1.0, True, page.language, value=t.plain("practice.value"))
        draw(page, "practice", spec, data, t.plain("practice.alt"))
        panels.download(page, "practice", lambda: data.drop(columns=["role", "written"]))


def claim():
    with panels.panel(page, "claim", "vendor"):
        data, grows = charts.claim_data(CLAIMED), slopes(CLAIMED)
        draw(page, "claim", charts.claim_chart(page.language, **t.words("claim", "tokens", "milliseconds")), data, t.plain("claim.alt"))
        st.markdown(t("claim.result", old=grows["FlashAttention-2"], new=grows["SSA"]))
        panels.download(page, "claim", lambda: data.drop(columns=["role"]))


lab(page, PRESETS, guess, experiment, compare, max_tokens=320, min_tokens=4)
scale()
practice()
claim()
for name in ("myth", "window_myth", "pairs_myth"):
    panels.myth_fact(page, name)
panels.source(page, sparse_logits, window_mask, local_global_mask, top_k_mask, Indexer, index_scores, find_directions, indexer_leads)
panels.sources(page)
