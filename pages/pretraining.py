"""Lab: a network of random numbers learns to write, in front of the class, on the viewer's own text."""

import streamlit as st

from core.training.desk import RUNNING, WAITING
from core.training.live import draw_rows, split, train_step
from core.training.loop import learning_rate, make_optimizer
from core.ui import controls, panels, pretraining
from core.ui.frame import fragment, require, run_again

REDRAW = {RUNNING: 0.4, WAITING: 1.5}  # seconds between two pictures
PRESETS = {
    "default": {"source": "book", "size": "small", "rate": 0.003, "steps": 300},
    "book": {},
    "tales": {"source": "tales"},
    "overfit": {"source": "own"},
    "wild": {"rate": 0.3, "steps": 100},
}

page = require("pretraining")
t = page.t


@fragment
def guess():
    panels.predict(page, ("falls", "level", "turns"), lambda: ("turns", pretraining.recorded()))


@fragment
def experiment(words, source):
    with panels.panel(page, "training", "live"):
        wanted = pretraining.recipe(page)
        run, status, rows = pretraining.current(page)
        pretraining.buttons(page, run, words, wanted)
        pretraining.standing(page, run)
        says = pretraining.numbers(rows) if rows else {}
        if says:
            shown = {name: says[name] for name in ("step_now", "tokens", "passes", "train", "held_out") if name in says}
            panels.metrics(page, shown, {"step_now": ",d", "tokens": ",d", "passes": ",.1f", "train": ".2f", "held_out": ".2f"})
            pretraining.curves(page, rows, run.recipe["n_steps"], says)
    if says:
        with panels.panel(page, "samples", "live"):
            pretraining.samples(page, rows)
        panels.takeaway(page, f"takeaway_{pretraining.judgement(says)}", **says)
    else:
        panels.takeaway(page, "takeaway_none", **pretraining.before(words, wanted))
    if status in REDRAW:
        run_again(REDRAW[status])


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
words, source = pretraining.text(page)
st.caption(t(f"about.{source}", n=len(words)))
experiment(words, source)
panels.myth_fact(page)
panels.myth_fact(page, "loss")
panels.source(page, train_step, draw_rows, split, learning_rate, make_optimizer)
panels.sources(page)
