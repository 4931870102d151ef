"""Lab: how much memory a model takes from each GPU, where it fits, and how fast it can write at most."""

import streamlit as st

from core import costs
from core.charts import calculator as charts
from core.charts.axes import ceiling
from core.ui import controls, panels
from core.ui.charts import draw, is_new, seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider
from core.ui.model_choice import choose_model

START = "Llama-3-70B"
DEFAULTS = {"model": START, "gpus": 1, "context": 8, "batch": 1, "small_cache": False, "format": "bf16"}
PRESETS = {
    "default": DEFAULTS,
    "million": {"context": 1000},
    "latent": {"model": "DeepSeek-V3", "gpus": 8, "context": 128, "format": "fp8_e4m3"},
    "crowd": {"model": "Llama-3-8B", "context": 8, "batch": 64},
    "laptop": {"model": "gpt-oss-20b", "context": 32, "format": "q4_0"},
    "windows": {"model": "Gemma-3-27B", "context": 128, "format": "q4_0"},
}

page = require("calculator")
t = page.t
FORMATS = {name: t.plain(f"format.options.{name}") for name in charts.FORMATS}


@fragment
def guess():
    def answer():
        spec = costs.models()[START]
        weights, cache = (getattr(costs.share(spec, 10**6), part) / 1e9 for part in ("weights", "kv_cache"))
        return "twice", {"weights": weights, "cache": cache, "ratio": cache / weights}

    panels.predict(page, ("tenth", "same", "twice"), answer)


@fragment
def experiment():
    with st.container(border=True):
        spec = choose_model(page, START)
        n_gpus = controls.segmented(page, "gpus", costs.splits(spec), 1)
        context, batch = st.columns(2, gap="medium")
        with context:
            tokens = int(live_slider(page, "context", 1, 1000, 8, 1, every_step=True)) * 1000
        with batch:
            sequences = int(live_slider(page, "batch", 1, 128, 1, 1, every_step=True))
        cache_bytes = 1 if controls.toggle(page, "small_cache") else 2
    with controls.place():
        if tokens > spec.context_length:
            st.caption(t("beyond", name=spec.name, longest=spec.context_length))
    asked = {"tokens": tokens, "sequences": sequences, "n_gpus": n_gpus, "cache_bytes": cache_bytes}
    memory(spec, asked)
    if is_new(page, "split", n_gpus):  # not at every step of a slider
        seen_first()
    machines(spec, asked)


def memory(spec, asked):
    with panels.panel(page, "memory", "arithmetic"):
        data = charts.memory_data(spec, FORMATS, **asked)
        x_max = ceiling(1.12 * max(30, data[data["format"] == "bf16"]["total"].max()))
        names = t.words("memory", "axis", "weights", "kv_cache", "activations", "overhead")
        share = costs.share(spec, asked["tokens"], "bf16", asked["sequences"], asked["n_gpus"], asked["cache_bytes"])
        sizes = {"total": share.total / 1e9, "weights": share.weights / 1e9, "cache": share.kv_cache / 1e9}
        told = {"name": spec.name, "n": asked["n_gpus"], **sizes}
        chart = charts.memory_chart(len(FORMATS), x_max, charts.ceilings(x_max), page.language, **names)
        draw(page, "memory", chart, data, t.plain("memory.alt", **told))
        st.markdown(t("memory.result", parameters=costs.parameters(spec) / 1e9, active=costs.active_parameters(spec) / 1e9,
                      per_token=costs.kv_bytes_per_token(spec, asked["cache_bytes"], asked["tokens"]) / 1e3, **told))  # fmt: skip
        copied = asked["n_gpus"] * costs.gpu_parameters(spec, asked["n_gpus"]) / costs.parameters(spec) - 1
        if asked["n_gpus"] > 1:
            cache = "latent" if spec.kv_lora_rank else "copied" if spec.n_kv_heads < asked["n_gpus"] else "split"
            st.caption(t(f"split.{cache}", copied=copied, kv=spec.n_kv_heads, n=asked["n_gpus"]))
        panels.download(page, "memory", lambda: data)


def machines(spec, asked):
    with panels.panel(page, "machines", "arithmetic"):
        format = controls.segmented(page, "format", charts.FORMATS, "bf16")
        data = charts.gpu_data(spec, format, **asked)
        words = t.words("machines", "axis", "fits", "too_small")
        fitting = data[data["fits"]]
        told = {"name": spec.name, "format": FORMATS[format], "fitting": len(fitting), "all": len(data), "need": data["need"][0]}
        draw(page, "machines", charts.gpu_chart(len(data), language=page.language, **words), data, t.plain("machines.alt", **told))
        st.markdown(t("machines.result", **told))
        panels.download(page, "machines", lambda: data)
    best = data.loc[(fitting if len(fitting) else data)["rate"].idxmax()]
    kind = "takeaway" if len(fitting) else "nowhere"
    values = {"name": spec.name, "format": FORMATS[format], "need": best["need"], "gpu": best["gpu"], "rate": best["rate"]}
    st.success(t(kind, n=asked["n_gpus"], limit=t(f"limits.{best['limit']}"), **values), icon=":material/lightbulb:")


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
large, gpt3 = costs.models()[START], costs.models()["GPT-3 175B"]
panels.myth_fact(page, weights=costs.weight_bytes(large) / 1e9, cache=costs.kv_cache_bytes(large, 128_000) / 1e9)
panels.myth_fact(page, "square", two=costs.kv_cache_bytes(gpt3, 2048) / 1e9, eight=costs.kv_cache_bytes(gpt3, 8192) / 1e9)
panels.source(page, costs.share, costs.gpu_parameters, costs.kv_cache_bytes, costs.decode_bound)
panels.sources(page)
