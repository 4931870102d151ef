"""Lab: what stays in memory between two tokens, what that saves, and what dropping it costs."""

import pandas as pd
import streamlit as st

from core import costs
from core.charts import kv_cache as charts
from core.decoding import generate
from core.kv_cache import STRATEGIES, Cache
from core.kv_cache.paged import PagedCache
from core.measure.cache_drift import drift_from_full
from core.measure.pages import drop_at_random
from core.ui import controls, panels
from core.ui.frame import fragment, require
from core.ui.race import Lanes
from core.ui.strategies import computed, segments, strategy_run
from core.ui.texts import escaped
from core.ui.token_strip import Token, token_strip

SHOWN_STEPS = 16
MODELS = ("GPT-3 175B", "Llama-2-7B", "Llama-3-8B", "Llama-3-70B", "Mistral-7B", "Gemma-3-27B", "gpt-oss-120b", "DeepSeek-V3")
GPUS = ("RTX 4090", "H100 SXM")
PRESETS = {
    "default": {"strategy": "full", "budget": 32},
    "tale": {},
    "forgetful": {"strategy": "window"},
    "sinks": {"strategy": "sinks", "budget": 24},
    "list": {"strategy": "heavy_hitters", "budget": 16},
}

page = require("kv_cache")
t, lm = page.t, page.lm
names = {kind: t.plain(f"strategy.options.{kind}") for kind in STRATEGIES}


def words(group, *keys):
    return {key: t.plain(f"{group}.{key}") for key in keys}


def saving(ids):
    """Token computations with and without a cache, for this prompt and the steps shown."""
    without, kept = (computed(segments(strategy_run(lm, ids, kind, 0, SHOWN_STEPS), len(ids))) for kind in ("none", "full"))
    return without, kept


@fragment
def guess(ids):
    def answer():
        without, kept = saving(ids)
        return "one", {"n": len(ids), "steps": SHOWN_STEPS, "saved": without - kept, "all": without, "share": 1 - kept / without}

    panels.predict(page, ("one", "ten", "all"), answer)


@fragment
def work(ids):
    kind = controls.segmented(page, "strategy", list(STRATEGIES), "full")
    with st.container(horizontal=True, gap="large"):
        budget = controls.slider(page, "budget", 8, 256, 32, 8)
        layer = controls.slider(page, "layer", 1, lm.config.n_layers, 1)
        step = controls.slider(page, "step", 1, SHOWN_STEPS, SHOWN_STEPS)
    none = strategy_run(lm, ids, "none", 0, SHOWN_STEPS)
    run = strategy_run(lm, ids, kind, budget, SHOWN_STEPS, layer=layer - 1)
    with panels.panel(page, "work", "live"):
        lanes = {"without": segments(none, len(ids)), "with": segments(run, len(ids))}
        labels = words("work", "computed", "reused", "dropped", "tokens", "step")
        for column, (lane, steps) in zip(st.columns(2), lanes.items()):
            shown = steps[:step]
            column.markdown(f"**{t(f'work.{lane}')}**")
            alt = t.plain(f"work.alt_{lane}", cells=computed(shown), steps=len(shown), strategy=names[kind])
            column.altair_chart(charts.work_chart(shown, labels, len(ids) + SHOWN_STEPS, SHOWN_STEPS, page.language), alt=alt)
        now = lanes["with"][min(step, len(lanes["with"])) - 1]
        count = {role: sum(s.end - s.start for s in now if s.state == role) for role in ("computed", "reused")}
        total = now[-1].end
        panels.metrics(page, {"input": total, "recomputed": total, "cached": count["reused"], "computed_now": count["computed"]})
        panels.download(page, "work", lambda: charts.work_data(lanes["with"]))
    held(ids, run, min(step, len(run.tokens)), layer)
    without, kept = saving(ids)
    per_token = costs.kv_bytes_per_token(lm.config, bytes_per_element=4)
    total = len(ids) + SHOWN_STEPS
    panels.takeaway(page, per_token=per_token, kilobytes=per_token * total / 1000, n=total, share=1 - kept / without)


def held(ids, run, step, layer):
    """The text after a step, with what this layer no longer has struck through."""
    with panels.panel(page, "held", "live"):
        st.caption(t("held.layer", layer=layer, steps=step))
        kept = set(run.positions[step - 1])
        text = [*ids, *run.tokens[: step - 1]]
        everything = run.kind == "none"
        tokens = [
            Token(lm.tokenizer.label(token), state="" if everything or i in kept else "dropped", title=f"{i + 1}")
            for i, token in enumerate(text)
        ]
        token_strip(page, "held", [*tokens, Token(lm.tokenizer.label(run.tokens[step - 1]), state="fresh")], t.plain("held.label"))


@fragment
def race(ids):
    with panels.panel(page, "race", "live"):
        n = controls.slider(page, "race_tokens", 10, 60, 30, 10)
        start = st.button(t("race.start"), icon=":material/flag:", type="primary", key=page.key("race_start"))
        columns = st.columns(2)
        texts = {kind: column.empty() for kind, column in zip(("none", "full"), columns)}
        chart, said = st.empty(), st.empty()
        state = st.session_state
        lanes = state.get(page.key("lanes"))
        if start or lanes is None or lanes.question != (tuple(ids), n):
            lanes = state[page.key("lanes")] = Lanes((tuple(ids), n))
        labels = words("race", "seconds", "written", "without", "with")

        def draw():
            for kind, place in texts.items():
                lane = labels["without" if kind == "none" else "with"]
                place.markdown(f"**{lane}** · {t.number(lanes.seconds(kind), '.2f')} s  \n{escaped(lm.tokenizer.decode(lanes.tokens[kind]))}")
            chart.altair_chart(charts.clock_chart(lanes.table(labels), labels, lanes.scale(), n, page.language), alt=t.plain("race.alt"))

        draw()
        if start:
            for _ in lanes.run(lambda kind: generate(lm, ids, n, temperature=0.0, cache=kind)):
                draw()
            draw()
        if lanes.finished:
            said.markdown(t("race.result", n=len(lanes.tokens["full"]), **lanes.times()))
            panels.download(page, "race", lambda: lanes.table(labels))
        else:
            said.caption(t("race.idle", n=n))


@fragment
def compare(ids):
    with panels.panel(page, "compare", "live"):
        chosen = controls.several(page, "chosen", list(STRATEGIES), ("full", "window", "sinks", "heavy_hitters"))
        with st.container(horizontal=True, gap="large"):
            n = controls.slider(page, "new_tokens", 8, 48, 24, 8)
            temperature = controls.slider(page, "temperature", 0.0, 1.5, 0.0, 0.1)
            seed = controls.number(page, "seed", 0, 9999, 0)
        budget = st.session_state.get(page.key("budget"), 32)
        progress = st.progress(0.0)
        runs = []
        for i, kind in enumerate(chosen):
            progress.progress(i / len(chosen), t("compare.progress", strategy=names[kind], i=i + 1, n=len(chosen)))
            runs.append(strategy_run(lm, ids, kind, budget, n, temperature, seed))
        progress.empty()
        if not runs:
            st.caption(t("compare.none"))
            return
        table = pd.DataFrame({
            "strategy": [names[r.kind] for r in runs], "text": [lm.tokenizer.decode(r.tokens) for r in runs],
            "held": [r.bytes_held[-1] / 1000 for r in runs], "reserved": [r.bytes_reserved[-1] / 1000 for r in runs],
            "agreement": [r.agreement for r in runs], "kl": [r.mean_kl for r in runs], "ms": [r.milliseconds for r in runs],
        })  # fmt: skip
        panels.table(page, "compare", table, shares=("agreement",))
        order = [names[r.kind] for r in runs]
        for name, column, place in zip(("bytes", "kl"), ("bytes_held", "kl"), st.columns(2)):
            data = charts.steps_data({names[r.kind]: getattr(r, column) for r in runs})
            labels = {"step": t.plain("compare.step"), "y": t.plain(f"compare.{name}_y")}
            top = max(1.0, float(data["value"].max())) if name == "kl" else float(data["value"].max())
            place.altair_chart(charts.steps_chart(data, labels, order, top, page.language), alt=t.plain(f"compare.{name}_alt"))
            with place:
                panels.download(page, name, lambda data=data: data)
        st.caption(t("compare.note"))


@fragment
def pages(ids):
    with panels.panel(page, "pages", "live"):
        share = controls.slider(page, "drop_share", 0, 100, 90, 5, "%d %%")
        result = drop_at_random(lm, ids, share / 100)
        labels = words("pages", "held", "empty", "block", "physical", "position")
        numbers = {"dropped": result.dropped, "n": len(ids), "freed": result.freed, "blocks": result.full_blocks}
        st.altair_chart(charts.pages_chart(charts.pages_data(result), labels, page.language), alt=t.plain("pages.alt", **numbers))
        st.markdown(t("pages.result", expected=(share / 100) ** 16, **numbers))


@fragment
def models():
    with panels.panel(page, "models", "arithmetic"):
        with st.container(horizontal=True, gap="large"):
            tokens = 2 ** controls.slider(page, "context_power", 10, 20, 15)
            sequences = controls.slider(page, "sequences", 1, 64, 1)
        specs = costs.models()
        data = pd.DataFrame([
            {"model": name, "gb": costs.kv_cache_bytes(specs[name], tokens, sequences=sequences) / 1e9,
             "detail": t.plain("models.detail", bytes=costs.kv_bytes_per_token(specs[name]))}
            for name in MODELS
        ])  # fmt: skip
        ceilings = pd.DataFrame([{"gpu": f"{gpu} ({costs.gpus()[gpu].memory_gb:.0f} GB)", "gb": costs.gpus()[gpu].memory_gb} for gpu in GPUS])
        st.caption(t("models.tokens", tokens=tokens, sequences=sequences))
        alt = t.plain("models.alt", model="Llama-3-70B", tokens=tokens, sequences=sequences, gb=float(data.set_index("model").gb["Llama-3-70B"]))
        st.altair_chart(charts.model_bars(data, ceilings, words("models", "gigabytes"), 120.0, page.language), alt=alt)
        panels.download(page, "models", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
ids = controls.prompt(page, max_tokens=400, min_tokens=2)
with above:
    guess(ids)
work(ids)
race(ids)
compare(ids)
pages(ids)
models()
panels.myth_fact(page)
panels.source(page, Cache.update, STRATEGIES["sinks"], STRATEGIES["heavy_hitters"], PagedCache.drop, drift_from_full)
panels.sources(page)
