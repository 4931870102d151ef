"""Lab: what a model no longer knows when the text outgrows its window."""

import math

import pandas as pd
import streamlit as st

from core.charts import context as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.costs.attention_pairs import pairs
from core.measure.context import answer_probability_by_window, losses_in_window, next_probs_by_window
from core.ui import live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.live_slider import live_slider, selector
from core.ui.token_strip import Token, token_strip
from core.ui.windows import answers_by_window, followed, probs_in_window, windowed_losses

SHOWN = 6  # next tokens in the chart
PRESETS = {"default": {"window": 48, "answer": None}, "name": {}, "known": {"window": 12}, "list": {"window": 16}, "story": {"window": 59}}

page = require("context_window")
t, lm = page.t, page.lm
label = lm.tokenizer.label


def waiting(place):
    """Shows in `place` how far the work has come."""
    return lambda share: place.progress(share, t("working", share=share))


@fragment
def guess(ids):
    def answer():
        place = st.empty()
        full = probs_in_window(lm, ids, len(ids))
        token = int(full.argmax())
        found = answers_by_window(lm, ids, token, waiting(place))
        place.empty()
        half = min(found, key=lambda window: abs(window - len(ids) / 2))
        left = float(found[half][token] / full[token])
        right = "same" if left > 0.8 else "slowly" if left > 0.3 else "falls"
        return right, {"token": label(token), "all": float(full[token]), "few": float(found[half][token]), "window": half}

    panels.predict(page, ("same", "slowly", "falls"), answer)


@fragment
def experiment(ids):
    full = probs_in_window(lm, ids, len(ids))
    token, follow = followed(page, ids, int(full.argmax()))
    with panels.panel(page, "text", "live"):
        window = min(int(live_slider(page, "window", 1, len(ids), 48, 1, every_step=True)), len(ids))
        strip = [Token(label(i), state="dropped" if n < len(ids) - window else "") for n, i in enumerate(ids)]
        token_strip(page, "text", strip, t.plain("text.label"), follow, selected=ids.index(token) if token in ids else None)
        st.caption(t("text.count", seen=window, forgotten=len(ids) - window))
    now = probs_in_window(lm, ids, window)
    shares = {"token": label(token), "all": float(full[token]), "now": float(now[token]), "window": window}
    answer(ids, token, now, full, shares)
    below = st.container()  # drawn last: it may take a while
    cost(len(ids), window)
    panels.takeaway(page, n=len(ids), says=label(now.argmax()), **shares)
    with below:
        loss(ids, window)


def answer(ids, token, now, full, shares):
    with panels.panel(page, "answer", "live"):
        st.markdown(t("answer.now", says=label(now.argmax()), likeliest=float(now.max()), **shares))
        place = st.empty()
        found = answers_by_window(lm, ids, token, waiting(place))
        place.empty()
        said = [label(probs.argmax()) for probs in found.values()]
        data = charts.answer_data(list(found), [float(probs[token]) for probs in found.values()], said, shares["window"])
        alt = t.plain("answer.alt", **shares)
        spec = charts.answer_chart(page.language, selector(page, "window"), **t.words("answer", "window", "share", "answer"))
        draw(page, "curve", spec, data, alt)
        best = (now + full).topk(SHOWN).indices
        bars = distribution_data(best, [label(i) for i in best], full[best], now[best])
        spec = distribution_chart(SHOWN + 2, **t.words("answer", "before", "after", "token"), language=page.language)
        draw(page, "guesses", spec, bars, alt)
        panels.download(page, "answer", lambda: data.drop(columns="now"))


def loss(ids, window):
    with panels.panel(page, "loss", "live"):
        nll, place = [-p for p in live.read(lm, ids).logprobs[1:].tolist()], st.empty()
        cut = windowed_losses(lm, ids, window, waiting(place))
        place.empty()
        data = charts.loss_data(nll, cut, window)
        # Compared where both were measured: the tokens beyond the window.
        numbers = {"full": mean_loss([nll[i - 2] for i in cut]), "windowed": mean_loss(cut.values()), "window": window, "n": len(cut)}
        spec = charts.loss_chart(page.language, **t.words("loss", "position", "nll", "full", "windowed"))
        draw(page, "loss", spec, data, t.plain("loss.alt", **numbers))
        st.markdown(t("loss.result", **numbers) if cut else t("loss.none"))
        panels.download(page, "loss", lambda: data)


def mean_loss(losses):
    """As perplexity: exp of the mean; 1 where there is nothing to average."""
    return math.exp(sum(losses) / max(len(losses), 1))


def cost(n, window):
    with panels.panel(page, "cost", "arithmetic"):
        rows = [(2**k, pairs(2**k, w), role) for role, w in (("reused", None), ("computed", window)) for k in range(4, 21)]
        data = pd.DataFrame(rows, columns=["tokens", "pairs", "role"])
        numbers = {"n": n, "all": pairs(n), "limited": pairs(n, window), "window": window}
        long = {"million": pairs(10**6), "million_limited": pairs(10**6, window)}
        spec = charts.cost_chart(page.language, **t.words("cost", "tokens", "pairs", "all", "limited"))
        draw(page, "cost", spec, data, t.plain("cost.alt", **numbers))
        st.markdown(t("cost.result", **numbers, **long))
        panels.download(page, "cost", lambda: data)


lab(page, PRESETS, guess, experiment, max_tokens=400, min_tokens=8)
panels.myth_fact(page)
panels.myth_fact(page, "square")
panels.source(page, answer_probability_by_window, next_probs_by_window, losses_in_window, pairs)
panels.sources(page)
