"""Lab: beam search. The tree of beginnings, greedy beside it, what width costs, and where the likeliest text is a bad one."""

import math

import streamlit as st

from core.charts import beam_tree as charts
from core.decoding import beam_search, search_steps
from core.decoding.beam import Asked
from core.decoding.foresight import remembered_steps
from core.measure.repetition import repeated
from core.ui import controls, engine, live, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.live_slider import selector, stepped_slider
from core.ui.searches import cache_sizes, compared, ends, greedily, hypothesis_table, marked_strip, searched, winner, written
from core.ui.seldom import seldom
from core.ui.wide import draw_wide

MOST_STEPS, STEPS, LONG = 20, 8, 60  # tokens in the tree, at most and at first; tokens of the long texts
PRESETS = {
    "default": {"width": 4, "steps": STEPS, "penalty": 1.0, "sentence": False, "shown": MOST_STEPS, "long": False},
    "loses": {},
    "grow": {"shown": 1},
    "sentence": {"sentence": True, "penalty": 0.0, "steps": 20},
    "loop": {"width": 8, "long": True},
}

page = require("beam_search")
t, lm = page.t, page.lm


def waiting(place, steps):
    """Shows in `place` how far a search has come."""
    return seldom(lambda step: place.progress(step / steps, t("searching", step=step, steps=steps)))


@fragment
def guess(prompt):
    def answer():
        place, stop = st.empty(), ends(lm.tokenizer, False)
        beam = winner(searched(lm, prompt, 4, STEPS, 1.0, stop, waiting(place, STEPS)))
        greedy = greedily(lm, prompt, len(beam.tokens), stop, waiting(place, STEPS))
        place.empty()
        right = "same" if greedy.tokens == beam.tokens else "beam" if beam.logprob > greedy.logprob else "greedy"
        values = compared(greedy, beam)
        return right, values | {"verdict": t.plain("predict.same" if right == "same" else "predict.differ", times=values["times"])}

    panels.predict(page, ("greedy", "beam", "same"), answer)


@fragment
def experiment(prompt):
    with panels.panel(page, "tree", "live"):
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            width = controls.slider(page, "width", 1, 8, 4)
            steps = controls.slider(page, "steps", 1, MOST_STEPS, STEPS)
            penalty = controls.slider(page, "penalty", 0.0, 2.0, 1.0, 0.1)
            stop = ends(lm.tokenizer, controls.toggle(page, "sentence"))
        place = st.empty()
        tree = searched(lm, prompt, width, steps, penalty, stop, waiting(place, steps))
        greedy = greedily(lm, prompt, steps, stop, waiting(place, steps))
        place.empty()
        shown = grown(tree, greedy, penalty, 1 if width > 3 else 2)
        seen_first(page, prompt, width, steps, penalty, stop, shown)
        with st.expander(t("hypotheses.title"), icon=":material/format_list_numbered:"):
            panels.table(page, "hypotheses", hypothesis_table(tree, lm.tokenizer))
    beam = winner(tree)
    beside(greedy, beam)
    cost(tree, greedy, prompt, width)
    below = st.container()  # drawn last: it may take a while
    says = {"n": len(beam.tokens), "width": width, "passes": tree.forward_passes, "few": len(greedy.tokens)}
    panels.takeaway(page, "takeaway_same" if greedy.tokens == beam.tokens else "takeaway", **says, **compared(greedy, beam))
    with below, panels.panel(page, "degenerate", "live"):
        if controls.toggle(page, "long"):
            degenerate(prompt, width)


def grown(tree, greedy, penalty, pruned):
    last = charts.last_step(tree)
    now = stepped_slider(page, "shown", last, MOST_STEPS, "tree")
    heights = charts.layout(tree, pruned)
    data = charts.beam_tree_data(tree, heights, now, lm.tokenizer.label, greedy.tokens, penalty, t.plain("tree.root"))
    leads = data[(data["state"] == "leads") & (data["step"] <= now)].iloc[-1]
    words = t.words("tree", "leads", "alive", "dropped", "step", "token", "share", "logprob", "total", "text")
    spec = charts.beam_tree_chart(last, charts.lines(heights), language=page.language, follow=selector(page, "shown"), **words)
    draw_wide(page, "tree", spec, data.drop(columns="state"), alt=t.plain("tree.alt", step=now, text=leads["text"], total=leads["total"]))
    st.caption(t("tree.now", step=now, text=leads["text"].strip(), total=leads["total"], share=math.exp(leads["total"])))
    panels.download(page, "tree", lambda: data.drop(columns=["start", "now"]))
    return now


def beside(greedy, beam):
    part = next((i for i, (a, b) in enumerate(zip(beam.tokens, greedy.tokens)) if a != b), None)
    with panels.panel(page, "beside", "live"):
        for name, text in (("greedy", greedy), ("beam", beam)):
            n = len(text.tokens)
            title = t.plain(f"beside.{name}", logprob=text.logprob, each=text.logprob / n, n=n)
            marked_strip(page, name, text, title, [i == part for i in range(n)])
        if part is None:
            st.caption(t("beside.same"))
        else:
            values = {"n": part + 1, "greedy": greedy.shares[part], "beam": beam.shares[part]}
            st.caption(t("beside.parted", **values, times=compared(greedy, beam)["times"]))


def cost(tree, greedy, prompt, width):
    held = live.read(lm, prompt).cache.bytes_held
    rows = cache_sizes(tree, greedy, held, len(prompt), width)
    with panels.panel(page, "cost", "live"):
        passes = {"passes": tree.forward_passes, "greedy_passes": len(greedy.tokens)}
        values = passes | {"held": tree.cache_bytes / 1000, "copied": sum(rows[-1][1:]) / 1000}
        panels.metrics(page, values, {"passes": ",d", "greedy_passes": ",d", "held": ",.0f", "copied": ",.0f"})
        data = charts.cost_data([(t.plain(f"cost.{name}", width=width), *sizes) for name, *sizes in rows])
        spec = charts.cost_chart(3, t.plain("cost.prompt"), t.plain("cost.own"), t.plain("cost.axis"), page.language)
        draw(page, "cost", spec, data, alt=t.plain("cost.alt", width=width, held=values["held"], copied=values["copied"]))
        with st.container(horizontal=True, vertical_alignment="center"):
            panels.badge(page, "arithmetic")
            st.caption(t("cost.counted"), width="content")
        panels.download(page, "cost", lambda: data)


def degenerate(prompt, width):
    seed, stop, place = controls.number(page, "seed", 0, 9999, 0), ends(lm.tokenizer, False), st.empty()
    texts = {
        "beam": winner(searched(lm, prompt, width, LONG, 1.0, stop, waiting(place, LONG))),
        "sampled": written(lm, prompt, LONG, stop, waiting(place, LONG), seed=seed, top_p=0.9),
    }
    place.empty()
    words = {name: t.plain(f"degenerate.{name}", width=width) for name in ("beam", "sampled", "position", "share", "token")}
    again = {name: repeated(text.tokens) for name, text in texts.items()}
    for column, (name, text) in zip(st.columns(2, gap="large"), texts.items()):
        with column:
            marked_strip(page, f"long_{name}", text, words[name], again[name].marks, notes=False)
            st.caption(t("degenerate.measured", again=again[name].mean, mean=sum(text.shares) / len(text.shares), logprob=text.logprob))
    data = charts.likelihood_data([(name, lm.tokenizer.labels(text.tokens), text.shares) for name, text in texts.items()])
    alt = t.plain("degenerate.alt", **{name: repetition.mean for name, repetition in again.items()})
    draw(page, "likelihood", charts.likelihood_chart(LONG, language=page.language, **words), data, alt)
    panels.download(page, "degenerate", lambda: data)


lab(page, PRESETS, guess, experiment, *engine.asked(page, engine.beams), max_tokens=400)
panels.myth_fact(page)
panels.source(page, beam_search, search_steps, Asked, remembered_steps, repeated)
panels.sources(page)
