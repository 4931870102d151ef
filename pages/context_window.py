"""Lab: what a model no longer knows when the text outgrows its window."""

import pandas as pd
import streamlit as st

from core.charts import context as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.measure import perplexity
from core.measure.context import next_probs_by_window, pairs
from core.ui import controls, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.token_strip import Token, token_strip
from core.ui.windows import answer_id, by_window, losses, window_sizes

PRESETS = {"default": {"window": 48}, "name": {}, "capital": {"window": 24}, "list": {"window": 16}, "story": {"window": 96}}

page = require("context_window")
t, lm = page.t, page.lm
label = lm.tokenizer.label


def words(group, *keys):
    return {key: t.plain(f"{group}.{key}") for key in keys}


@fragment
def guess(ids):
    def answer():
        sizes = window_sizes(len(ids))
        probs = by_window(lm, ids, sizes)
        token = answer_id(probs)
        return "falls", {"token": label(token), "all": float(probs[-1][token]), "few": float(probs[0][token]), "window": sizes[0]}

    panels.predict(page, ("same", "slowly", "falls"), answer)


@fragment
def experiment(ids):
    sizes = window_sizes(len(ids))
    window = min(controls.slider(page, "window", 4, 400, 48, 4), len(ids))
    probs = by_window(lm, ids, sizes)
    token = answer_id(probs)
    now = by_window(lm, ids, [window])[0]
    with panels.panel(page, "text", "live"):
        first = len(ids) - window
        token_strip(page, "text", [Token(label(i), state="dropped" if n < first else "") for n, i in enumerate(ids)], t.plain("text.label"))
        st.caption(t("text.count", seen=window, forgotten=first))
    with panels.panel(page, "answer", "live"):
        data = charts.answer_data(sizes, [row[token] for row in probs])
        alt = t.plain("answer.alt", token=label(token), full=float(probs[-1][token]), window=window, now=float(now[token]))
        st.altair_chart(charts.answer_chart(data, window, words("answer", "window", "share"), page.language), alt=alt)
        panels.download(page, "answer", lambda: data)
        best = now.topk(6).indices
        bars = distribution_data(best, [label(i) for i in best], probs[-1][best], now[best])
        st.markdown(t("answer.bars", window=window))
        draw(page, "guesses", distribution_chart(len(bars), **words("answer", "before", "after", "token"), language=page.language), bars, alt)
    with panels.panel(page, "loss", "live"):
        full, cut = losses(lm, ids, None), losses(lm, ids, window)
        table = charts.loss_data(full.nll, cut.nll)
        numbers = {"full": full.perplexity, "windowed": cut.perplexity}
        st.altair_chart(charts.loss_chart(table, words("loss", "position", "nll", "full", "windowed"), page.language), alt=t.plain("loss.alt", **numbers))
        st.markdown(t("loss.result", window=window, **numbers))
        panels.download(page, "loss", lambda: table)
    cost(len(ids), window)
    panels.takeaway(page, token=label(token), all=float(probs[-1][token]), now=float(now[token]), window=window, n=len(ids))


def cost(n, window):
    with panels.panel(page, "cost", "arithmetic"):
        lengths = [2**k for k in range(4, 21)]
        rows = [(m, pairs(m, w), role) for role, w in (("reused", None), ("computed", window)) for m in lengths]
        data = pd.DataFrame(rows, columns=["tokens", "pairs", "role"])
        numbers = {"n": n, "all": pairs(n), "limited": pairs(n, window), "window": window}
        st.altair_chart(charts.cost_chart(data, words("cost", "tokens", "pairs", "all", "limited"), page.language), alt=t.plain("cost.alt", **numbers))
        st.markdown(t("cost.result", **numbers))
        panels.download(page, "cost", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
ids = controls.prompt(page, max_tokens=400, min_tokens=8)
with above:
    guess(ids)
experiment(ids)
panels.myth_fact(page)
panels.source(page, next_probs_by_window, perplexity, pairs)
panels.sources(page)
