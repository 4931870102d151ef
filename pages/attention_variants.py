"""Page: heads that share keys and values. The cache shrinks several times, the loss hardly moves, if the network was trained so."""

import math

import streamlit as st

from core import costs
from core.charts import attention_variants as charts
from core.charts.kv_cache import ceilings
from core.checkpoints.variants import KINDS
from core.measure.decode_cost import seconds_per_token
from core.measure.shared_heads import read_shared
from core.models.head_pooling import pooling
from core.models.latent_attention import LatentAttention
from core.ui import controls, panels, variants
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, run_again
from core.ui.lab import lab
from core.ui.measuring import start_and_stop

MODELS = ("Llama-2-7B", "Llama-3-8B", "Mistral-7B", "Gemma-3-1B", "Gemma-3-27B", "gpt-oss-20b", "gpt-oss-120b", "Llama-3-70B",
          "Llama-3.1-405B", "DeepSeek-V3")  # fmt: skip
GPUS = ("RTX 4090", "H100 SXM")
FILLED = (128, 512, 1000)  # tokens in the cache while the speed is measured
PRESETS = {
    "default": {"kind": "mha", "kv_heads": 3},
    "name": {},
    "mixed": {"kind": "gqa"},
    "one": {"kind": "mqa", "kv_heads": 1},
    "latent": {"kind": "mla"},
    "pooled": {"kind": "gqa", "kv_heads": 2},
}

page = require("attention_variants")
t = page.t
names = {kind: t.plain(f"kind.options.{kind}") for kind in KINDS}
RUNNING, MEASURED = page.key("running"), page.key("measured")
if page.entered:
    st.session_state[RUNNING] = False


@fragment
def guess(ids):
    def answer():
        by_kind = {kind: losses for kind, _, losses in variants.seeds("mean")}
        rises = [by_kind["mqa"][seed] / loss - 1 for seed, loss in by_kind["mha"].items()]
        return "hardly" if max(rises) < 0.05 else "clearly", {"low": min(rises), "high": max(rises)}

    panels.predict(page, ("hardly", "clearly", "broken"), answer)


@fragment
def sharing(ids):
    ids = variants.own_tokens(page.lm, ids)
    with panels.panel(page, "sharing", "live"):
        kind = controls.segmented(page, "kind", KINDS, "mha")
        found, values = variants.read(ids, kind), {"kind": names[kind], **variants.kept_numbers(ids, kind)}
        variants.draw_sharing(page, "sharing", found, ids, values["whole"], kind == "mla", t.plain("sharing.alt", **values))
        seen_first()
        st.markdown(t(f"explained.{kind}", **values))
        st.markdown(t("sharing.result", **values))
    with panels.panel(page, "own", "live"):
        variants.draw_own(page, ids, kind)


@fragment
def trade(ids):
    with panels.panel(page, "trade", "recorded"):
        source = controls.select(page, "source", variants.sources(), "mean")
        rows = variants.seeds(source)
        points = [(names[kind], size, by[seed], role) for kind, size, by in rows for seed, role in (("0", "computed"), ("1", "dropped"))]
        data = charts.trade_data(points)
        edges = math.floor(20 * data["loss"].min() - 0.5) / 20, math.ceil(20 * data["loss"].max() + 1) / 20
        roles = (("computed", t.plain("trade.first")), ("dropped", t.plain("trade.second")))
        spec = charts.trade_chart(*edges, roles, page.language, **t.words("trade", "bytes", "loss"))
        values = variants.spread(rows)
        draw(page, "trade", spec, data, t.plain("trade.alt", **values))
        st.markdown(t("trade.result", **values))
        panels.download(page, "trade", lambda: data)


@fragment
def pool(ids):
    ids = variants.own_tokens(page.lm, ids)
    with panels.panel(page, "pool", "live"):
        heads = controls.segmented(page, "kv_heads", variants.head_counts(), 3)
        found, values = variants.read_pooled(ids, heads), variants.pooled_numbers(ids, heads)
        variants.draw_sharing(page, "pool", found, ids, values["whole"], False, t.plain("pool.alt", **values))
        seen_first()
        st.markdown(t("pool.result" if values["size"] > 1 else "pool.whole", **values))
        variants.draw_broken(page, ids, heads, t.plain("pool.alt", **values))
    panels.takeaway(page, **variants.learnt(ids))


@fragment
def latent(ids):
    ids = variants.own_tokens(page.lm, ids)
    with panels.panel(page, "latent", "live"):
        st.markdown(t("latent.formulas"))
        st.markdown(t("latent.result", **variants.latent_numbers(ids)))


@fragment
def speed():
    state = st.session_state
    with panels.panel(page, "speed", "live"):
        tokens = controls.segmented(page, "filled", FILLED, 1000)
        if state.get(page.key("measured_at")) != tokens:
            state[page.key("measured_at")], state[MEASURED], state[RUNNING] = tokens, {}, False
        start_and_stop(page, variants.measured_share, "speed")
        measured = state[MEASURED]
        if measured:
            variants.draw_speed(page, measured, tokens)
        else:
            st.caption(t("speed.idle"))
    if state.get(RUNNING):
        state[RUNNING] = variants.measure_next(measured, tokens)
        run_again()


@fragment
def models():
    with panels.panel(page, "models", "arithmetic"):
        with st.container(horizontal=True, gap="medium"):
            tokens = 2 ** controls.slider(page, "context_power", 10, 20, 17)
            sequences = 2 ** controls.slider(page, "batch_power", 0, 8, 3)
        data = charts.models_data(MODELS, tokens, sequences)
        values = {"tokens": tokens, "sequences": sequences} | variants.model_numbers(data)
        st.caption(t("models.tokens", **values))
        spec = charts.models_chart(len(data), ceilings(GPUS), page.language, **t.words("models", "axis", "heads", "reused", "dropped"))
        draw(page, "models", spec, data, t.plain("models.alt", **values))
        st.markdown(t("models.result", **values))
        panels.table(page, "models", data[["model", "heads", "gb", "unshared", "per_token"]].round(3))


lab(page, PRESETS, guess, sharing, trade, pool, latent, max_tokens=320, min_tokens=2)
speed()
models()
panels.myth_fact(page)
panels.myth_fact(page, "order")
panels.source(page, read_shared, LatentAttention.absorbed, LatentAttention.expanded, pooling, seconds_per_token, costs.kv_cache_bytes)
panels.sources(page)
