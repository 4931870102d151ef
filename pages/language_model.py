"""The way in: what a language model does, in ten steps on the viewer's own text."""

import streamlit as st

from core.decoding import distribution, generate
from core.decoding.draws import drawn_shares
from core.measure.left_out import left_out
from core.training.exercises import exercises
from core.ui import controls, first_steps, lecture, lessons, panels, walk
from core.ui.charts import seen_first
from core.ui.first_steps import STAGES
from core.ui.frame import fragment, require
from core.ui.head_controls import stepper

PRESETS = {
    "default": {"stage": "read", "draws": 1, "rounds": 4.0, "progress": 5.0},
    "fact": {"stage": "predict"},
    "name": {"stage": "look"},
    "story": {"stage": "choose", "draws": 10},
    "days": {"stage": "repeat", "rounds": 10.0},
    "odd": {"stage": "err"},
}

page = require("language_model")
t = page.t


@fragment
def guess(ids):
    panels.predict(page, ("answer", "token", "search"), lambda: ("token", first_steps.first(first_steps.begin(page, ids))))


@fragment
def experiment(ids):
    free = not lecture.mode() and not lessons.active()  # there these keys lead from preset to preset, from step to step
    stage = stepper(page, STAGES, ("PageUp", "PageDown") if free else (None, None))
    st.progress((STAGES.index(stage) + 1) / len(STAGES))
    first_steps.show(first_steps.begin(page, ids), stage)


def summary(ids):
    says = first_steps.first(first_steps.begin(page, ids))
    panels.takeaway(page, n=len(ids) - 1, tokens=len(ids), **says)
    panels.myth_fact(page, **says)
    panels.myth_fact(page, "size", **first_steps.sizes(page))


above = st.container()
controls.presets(page, PRESETS)
if lecture.mode():  # one key leads through all ten steps
    stage = st.session_state.get(page.key("stage"), STAGES[0])
    walk.offer_presets(page, STAGES, stage, lambda name: controls.set_value(page, "stage", name or STAGES[0]))
ids = controls.prompt(page, max_tokens=256, min_tokens=2)
with above:
    guess(ids)
experiment(ids)
seen_first()
summary(ids)
panels.source(page, generate, distribution, drawn_shares, left_out, exercises)
panels.sources(page)
