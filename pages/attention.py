"""Lab: which earlier tokens each token looks at. One head's map, its arithmetic, all heads, heads switched off."""

import streamlit as st

from core.charts import attention as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.decoding import distribution
from core.measure.attention_stats import KINDS, THRESHOLDS, head_kind, head_profile, without_first
from core.measure.head_steps import head_steps
from core.measure.heads import keys_to_show, logits_without, other_heads
from core.ui import controls, heads, panels
from core.ui.charts import PICTURE_ONLY, draw, seen_first
from core.ui.frame import fragment, require
from core.ui.head_controls import attention_strip, gallery, head_list, kind_name, stepper, switches
from core.ui.heads import written
from core.ui.lab import lab

SHOWN = 10  # candidates for the next token
HARDLY = 0.05  # nats: below, a prediction has hardly changed
DRAWS = 3  # of other heads, to compare with
PRESETS = {
    "default": {"head": "induction", "token": None, "key": None, "off": None, "stage": "vectors", "hide_first": False},
    "induction": {}, "name": {},
    "previous": {"head": "previous"},
    "list": {"head": "same"},
    "sink": {"head": "first"}, "story": {},
}  # fmt: skip

page = require("attention")
t, lm = page.t, page.lm


@fragment
def guess(ids):
    def answer():
        found = heads.read(lm, ids)
        head = heads.opened(page, found)
        values = heads.effect(lm, ids, found, [head])
        right = "other" if values["before"] != values["after"] else "hardly" if values["kl"] < HARDLY else "shifts"
        return right, values | {"head": written(head), "n": len(found.all())}

    panels.predict(page, ("hardly", "shifts", "other"), answer)


@fragment
def experiment(ids):
    found = heads.read(lm, ids)
    head, token = heads.opened(page, found), heads.place(page, "token", ids)
    tokens, query = lm.tokenizer.labels(ids), len(ids) - 1 if token is None else token
    with panels.panel(page, "head", "live"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            head_list(page, found, head)
            hide = controls.toggle(page, "hide_first")
        with controls.place():
            if hide:
                st.caption(t("head.hidden", share=found.score(head, "first")))
        pattern = heads.pattern(found, head, hide)
        seen = int(pattern[query].argmax())
        says = {"head": written(head), "token": tokens[query], "seen": tokens[seen], "share": float(pattern[query, seen])}
        above = st.container()
        left, right = st.columns([6, 5], gap="medium")
        with left:
            draw_map(pattern, tokens, query, t.plain("map.alt", **says))
            seen_first()
        with above:
            attention_strip(page, pattern, tokens, query)
        with left:
            profile(found, head)
        with right:
            gallery(page, found, head, heads.pictures(lm, ids, hide), lm.config)
            st.caption(t("gallery.caption"))
    steps(ids, found, head, query)
    ablation(ids, found, head)
    says |= heads.effect(lm, ids, found, [head]) | {"kind": kind_name(page, found.kind(head)), "n": len(found.all())}
    panels.takeaway(page, **says)
    panels.myth_fact(page, **says)


def draw_map(pattern, tokens, query, alt):
    label, small = t.words("map", "query", "key", "weight"), len(tokens) <= charts.MOST_CLICKABLE
    if small:
        spec, data = charts.map_chart(len(tokens), **label, language=page.language), charts.map_data(pattern, tokens, query)
        draw(page, "map", spec, data, alt, lambda row: heads.look_at(page, "token", int(row["q"])))
    else:
        figure = charts.big_map(pattern, tokens, query, label, st.context.theme.type or "light", page.language)
        st.plotly_chart(figure, key=page.key("big_map"), alt=alt, config=PICTURE_ONLY)
    st.caption(t("map.small" if small else "map.big"))
    panels.download(page, "map", lambda: charts.map_data(pattern, tokens, query).drop(columns="framed"))


def profile(found, head):
    kind = found.kind(head)
    says = {"head": written(head), "kind": kind_name(page, kind)}
    st.markdown(f"**{t('profile.title', **says)}**  \n{t(f'profile.says.{kind}')}")
    data = charts.profile_data(found.scores(head), THRESHOLDS, t.words("measures", *KINDS), kind, page.language)
    spec = charts.profile_chart(len(data), t.plain("profile.threshold"), page.language)
    draw(page, "profile", spec, data, t.plain("profile.alt", **says))
    st.caption(t("profile.caption"))


@fragment
def steps(ids, found, head, query):
    with panels.panel(page, "steps", "live"):
        stage = stepper(page, charts.STAGES)
        tokens, done = lm.tokenizer.labels(ids), head_steps(found.reading.activations, *head, query)
        shown, key = keys_to_show(done.weights, query), heads.place(page, "key", ids)
        key = key if key in shown else int(done.weights.argmax())
        says = heads.arithmetic(done, query, key) | {"token": tokens[query], "seen": tokens[key]}
        alt = t.plain("steps.alt", step=t.plain(f"stage.options.{stage}"), **says)
        st.markdown(t(f"steps.{stage}.text", **says))
        if stage in ("vectors", "result"):
            rows = heads.vector_rows(stage, done, query, shown, tokens, t.words("steps", "query_row", "sum_row"))
            spec = charts.vectors_chart(len(rows), **t.words("steps", "dimension", "number"), language=page.language)
            draw(page, f"steps_{stage}", spec, charts.vectors_data(rows), alt)
        else:
            data = charts.steps_data(done, shown, tokens, stage, key, page.language)
            below = stage != "weights" and any(done.products[i] < 0 for i in shown)
            spec = charts.steps_chart(len(shown), below, page.language)
            draw(page, "steps_scores", spec, data, alt, lambda row: heads.look_at(page, "key", int(row["key"])))
        st.markdown(t(f"steps.{stage}.numbers", **says))
        panels.download(page, "steps", lambda: charts.steps_table(done, tokens))


@fragment
def ablation(ids, found, head):
    with panels.panel(page, "ablation", "live"):
        off = switches(page, found, head)
        says = heads.effect(lm, ids, found, off)
        before, after = distribution(found.reading.logits), distribution(heads.without(lm, ids, off))
        best = (before + after).topk(SHOWN).indices
        data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best])
        spec = distribution_chart(SHOWN, **t.words("ablation", "before", "after", "token"), language=page.language)
        draw(page, "ablated", spec, data, t.plain("ablation.alt", n=len(off), **says))
        numbers = {"off_count": len(off), "kl": says["kl"]}
        if controls.toggle(page, "chance") and off:
            others = [heads.effect(lm, ids, found, other_heads(lm, off, seed))["kl"] for seed in range(DRAWS)]
            numbers["kl_chance"] = sum(others) / DRAWS
        panels.metrics(page, numbers, {"kl": ".3f", "kl_chance": ".3f"})
        st.markdown(t("ablation.same" if says["before"] == says["after"] else "ablation.changed", **says))
        panels.download(page, "ablation", lambda: data)


lab(page, PRESETS, guess, experiment, max_tokens=400, min_tokens=2)
panels.source(page, head_steps, without_first, head_profile, head_kind, logits_without)
panels.sources(page)
