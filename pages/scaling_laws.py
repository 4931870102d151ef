"""Lab: fit a law to some of our own trainings, and see whether it foretells the others."""

import streamlit as st

from core.scaling import bootstrap, counted, fit_power_law, selection
from core.ui import controls, panels, scaling
from core.ui.frame import fragment, require, run_again
from core.ui.live_slider import live_slider

PRESETS = {
    "default": {"against": "parameters", "law": "line", "held": 2.0, "left": 0.0},
    "foretell": {},
    "floor": {"law": "floor"},
    "small": {"held": 1.0, "left": 2.0},
    "data": {"against": "tokens"},
    "compute": {"against": "flops", "held": 3.0},
}

page = require("scaling_laws")
t = page.t


@fragment
def guess():
    def answer():
        told = scaling.says(page, scaling.fit("parameters", 2, 0, False), "parameters")
        return "low" if told["error"] < -0.02 else "right", told

    panels.predict(page, ("low", "right", "high"), answer)


@fragment
def experiment():
    with panels.panel(page, "runs", "recorded"):
        one, two = st.columns(2, gap="medium")
        with one:
            against = controls.segmented(page, "against", selection.AGAINST, "parameters")
            held = int(live_slider(page, "held", 0, 4, 2, 1, every_step=True))
        with two:
            law = controls.segmented(page, "law", ("line", "floor"), "line")
            left = int(live_slider(page, "left", 0, 3, 0, 1, every_step=True))
        entries, going = scaling.live_entries(page)
        found = scaling.with_own(page, against, held, left, law == "floor", entries)
        told = scaling.says(page, found, against)
        scaling.picture(page, found, against, told, entries)
    panels.takeaway(page, "takeaway_held" if found.held else "takeaway_all", axis=t.plain(f"runs.short.{against}"), **told)
    scaling.train(page)
    scaling.published_laws(page, against)
    if going:
        run_again(0.5)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
scaling.counting(page)
panels.myth_fact(page, **scaling.says(page, scaling.fit("parameters", 2, 0, False), "parameters"))
panels.myth_fact(page, "loss")
panels.source(page, fit_power_law, bootstrap, selection.along, counted)
panels.sources(page)
