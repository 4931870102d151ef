"""Page: attention in tiles. The score matrix never exists as a whole, and less is moved."""

import streamlit as st

from core.charts import context
from core.charts import flash_attention as charts
from core.costs.attention_traffic import A100_FAST_BYTES, standard_floats, tiled_floats
from core.measure.attention_time import attention_seconds
from core.models.tiled_attention import standard_attention, tiled_attention
from core.ui import controls, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, run_again
from core.ui.lab import lab
from core.ui.live_slider import live_slider, selector
from core.ui.measuring import start_and_stop
from core.ui.tiles import SIZES, head_choice, last_measured, measure_next, published, tiled

TILES = (8, 16, 32, 64, 128)
BYTES = 4  # of one float32
PRESETS = {
    "default": {"rows": 8, "cols": 8, "step": 8, "head": "8.6"},
    "copies": {},
    "late": {"head": "7.6", "step": 15},
    "early": {"head": "2.3", "step": 12},
    "long": {"rows": 64, "cols": 32, "step": 8},
    "tiny": {"step": 60},
}

page = require("flash_attention")
t, lm = page.t, page.lm
RUNNING, MEASURED = page.key("running"), page.key("measured")
if page.entered:
    st.session_state[RUNNING] = False


@fragment
def guess(ids):
    def answer():
        found = tiled(lm, ids, *head_choice(page, "8.6", controls.seeded), 8, 8)
        return "same", {"difference": found.difference, "tiles": len(found.bounds)}

    panels.predict(page, ("other", "roughly", "same"), answer)


@fragment
def experiment(ids):
    with panels.panel(page, "tiles", "live"):
        with st.container(horizontal=True, gap="medium"):
            rows, cols = controls.segmented(page, "rows", TILES, 8), controls.segmented(page, "cols", TILES, 8)
            layer, head = head_choice(page, "8.6")
        found = tiled(lm, ids, layer, head, rows, cols)
        steps, follow, step = len(found.bounds), "", 1
        if steps > 1:
            step, follow = min(int(live_slider(page, "step", 1, steps, 8, 1)), steps), selector(page, "step")
        picture(ids, found, step, follow)
    n, moved, ordinary = len(ids), found.tiled.moved, found.standard.moved
    values = {"rows": min(rows, n), "cols": min(cols, n), "n": n, "square": n * n, "difference": found.difference}
    values |= {"tiled": moved, "standard": ordinary, "share": moved / ordinary}
    values |= {"scores": values["rows"] * values["cols"], "fast": found.tiled.held * BYTES, "sram": A100_FAST_BYTES}
    with panels.panel(page, "traffic", "live"):
        traffic(found, rows, cols, values)
    panels.takeaway(page, **values)


def picture(ids, found, step, follow):
    labels, at, (queries, keys) = lm.tokenizer.labels(ids), found.steps[step - 1], found.bounds[step - 1]
    values = at | {"step": step, "steps": len(found.bounds)}
    values |= {"q0": queries.start + 1, "q1": queries.stop, "k0": keys.start + 1, "k1": keys.stop}
    left, right = st.columns([5, 3], gap="large")
    with left:
        data = charts.matrix_data(found.relative, labels, found.bounds, step)
        spec = charts.matrix_chart(charts.name_size(len(ids)), page.language, follow, **t.words("tiles", "query", "key", "score"))
        draw(page, "matrix", spec, data, t.plain("tiles.alt", **values))
        seen_first()
        panels.download(page, "tiles", lambda: data.dropna(axis=1, how="all").drop(columns=["now", "n"]))
    data = charts.row_data(found.steps, step)
    with right:
        for field, form in (("m", ".1f"), ("l", ".1f"), ("error", ".0%")):
            st.markdown(t(f"row.{field}"))
            spec = charts.row_chart(field, form, page.language, follow, seen=t.plain("row.seen"), value=field)
            draw(page, f"row_{field}", spec, data, t.plain("row.alt", **values))
        panels.download(page, "row", lambda: data.drop(columns=["now", "first", "last", "steps", "change"]))
    st.markdown(t(f"row.{at['change']}", token=labels[at["row"]], **values))


def traffic(found, rows, cols, values):
    n, d = values["n"], lm.config.head_dim
    moved = [(t.plain("traffic.ordinary"), found.standard.moved, "reused")]
    moved += [(t.plain("traffic.size", rows=h), tiled_floats(n, d, h, cols), "computed" if h == rows else "dropped") for h in TILES]
    data = charts.bars_data([(name, value, role, t.number(value, ",d")) for name, value, role in moved])
    spec = charts.bars_chart(len(data), 0, False, page.language, value=t.plain("traffic.floats"))
    draw(page, "traffic", spec, data, t.plain("traffic.alt", **values))
    moves = {"loaded": found.tiled.loaded, "stored": found.tiled.stored, "standard_loaded": found.standard.loaded}
    st.markdown(t("traffic.result", **values, **moves, standard_stored=found.standard.stored))
    panels.download(page, "traffic", lambda: data.drop(columns=["written"]))


@fragment
def time():
    state = st.session_state
    with panels.panel(page, "time", "live"):
        start_and_stop(page, lambda measured: len(measured) / len(SIZES))
        measured = state.setdefault(MEASURED, {})
        if measured:
            data, values = charts.time_data(measured), last_measured(measured)
            spec = charts.time_chart(SIZES, page.language, **t.words("time", "tokens", "milliseconds", "standard", "fused"))
            draw(page, "time", spec, data, t.plain("time.alt", **values))
            st.markdown(t("time.result", **values))
            panels.download(page, "time", lambda: data)
    if state.get(RUNNING):
        state[RUNNING] = measure_next(measured, lm.config.head_dim)
        run_again()


def scale():
    with panels.panel(page, "scale", "arithmetic"):
        data, d = charts.memory_data([2**k for k in range(10, 21)]), lm.config.head_dim
        spec = context.cost_chart(page.language, **t.words("scale", "tokens", "pairs", "all", "limited"))
        far = {"n": 2**17, "matrix": 2**34 * BYTES / 1e9, "line": 2**17 * BYTES / 1e3}
        far |= {"standard": standard_floats(2**17, d), "tiled": tiled_floats(2**17, d, 128, 128), "d": d}
        draw(page, "scale", spec, data, t.plain("scale.alt", **far))
        st.markdown(t("scale.result", ratio=far["standard"] / far["tiled"], **far))
        panels.download(page, "scale", lambda: data)


lab(page, PRESETS, guess, experiment, max_tokens=320, keep="head", min_tokens=2)
published(page)
time()
scale()
panels.myth_fact(page)
panels.myth_fact(page, "place")
panels.source(page, tiled_attention, standard_attention, tiled_floats, attention_seconds)
panels.sources(page)
