"""Lab: how large a model should be for a given amount of computing, by our own trainings and by published fits."""

import streamlit as st

from core.scaling import fit_parabola, fit_parametric, on_budget, published
from core.scaling.parametric import Parametric
from core.ui import chinchilla, controls, panels
from core.ui.charts import seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider

PRESETS = {
    "default": {"runs": "all", "flops": 14.5, "budget": 23.8},
    "twenty": {},
    "more": {"flops": 13.9},
    "giants": {"budget": 24.9},
    "long": {"runs": "long"},
    "repeated": {"runs": "fresh"},
    "small": {"budget": 15.0},
}

page = require("chinchilla")
t = page.t


@fragment
def guess():
    def answer():
        size, tokens = published.BESIROGLU.optimum(published.MODELS[0].flops)
        told = {"size": size / 1e9, "tokens": tokens / 1e9, "ratio": tokens / size, "had": published.MODELS[0].tokens_per_parameter}
        return "smaller", told

    panels.predict(page, ("larger", "same", "smaller"), answer)


@fragment
def experiment():
    with panels.panel(page, "curves", "recorded"):
        one, two = st.columns(2, gap="medium")
        with one:
            flops = 10 ** live_slider(page, "flops", 13.4, 15.4, 14.5, 0.1, every_step=True)
        with two:
            choice = controls.segmented(page, "runs", chinchilla.CHOICES, "all")
        told = chinchilla.isoflop_says(page, choice, flops)
        chinchilla.isoflop_picture(page, choice, flops, told)
    seen_first()
    optimum(choice, told)


@fragment
def optimum(choice, told):
    with panels.panel(page, "plane", "arithmetic"):
        budget = 10 ** live_slider(page, "budget", 13.4, 26.0, 23.8, 0.1, every_step=True)
        says = chinchilla.plane_says(page, choice, budget)
        chinchilla.plane(page, choice, budget, says)
    seen_first()
    panels.takeaway(page, "takeaway" if told["found"] else "takeaway_none", own=told.get("ratio", 0.0), own_flops=told["flops"], **says)
    with panels.panel(page, "fits", "arithmetic"):
        chinchilla.fits(page, choice, budget)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
with panels.panel(page, "models", "arithmetic"):
    chinchilla.models(page)
panels.myth_fact(page)
panels.myth_fact(page, "quality")
panels.source(page, on_budget, fit_parabola, fit_parametric, Parametric.optimum)
panels.sources(page)
