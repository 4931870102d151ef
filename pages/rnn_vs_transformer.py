"""Lab: a GRU and a Transformer of one size. Who remembers a name, where a prediction looks back, how long reading takes."""

import streamlit as st

from core.charts import rivals as charts
from core.measure.gradient_reach import gradient_by_distance
from core.measure.rivals import hear, longest_chain
from core.models.recurrent import gru_step
from core.ui import controls, panels
from core.ui import rivals as kept
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, run_again
from core.ui.measuring import start_and_stop

PRESETS = {"default": {"token": kept.AUTO}, "name": {}, "new": {}, "story": {}, "list": {}, "once": {}}
POINTS = (10, 20, 50, 100, 200, 400)
REACH = (1, 10, 100)

page = require("rnn_vs_transformer")
t, state = page.t, st.session_state
RUNNING, MEASURED = page.key("running"), page.key("measured")
NAMES = t.words("names", "transformer", "gru")


@fragment
def guess():
    panels.predict(page, ("both", "transformer", "neither"), lambda: ("transformer", kept.names_numbers(page.language)))


@fragment
def reading(ids):
    both = kept.read(ids)
    with panels.panel(page, "tokens", "live"):
        place = kept.chosen(page, both)
        says = kept.numbers(both, place)
        data = charts.losses_data(both.labels, both.losses, both.back, place)
        spec = charts.losses_chart(**NAMES, **t.words("tokens", "place", "loss", "token", "back"), language=page.language)
        draw(page, "losses", spec, data, t.plain("tokens.alt", **says))
        seen_first()
        kept.strip(page, both, place)
        st.markdown(t("tokens.returns" if both.back[place] else "tokens.first", **says))
        panels.metrics(page, {name: v if isinstance(v, str) else t.number(v, ".2f") for name, v in kept.means(both).items()})
        panels.download(page, "losses", lambda: data.drop(columns="chosen"))
    panels.takeaway(page, **says, **kept.names_numbers(page.language))
    with panels.panel(page, "looks", "live"):
        shares = kept.looked(ids, place)
        looks = charts.shares_data(both.labels, shares)
        told = kept.look_numbers(both, place, shares)
        spec = charts.shares_chart(**NAMES, **t.words("looks", "place", "share", "token"), language=page.language)
        draw(page, "looks", spec, looks, t.plain("looks.alt", **told))
        st.markdown(t("looks.result", **told))
        panels.download(page, "looks", lambda: looks)


@fragment
def recorded():
    with panels.panel(page, "far", "recorded"):
        says, (left, right) = kept.names_numbers(page.language), st.columns(2, gap="medium")
        for column, name, curves, scale in (
            (left, "new_names", kept.names_right(page.language), (".0%", 0.0, 1.0)),
            (right, "known_names", kept.names_known(page.language), ("~g", 0.3, 30.0)),
        ):
            with column:
                st.markdown(f"**{t(f'far.{name}')}**")
                data = charts.curves_data(curves)
                words = t.plain("far.distance"), t.plain(f"far.{name}_value")
                points = POINTS[1:] if name == "new_names" else POINTS
                spec = charts.curves_chart(*NAMES.values(), *words, *scale, points, name == "known_names", language=page.language)
                draw(page, name, spec, data, t.plain(f"far.{name}_alt", **says))
                panels.download(page, name, lambda data=data: data)
        st.markdown(t("far.result", **says))
    with panels.panel(page, "reach", "recorded"):
        data, says = charts.curves_data(kept.reach()), kept.reach_numbers()
        words = t.words("reach", "distance", "value").values()
        spec = charts.curves_chart(*NAMES.values(), *words, "~g", 0.03, 12.0, REACH, True, False, page.language)
        draw(page, "reach", spec, data, t.plain("reach.alt", **says))
        st.markdown(t("reach.result", **says))
        panels.download(page, "reach", lambda: data)


@fragment
def time():
    with panels.panel(page, "time", "live"):
        start_and_stop(page, lambda measured: len(measured) / len(kept.RUNS))
        measured = state.setdefault(MEASURED, {})
        if measured:
            data = charts.time_data(measured)
            words = t.words("time", "tokens", "milliseconds", "read", "write")
            draw(page, "time", charts.time_chart(kept.SIZES, page.language, **NAMES, **words), data, t.plain("time.alt"))
            says = kept.time_numbers(measured)
            if says:
                st.markdown(t("time.result", **says))
            panels.download(page, "time", lambda: data)
        st.markdown(t("time.chain", n=1000, **kept.chains(1000)))
    if state.get(RUNNING):
        state[RUNNING] = kept.measure_next(measured)
        run_again()


@fragment
def fair():
    with panels.panel(page, "fair", "recorded"):
        losses_of = kept.held_out()
        data = charts.held_out_data(losses_of, {name: t.plain(f"source.{name}") for name in losses_of["gru"]})
        draw(page, "held_out", charts.held_out_chart(**NAMES, loss=t.plain("fair.loss"), language=page.language), data, t.plain("fair.alt"))
        st.markdown(t("fair.result", **kept.fair()))
        panels.download(page, "held_out", lambda: data)


@fragment
def body():
    above = st.container()
    controls.presets(page, PRESETS)
    ids = kept.text_ids(page, controls.text(page))
    with above:
        guess()
    reading(ids)


body()
recorded()
time()
fair()
panels.myth_fact(page, **kept.reach_numbers(), **kept.chains(512))
panels.source(page, gru_step, hear, gradient_by_distance, longest_chain)
panels.sources(page)
