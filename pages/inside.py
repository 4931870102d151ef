"""Inside: one whole forward pass as a map that opens in place."""

import streamlit as st

from core.costs import parts
from core.measure.attribution import attribute
from core.measure.forward import logit_lens, read_pass
from core.ui import heads, panels, passes
from core.ui.charts import seen_first
from core.ui.forward_map import forward_map
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.pass_details import cost_table, detail

DEFAULT = {"block": None, "token": None, "head": None, "answer": None}
PRESETS = {"default": DEFAULT, "fact": {}, "name": {"block": "8"}, "early": {}, "late": {"block": "10"}, "german": {}, "story": {}}

page = require("inside")
t, lm = page.t, page.lm


@fragment
def guess(ids):
    def answer():
        found = passes.follow(lm, ids, len(ids) - 1)
        third = 3 * found.from_block / found.passed.n_layers
        return "early" if third <= 1 else "middle" if third <= 2 else "late", passes.spoken(page, found)

    panels.predict(page, ("early", "middle", "late"), answer)


@fragment
def experiment(ids):
    token = heads.place(page, "token", ids)
    position = len(ids) - 1 if token is None else token
    found = passes.follow(lm, ids, position, passes.asked(page, ids, position))
    part = passes.opened(page)
    with panels.panel(page, "map", "live"):
        forward_map(page, "map", passes.map_data(page, found, part, detail(page, found, part)), passes.events(page, found))
        seen_first()
        with st.container(horizontal=True):
            panels.download(page, "map", lambda: passes.map_table(page, found))
            panels.download(page, "sources_table", lambda: passes.sources_table(page, found))
    spent(ids)
    says = passes.spoken(page, found)
    panels.takeaway(page, **says)
    panels.myth_fact(page, **says)


def spent(ids):
    with panels.panel(page, "cost", "arithmetic"):
        table, totals = cost_table(page, len(ids))
        st.markdown(t("cost.total", **totals))
        panels.table(page, "cost", table, shares=("parameter_share", "flop_share"))


lab(page, PRESETS, guess, experiment, max_tokens=320, keep="tail")
panels.source(page, read_pass, logit_lens, attribute, parts)
panels.sources(page)
