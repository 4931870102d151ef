"""Lab: what stays in memory between two tokens, what that saves, and what dropping it costs."""

import streamlit as st

from core.charts import kv_cache as charts
from core.decoding import generate
from core.kv_cache import STRATEGIES, Cache, WatchedCache
from core.kv_cache.paged import PagedCache
from core.measure.cache_drift import drift_from_full
from core.measure.pages import drop_at_random
from core.measure.segments import count, without_cache
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.lab import lab
from core.ui.live_slider import live_slider
from core.ui.race import race, start_button
from core.ui.seldom import seldom
from core.ui.step_table import step_data, step_table
from core.ui.strategies import compared_steps, comparison, held_tokens, step_rows, strategy_run, strategy_runs, writing
from core.ui.token_strip import token_strip

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


def steps(ids, kind, budget=0, layer=1, on_step=None):
    return strategy_run(lm, ids, kind, budget, SHOWN_STEPS, on_step=on_step, layer=layer - 1, past_end=True)


@fragment
def guess(ids):
    def answer():
        without, kept = (steps(ids, kind).computed for kind in ("none", "full"))  # both really run
        return "one", {"n": len(ids), "steps": SHOWN_STEPS, "saved": without - kept, "all": without, "share": 1 - kept / without}

    panels.predict(page, ("one", "ten", "all"), answer)


@fragment
def work(ids):
    kind = controls.segmented(page, "strategy", list(STRATEGIES), "full")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        budget = controls.slider(page, "budget", 8, 256, 32, 8)
        layer = controls.slider(page, "layer", 1, lm.config.n_layers, 1)
    place = st.empty()
    run = steps(ids, kind, budget, layer, writing(page, place, SHOWN_STEPS))
    rows = step_rows(page, ids, run)
    place.empty()
    with panels.panel(page, "work", "live"):
        step = int(live_slider(page, "step", 1, SHOWN_STEPS, SHOWN_STEPS, 1, every_step=True))
        step_table(page, "work", rows, step - 1, len(ids) + SHOWN_STEPS - 1, lambda row: controls.set_value(page, "step", row + 1.0))
        panels.download(page, "work", lambda: step_data(rows))
    with panels.panel(page, "held", "live"):
        st.caption(t("held.layer", layer=layer, steps=step, strategy=names[kind]))
        token_strip(page, "held", held_tokens(page, ids, run, step), t.plain("held.label"))
    n, all_of_them = len(ids) + SHOWN_STEPS - 1, sum(count(step, "computed") for step in without_cache(len(ids), SHOWN_STEPS))
    per_token = live.read(lm, ids).cache.bytes_held / len(ids)
    panels.takeaway(page, share=1 - n / all_of_them, n=n, per_token=per_token, kilobytes=n * per_token / 1000)


@fragment
def lanes(ids):
    with panels.panel(page, "race", "live"):
        n = controls.slider(page, "race_tokens", 10, 60, 30, 10)
        start = start_button(page, "race", ":material/flag:")
        race(page, (tuple(ids), n), n, start, lambda kind: generate(lm, ids, n, temperature=0.0, cache=kind))


@fragment
def compare(ids):
    with panels.panel(page, "compare", "live"):
        chosen = controls.several(page, "chosen", list(STRATEGIES), ("full", "window", "sinks", "heavy_hitters"))
        with st.container(horizontal=True, gap="medium"):
            n = controls.slider(page, "new_tokens", 8, 48, 24, 4)
            temperature = controls.slider(page, "temperature", 0.0, 1.5, 0.0, 0.1)
            seed = controls.number(page, "seed", 0, 9999, 0)
        budget = st.session_state.get(page.key("budget"), 32)
        progress = st.progress(0.0)
        moves = seldom(lambda step: progress.progress(step / n, t("compare.progress", step=step, n=n)))
        runs = strategy_runs(lm, ids, chosen, budget, n, temperature, seed, moves)
        progress.empty()
        if not runs:
            st.caption(t("compare.none"))
            return
        panels.table(page, "compare", comparison(page, runs, names), shares=("agreement",))
        compared_steps(page, runs, names)
        st.caption(t("compare.note"))


@fragment
def pages(ids):
    with panels.panel(page, "pages", "live"):
        share = controls.slider(page, "drop_share", 0, 100, 90, 5, "%d %%")
        result = drop_at_random(live.read(lm, ids).cache, share / 100)
        labels = t.words("pages", "held", "empty", "block", "physical", "position")
        numbers = {"dropped": result.dropped, "n": len(ids), "freed": result.freed, "blocks": result.full_blocks}
        cells = charts.pages_data(result)
        spec = charts.pages_chart(cells["block"].nunique(), **labels, language=page.language)
        draw(page, "pages", spec, cells, t.plain("pages.alt", **numbers))
        panels.download(page, "pages", lambda: cells)
        st.markdown(t("pages.result", expected=(share / 100) ** 16, **numbers))


@fragment
def models():
    with panels.panel(page, "models", "arithmetic"):
        with st.container(horizontal=True, gap="medium"):
            tokens = 2 ** controls.slider(page, "context_power", 10, 20, 15)
            sequences = controls.slider(page, "sequences", 1, 64, 1)
        data = charts.model_data(MODELS, tokens, sequences)
        st.caption(t("models.tokens", tokens=tokens, sequences=sequences))
        largest = data.loc[data["gb"].idxmax()]
        alt = t.plain("models.alt", model=largest["model"], tokens=tokens, sequences=sequences, gb=largest["gb"])
        spec = charts.model_bars(len(data), charts.ceilings(GPUS), 120.0, t.plain("models.gigabytes"), page.language)
        draw(page, "models", spec, data, alt)
        panels.table(page, "models", data)


lab(page, PRESETS, guess, work, lanes, compare, pages, max_tokens=400, min_tokens=2)
models()
panels.myth_fact(page)
panels.source(page, Cache.update, WatchedCache.update, STRATEGIES["sinks"], STRATEGIES["heavy_hitters"], PagedCache.drop, drift_from_full)
panels.sources(page)
