"""Lab: why reading is limited by arithmetic and writing by memory, on other machines and on this one."""

import streamlit as st

from core import costs
from core.charts import calculator, gpu
from core.measure import matrix_products
from core.ui import controls, measuring, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require, run_again
from core.ui.live_slider import live_slider, stepped_slider

DEFAULTS = {"model": "Llama-3-8B", "machine": "H100 SXM", "batch": 1, "context": 2}
PRESETS = {
    "default": DEFAULTS,
    "alone": {},
    "many": {"batch": 128},
    "long": {"batch": 128, "context": 100},
    "laptop": {"machine": "Laptop, DDR5-5600"},
    "experts": {"model": "Mixtral 8x7B", "machine": "H200 SXM", "batch": 8},
}
TOKENS, WORKERS = 24, 8  # of the lanes

page = require("gpu")
t = page.t


@fragment
def guess():
    def answer():
        spec, machine = costs.models()["Llama-3-8B"], costs.gpus()["H100 SXM"]
        read, write = costs.prefill_work(spec, 1000), costs.decode_work(spec, 1000)
        read, write = (costs.roofline(work.flops, work.bytes, machine).seconds * 1e3 for work in (read, write))
        return "few", {"read": read, "write": write, "ratio": read / write}

    panels.predict(page, ("thousand", "hundred", "few"), answer)


@fragment
def experiment():
    with st.container(border=True):
        one, two = st.columns(2, gap="medium")
        with one:
            spec = costs.models()[controls.select(page, "model", list(costs.models()), DEFAULTS["model"])]
            sequences = int(live_slider(page, "batch", 1, 512, 1, 1, every_step=True))
        with two:
            machine = controls.select(page, "machine", list(costs.gpus()), DEFAULTS["machine"])
            tokens = int(live_slider(page, "context", 1, 128, 2, 1, every_step=True)) * 1000
    works = {"prefill": costs.prefill_work(spec, tokens, sequences), "decode": costs.decode_work(spec, tokens, sequences)}
    found = {phase: costs.roofline(work.flops, work.bytes, costs.gpus()[machine]) for phase, work in works.items()}
    told = {"name": spec.name, "machine": machine, "peak": costs.gpus()[machine].tflops(), "ridge": costs.gpus()[machine].ridge()}
    for phase, roof in found.items():
        told |= {phase: roof.tflops, f"{phase}_intensity": roof.intensity, f"{phase}_rate": works[phase].tokens / roof.seconds}
    told |= {"share": found["decode"].tflops / told["peak"], "ratio": told["prefill_rate"] / told["decode_rate"]}
    with panels.panel(page, "roofline", "arithmetic"):
        data = gpu.roofline_data(machine, works)
        words = t.words("roofline", "intensity", "tflops", "prefill", "decode", "roof")
        draw(page, "roofline", gpu.roofline_chart(language=page.language, **words), data, t.plain("roofline.alt", **told))
        st.markdown(t("roofline.result", **told))
        if costs.gpus()[machine].rough:
            st.caption(t("rough", name=machine))
        panels.download(page, "roofline", lambda: data)
    panels.takeaway(page, **told)
    with panels.panel(page, "speed", "arithmetic"):
        asked = {"tokens": tokens, "sequences": sequences, "n_gpus": 1, "cache_bytes": 2}
        data = calculator.gpu_data(spec, "bf16", **asked)
        words = t.words("speed", "axis", "fits", "too_small")
        chart = calculator.gpu_chart(len(data), language=page.language, **words)
        draw(page, "speed", chart, data, t.plain("speed.alt", name=spec.name, gb=data["need"][0], fitting=int(data["fits"].sum())))
        panels.download(page, "speed", lambda: data)


@fragment
def lanes():
    with panels.panel(page, "lanes", "arithmetic"):
        tick = stepped_slider(page, "tick", TOKENS, 3, "lanes")
        names = t.words("lanes", "one", "side_by_side", "chain")
        data = gpu.ticks_data(tick, TOKENS, WORKERS, names)
        done = {lane: int((data[data["lane"] == name]["role"] != "dropped").sum()) for lane, name in names.items()}
        draw(page, "lanes", gpu.ticks_chart(TOKENS, language=page.language, **t.words("lanes", "now", "done", "waiting")), data,
             t.plain("lanes.result", tick=tick, **done))  # fmt: skip
        st.markdown(t("lanes.result", tick=tick, **done))
        panels.download(page, "lanes", lambda: data)


@fragment
def measured():
    state, key, threads = st.session_state, page.key("measuring"), [1, max(2, min(8, measuring.processors()))]

    def begin():
        state[key] = measuring.start(matrix_products.__name__, ["--threads", *map(str, threads)])
        state[page.key("busy")] = state[key] is None

    with panels.panel(page, "measured", "live"):
        run = state.get(key)
        going = run is not None and run.running
        with st.container(horizontal=True):
            st.button(t("measured.start"), key=page.key("start"), icon=":material/play_arrow:", disabled=going, on_click=begin)
            stop = run.stop if run else None
            st.button(t("measured.stop"), key=page.key("stop"), icon=":material/stop:", disabled=not going, on_click=stop)
        if run is None:
            why = "busy" if state.get(page.key("busy")) else "idle"
            st.caption(t(f"measured.{why}", n=threads[1], processors=measuring.processors()))
            return
        found = [matrix_products.Rate(**row) for row in list(run.rows)]
        if going:
            st.progress(min(len(found) / (2 * len(matrix_products.SIZES) + 2), 1.0), t("measured.working", n=len(found)))
        if run.failed:
            st.info(t("measured.failed"), icon=":material/error:")
        if found:
            results(found, threads)
    if going:
        run_again(0.3)


def results(found, threads):
    names = {n: t.plain("measured.threads", n=n) for n in threads}
    data, best = gpu.measured_data(found, names), max(rate.gflops for rate in found)
    words = t.words("measured", "size", "gflops") | {"one": names[threads[0]], "several": names[threads[1]]}
    told = {"best": best, "small": found[0].gflops, "h100": costs.gpus()["H100 SXM"].tflops() * 1e3 / best}
    draw(page, "measured", gpu.measured_chart(language=page.language, **words), data, t.plain("measured.alt", **told))
    st.markdown(t("measured.result", **told))
    panels.download(page, "measured", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
lanes()
measured()
h100, h200 = (costs.gpus()[name] for name in ("H100 SXM", "H200 SXM"))
panels.myth_fact(page, dense=h100.tflops())
panels.myth_fact(page, "faster", rate=h200.tflops(), gain=h200.bandwidth_tb / h100.bandwidth_tb)
panels.source(page, costs.roofline, costs.prefill_work, costs.decode_work, matrix_products.rates, matrix_products.limit)
panels.sources(page)
