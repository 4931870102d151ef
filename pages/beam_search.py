"""Lab: beam search. The tree of beginnings, greedy beside it, what width costs, and where the likeliest text is a bad one."""

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.charts import beam_tree as charts
from core.decoding import beam_search, beam_steps
from core.measure.repetition import repeated
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider
from core.ui.searches import ends, searched, written
from core.ui.token_strip import candidates, token_strip
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
t, lm, state = page.t, page.lm, st.session_state


def waiting(place, steps):
    """Shows in `place` how far a search has come."""
    return lambda step: place.progress(step / steps, t("searching", step=step, steps=steps))


@fragment
def guess(prompt):
    def answer():
        place = st.empty()
        best = searched(lm, prompt, 4, STEPS, 1.0, ends(lm.tokenizer, False), waiting(place, STEPS)).hypotheses[0]
        greedy = written(lm, prompt, len(best.ids), ends(lm.tokenizer, False), waiting(place, STEPS), temperature=0)
        place.empty()
        right = "same" if greedy.tokens == best.ids else "beam" if best.logprob > greedy.logprob else "greedy"
        return right, {"greedy": greedy.logprob, "beam": best.logprob, "times": math.exp(best.logprob - greedy.logprob)}

    panels.predict(page, ("greedy", "beam", "same"), answer)


@fragment
def experiment(prompt):
    with panels.panel(page, "tree", "live"):
        with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
            width = controls.slider(page, "width", 1, 8, 4)
            steps = controls.slider(page, "steps", 1, MOST_STEPS, STEPS)
            penalty = controls.slider(page, "penalty", 0.0, 2.0, 1.0, 0.1)
            stop = ends(lm.tokenizer, controls.toggle(page, "sentence"))
        place = st.empty()
        tree = searched(lm, prompt, width, steps, penalty, stop, waiting(place, steps))
        greedy = written(lm, prompt, steps, stop, waiting(place, steps), temperature=0)
        place.empty()
        grown(tree, greedy, penalty, 1 if width > 3 else 2)
        hypotheses(tree)
    beside(tree, greedy)
    cost(tree, greedy, prompt, width)
    below = st.container()  # drawn last: it may take a while
    best = tree.hypotheses[0]
    gain = {"greedy": greedy.logprob, "beam": best.logprob, "times": math.exp(best.logprob - greedy.logprob)}
    panels.takeaway(page, n=len(best.ids), width=width, passes=tree.forward_passes, few=len(greedy.tokens), **gain)
    with below:
        degenerate(prompt, width)


def grown(tree, greedy, penalty, pruned):
    last = charts.last_step(tree)
    now = min(int(state.get(page.key("shown"), MOST_STEPS)), last)

    def go(step):
        state[page.key("shown")] = float(step)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(t("tree.back"), key=page.key("back"), icon=":material/chevron_left:", on_click=go, args=(now - 1,), disabled=now <= 1)
        st.button(t("tree.on"), key=page.key("on"), icon=":material/chevron_right:", on_click=go, args=(now + 1,), disabled=now >= last, type="primary")
        with st.container(width=420):
            now = min(int(live_slider(page, "shown", 1, last, MOST_STEPS, 1, every_step=True)), last)
    data = charts.beam_tree_data(tree, now, lm.tokenizer.label, greedy.tokens, penalty, pruned, t.plain("tree.root"))
    leads = data[data["state"] == "leads"].iloc[-1]
    lines = charts.lines(tree, pruned)
    words = {name: t.plain(f"tree.{name}") for name in ("leads", "alive", "dropped", "step", "token", "share", "logprob", "total", "text")}
    spec = charts.beam_tree_chart(last, lines, language=page.language, **words)
    draw_wide(page, "tree", spec, data, alt=t.plain("tree.alt", step=now, text=leads["text"], total=leads["total"]))
    st.caption(t("tree.now", step=now, text=leads["text"].strip(), total=leads["total"], share=math.exp(leads["total"])))
    panels.download(page, "tree", lambda: data[data["kind"] == "node"].drop(columns=["kind", "label", "point"]))


def hypotheses(tree):
    rows = [(i, text_of(h.ids), len(h.ids), round(h.logprob, 3), round(h.score, 3)) for i, h in enumerate(tree.hypotheses, 1)]
    with st.expander(t("hypotheses.title"), icon=":material/format_list_numbered:"):
        panels.table(page, "hypotheses", pd.DataFrame(rows, columns=["place", "text", "tokens", "logprob", "score"]))


def beside(tree, greedy):
    best = tree.hypotheses[0]
    logprobs = [tree.nodes[index].logprob for index in tree.branch(best.node)]
    part = next((i for i, (a, b) in enumerate(zip(best.ids, greedy.tokens)) if a != b), None)
    with panels.panel(page, "beside", "live"):
        for name, ids, shares in (("greedy", greedy.tokens, greedy.logprobs), ("beam", best.ids, logprobs)):
            st.markdown(f"**{t(f'beside.{name}', logprob=sum(shares), each=sum(shares) / len(shares), n=len(ids))}**")
            strip = candidates(page, lm.tokenizer.labels(ids), [math.exp(p) for p in shares])
            strip = [replace(token, state="marked") if i == part else token for i, token in enumerate(strip)]
            token_strip(page, f"strip_{name}", strip, t.plain(f"beside.{name}", logprob=sum(shares), each=sum(shares) / len(shares), n=len(ids)))
        if part is None:
            st.caption(t("beside.same"))
        else:
            values = {"n": part + 1, "greedy": math.exp(greedy.logprobs[part]), "beam": math.exp(logprobs[part])}
            st.caption(t("beside.parted", **values, times=math.exp(best.logprob - greedy.logprob)))


def cost(tree, greedy, prompt, width):
    held = live.read(lm, prompt).cache.bytes_held
    own, each = tree.cache_bytes - held, held // len(prompt)
    rows = [("greedy", held, each * (len(greedy.tokens) - 1)), ("shared", held, own), ("copied", width * held, own)]
    with panels.panel(page, "cost", "live"):
        values = {"passes": tree.forward_passes, "greedy_passes": len(greedy.tokens), "held": tree.cache_bytes / 1000, "copied": (own + width * held) / 1000}
        panels.metrics(page, values, {"passes": ",d", "greedy_passes": ",d", "held": ",.0f", "copied": ",.0f"})
        data = charts.cost_data([(t.plain(f"cost.{name}", width=width), *sizes) for name, *sizes in rows])
        spec = charts.cost_chart(3, t.plain("cost.prompt"), t.plain("cost.own"), t.plain("cost.axis"), page.language)
        draw(page, "cost", spec, data, alt=t.plain("cost.alt", width=width, held=values["held"], copied=values["copied"]))
        panels.download(page, "cost", lambda: data)


def degenerate(prompt, width):
    with panels.panel(page, "degenerate", "live"):
        if not controls.toggle(page, "long"):
            return
        seed, stop, place = controls.number(page, "seed", 0, 9999, 0), ends(lm.tokenizer, False), st.empty()
        tree = searched(lm, prompt, width, LONG, 1.0, stop, waiting(place, LONG))
        drawn = written(lm, prompt, LONG, stop, waiting(place, LONG), seed=seed, top_p=0.9)
        place.empty()
        beam = tree.hypotheses[0]
        texts = {"beam": (beam.ids, [tree.nodes[index].logprob for index in tree.branch(beam.node)]), "sampled": (drawn.tokens, drawn.logprobs)}
        again = {name: repeated(ids) for name, (ids, _) in texts.items()}
        for column, (name, (ids, logprobs)) in zip(st.columns(2, gap="large"), texts.items()):
            strip = candidates(page, lm.tokenizer.labels(ids), [math.exp(p) for p in logprobs])
            strip = [replace(token, note="", state="marked" if mark else "") for token, mark in zip(strip, again[name].marks)]
            with column:
                st.markdown(f"**{t(f'degenerate.{name}', width=width)}**")
                token_strip(page, f"long_{name}", strip, t.plain(f"degenerate.{name}", width=width))
                mean = sum(map(math.exp, logprobs)) / len(logprobs)
                st.caption(t("degenerate.measured", again=again[name].mean, mean=mean, logprob=sum(logprobs)))
        data = charts.likelihood_data([(role, lm.tokenizer.labels(texts[n][0]), texts[n][1]) for n, role in (("beam", "computed"), ("sampled", "alive"))])
        words = {name: t.plain(f"degenerate.{name}", width=width) for name in ("beam", "sampled", "position", "share", "token")}
        spec = charts.likelihood_chart(LONG, language=page.language, **words)
        draw(page, "likelihood", spec, data, alt=t.plain("degenerate.alt", beam=again["beam"].mean, sampled=again["sampled"].mean))
        panels.download(page, "degenerate", lambda: data)


def text_of(ids):
    return "".join(lm.tokenizer.labels(ids)).replace("␣", " ").strip()


above = st.container()
controls.presets(page, PRESETS)
prompt = controls.prompt(page, max_tokens=400)
with above:
    guess(prompt)
experiment(prompt)
panels.myth_fact(page)
panels.source(page, beam_search, beam_steps, repeated)
panels.sources(page)
