"""Measurements: how fast the pages answer, how many viewers and how much memory a server bears, and where that was measured."""

import re
import statistics
from datetime import date

import streamlit as st

from core.charts import measurements as charts
from core.charts.theme import of_height
from core.decoding import generate
from core.measure.recorded import KINDS, recorded, within
from core.measure.recorded import controls as measured_controls
from core.ui import controls, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.texts import Texts

BOUND = 2.0  # times an empty page
LIMIT_MB = 690  # what Streamlit Community Cloud gives at worst
STEPS = 24  # tokens written to measure this machine
PRESETS = {"default": {"kind": "all"}, "drag": {"kind": "drag"}, "type": {"kind": "type"}, "click": {"kind": "click"}}

page = require("measurements")
t, lm = page.t, page.lm
run = recorded("interaction")


def title(stem):
    return t.plain(f"pages.{stem}.title")


def called(row):
    """What a control is called here, else on its own page, without the explanation after a colon or semicolon; and how long it took."""
    own = t.maybe(f"controls.{row['page']}_{row['control']}") or Texts(row["page"], page.language).maybe(f"{row['control']}.label")
    control = re.split("[:;]", own or row["control"])[0]
    return t.plain("speed.row", page=title(row["page"]), control=control, ms=row["median_ms"])


@fragment
def guess():
    def answer():
        slider = next(row for row in measured_controls(run, "drag") if row["page"] == "next_token")
        return "frames", {"ms": slider["median_ms"], "empty": run["empty_page"]["median_ms"]}

    panels.predict(page, ("frames", "blink", "second"), answer)


@fragment
def experiment():
    kinds = ["all", *(kind for kind in KINDS if measured_controls(run, kind))]
    kind = controls.segmented(page, "kind", kinds, "all")
    rows, empty = measured_controls(run, kind), run["empty_page"]["median_ms"]
    with panels.panel(page, "speed", "recorded"):
        data = charts.controls_data(rows, [called(row) for row in rows])
        words = t.words("speed", "ms", "name", "ratio", "twice")
        slowest = max(row["median_ms"] for row in measured_controls(run))
        spec = charts.controls_chart(empty, 100 * (slowest // 100 + 3), language=page.language, **words)
        spec = of_height(spec, max(len(rows), 2), charts.ROW, 60)
        draw(page, "speed", spec, data, t.plain("speed.alt", n=len(rows), within=within(rows, BOUND), slowest=data["name"][0]))
        panels.download(page, "speed", lambda: data)
        machine = {name: run["machine"][name] for name in ("cores", "processor")}
        st.caption(t("speed.machine", date=date.fromisoformat(run["date"]), **machine))
    every = measured_controls(run)
    panels.takeaway(page, n=len(every), within=within(every, BOUND), empty=empty, median=statistics.median(r["median_ms"] for r in every))


def measure():
    seconds = [step.seconds for step in generate(lm, lm.tokenizer.encode(t.plain("here.text")), STEPS, temperature=0.0)]
    st.session_state[page.key("here")] = statistics.median(seconds[1:] or seconds)  # the first one reads the text


@fragment
def here():
    with panels.panel(page, "here", "live"):
        st.button(t("here.start"), key=page.key("start"), icon=":material/timer:", type="primary", on_click=measure)
        found = st.session_state.get(page.key("here"))
        if found:
            st.markdown(t("here.result", ms=1000 * found, speed=1 / found, model=lm.name))


def load():
    found = recorded("load")
    if found:
        with panels.panel(page, "load", "recorded"):
            alone, several = ([run for run in found["runs"] if (run.get("servers", 1) > 1) is many] for many in (False, True))
            data, last = charts.load_data(alone), alone[-1]
            words = t.words("load", "viewers", "seconds", "median", "most")
            draw(page, "load", charts.load_chart(page.language, **words), data, t.plain("load.alt", **last))
            st.markdown(t("load.result", **last))
            for row in several[-1:]:
                st.markdown(t("load.several", **row))
            panels.download(page, "load", lambda: data)


def memory():
    found = recorded("memory")
    if found:
        with panels.panel(page, "memory", "recorded"):
            titles = {stem: title(stem) for stem in found["after_page_mb"]}
            data = charts.memory_data(found, titles, t.plain("memory.start"), t.plain("memory.round"))
            spec = charts.memory_chart(LIMIT_MB, page.language, **t.words("memory", "mb", "step", "limit"))
            values = {"start": found["start_mb"], "pages": max(found["after_page_mb"].values()), "spread": found["spread_of_last_rounds"]}
            values |= {"rounds": len(found["after_round_mb"]), "sessions": found["sessions_a_round"], "after": max(found["after_round_mb"])}
            values |= {"own": max(found["own_mb"]["after_rounds"]), "told": found["told_mb"]}
            draw(page, "memory", spec, data, t.plain("memory.alt", **values))
            st.markdown(t("memory.result", **values) + (f" {t('memory.told', **values)}" if found["told_mb"] else ""))
            panels.download(page, "memory", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
here()
load()
memory()
panels.myth_fact(page)
panels.source(page, measured_controls, within)
panels.sources(page)
