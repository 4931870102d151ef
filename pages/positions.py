"""Lab: how a model knows which word comes first. A query turned by its place, words shuffled, texts longer than trained."""

import streamlit as st

from core.charts import positions as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.measure.positions import Hands, order_effect, shuffled_words
from core.models.positions import alibi_slopes, rotate, sinusoidal_positions
from core.models.repositioned import SCALINGS, rope_scaled, without_positions
from core.ui import controls, heads, panels
from core.ui import positions as kept
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.head_controls import head_list
from core.ui.lab import lab
from core.ui.live_slider import live_slider, selector

SHOWN = 8  # next tokens in the chart
LONGEST, FURTHEST = 64, 1000  # distance in the chart, and position of the key
MOST, BIN = 2048, 64  # tokens of a long text, and of one point of its curve
SCHEMES = ("sinusoidal", "learned", "rope", "alibi")
START = {"head": "previous", "token": None, "shift": 300.0, "gap": 1.0, "rotation": "on", "factor": 2, "scheme": "rope"}
PRESETS = {"default": START, "previous": {}, "content": {"head": "induction"}, "capital": {}, "counting": {"rotation": "off"}}

page = require("positions")
t, lm = page.t, page.lm


@fragment
def guess(ids):
    def answer():
        effects = kept.order(lm, ids, 1).effects
        return "mask", {"first": effects["mask"][0], "last": effects["mask"][-1], "neither": effects["neither"][-1]}

    panels.predict(page, ("nothing", "mask", "all"), answer)


@fragment
def turning(ids):
    with panels.panel(page, "turn", "live"):
        if lm.config.learned_positions:
            return st.markdown(t("turn.learned", n=lm.config.context_length))
        pair = kept.opened_pair(page, ids)
        left, right = st.columns(2, gap="medium")
        with left:
            shift = int(live_slider(page, "shift", 0, FURTHEST, START["shift"], 1))
            gap = int(live_slider(page, "gap", 0, LONGEST, START["gap"], 1))
            curve = charts.distance_data(pair.scores(LONGEST), gap, pair.query - pair.key)
            says = kept.pair_numbers(page, pair, ids, shift, gap) | charts.highest(curve)
            follow = {name: selector(page, name) for name in ("shift", "gap")}
            spec = charts.hands_chart(**t.words("turn", "score", "turns", "query", "key"), **follow, language=page.language)
            draw(page, "hands", spec, charts.hands_data(pair.hands, shift, gap), t.plain("turn.alt", **says))
        with right:
            spec = charts.distance_chart(LONGEST, *t.words("turn", "distance", "score", "real").values(), follow["gap"], page.language)
            draw(page, "distance", spec, curve, t.plain("turn.distance_alt", **says))
            seen_first()
            head_list(page, heads.read(lm, ids), pair.head)
        st.markdown(t("turn.result", **says))
        kept.pair_strip(page, pair, ids)
        panels.download(page, "turn", lambda: curve[["distance", "score"]])
    panels.takeaway(page, **says)


@fragment
def shuffling(ids):
    with panels.panel(page, "shuffle", "live"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            rotation = controls.segmented(page, "rotation", ("on", "off"), "on")
            with st.container(width=200):
                seed = controls.number(page, "seed", 1, 999, 1)
        order = kept.order(lm, ids, seed)
        (before, after), says = order.probs(rotation), kept.order_numbers(lm, order, rotation)
        st.markdown(t("shuffle.text", text=lm.tokenizer.decode(order.reordered)[-400:].strip()))
        left, right = st.columns(2, gap="medium")
        with left:
            names = t.words("shuffle", "block", "effect") | {role: t.plain(f"shuffle.{run}") for run, role in charts.RUNS.items()}
            data = charts.order_data(order.effects)
            spec = charts.order_chart(lm.config.n_layers, language=page.language, **names)
            draw(page, "order", spec, data, t.plain("shuffle.alt", **says))
        with right:
            best = (before + after).topk(SHOWN).indices
            bars = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best])
            spec = distribution_chart(SHOWN + 2, **t.words("shuffle", "before", "after", "token"), language=page.language)
            draw(page, "next", spec, bars, t.plain("shuffle.next_alt", **says))
        panels.metrics(page, order.loss_numbers, dict.fromkeys(order.loss_numbers, ".2f"))
        st.markdown(t("shuffle.result", **says))
        panels.download(page, "shuffle", lambda: data)


@fragment
def longer():
    with panels.panel(page, "long", "recorded"):
        factor = controls.segmented(page, "factor", (2, 4), 2)
        run, says = kept.recorded(page.language), kept.long_numbers(page.language, factor)
        data = charts.long_data({method: kept.curve(page.language, method, factor) for method in SCALINGS}, run["bin"])
        spec = charts.long_chart(run["tokens"], run["trained"], language=page.language, **kept.long_words(page, SCALINGS))
        draw(page, "long", spec, data, t.plain("long.alt", **says))
        st.markdown(t("long.result", **says))
        st.caption(t(f"long.{run['source']}", **says))
        panels.download(page, "long", lambda: data)


@fragment
def own():
    with panels.panel(page, "own", "live"):
        if lm.config.learned_positions:
            return st.markdown(t("own.learned", n=lm.config.context_length))
        text = controls.prompt(page, "long_text", max_tokens=MOST, min_tokens=2, keep="head")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            methods = ("none", controls.segmented(page, "method", SCALINGS[1:], "yarn"))
            kept.start_and_stop(page, len(text))
        curves = kept.long_curves(page, text, methods, BIN)
        if curves:
            data = charts.long_data(curves, BIN)
            spec = charts.long_chart(MOST, lm.config.context_length, language=page.language, **kept.long_words(page, methods))
            draw(page, "own", spec, data, t.plain("own.alt", n=len(text)))
            panels.download(page, "own", lambda: data)


@fragment
def schemes():
    with panels.panel(page, "scheme", "arithmetic"):
        name = controls.segmented(page, "scheme", SCHEMES, "rope")
        st.markdown(t(f"scheme.{name}"))
        numbers = kept.scheme(lm, name)
        if numbers is None:
            return st.caption(t("scheme.none"))
        data = charts.scheme_data(numbers.numpy())
        spec = charts.scheme_chart(len(numbers), *t.words("scheme", f"{name}_row", f"{name}_column", "number").values(), page.language)
        draw(page, "scheme", spec, data, t.plain(f"scheme.{name}"))
        panels.download(page, "scheme", lambda: data.drop(columns="shade"))


lab(page, PRESETS, guess, turning, shuffling, max_tokens=200, min_tokens=4)
longer()
own()
schemes()
panels.myth_fact(page)
panels.source(page, rotate, Hands, shuffled_words, without_positions, order_effect, rope_scaled, sinusoidal_positions, alibi_slopes)
panels.sources(page)
