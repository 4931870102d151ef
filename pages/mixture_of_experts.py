"""Lab: a router sends every token to two of eight small networks. Where they go, what evens out the load, what one expert matters."""

import streamlit as st

from core import costs
from core.charts import experts as charts
from core.measure.experts import explained, losses_without, routes
from core.models.moe import balanced_bias, balancing_loss, route, steered
from core.ui import controls, expert_runs, experts, heads, panels
from core.ui.charts import draw, seen_first
from core.ui.expert_score import expert_score
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider
from core.ui.seldom import seldom
from core.ui.token_strip import token_strip

LAYERS, EXPERTS = range(1, experts.N_LAYERS + 1), range(1, experts.N_EXPERTS + 1)
CELLS = ["most", *(f"{layer}.{expert}" for layer in LAYERS for expert in EXPERTS)]
PRESETS = {
    "default": {"balance": "loss", "layer": 1, "way": "forbid", "cell": "most"},
    "words": {},
    "languages": {"layer": 4},
    "collapse": {"balance": "none", "layer": 4},
    "subjects": {"balance": "bias", "layer": 2},
    "one_out": {},
}

page = require("mixture_of_experts")
t = page.t


@fragment
def guess(ids):
    def answer():
        same, any_pair, n = experts.pairs("loss", ids, 0)
        told = experts.mean_explained("loss")
        return "token", {"same": round(same * n), "any": any_pair, "n": n, "token": told["token"], "subject": told["document"]}

    panels.predict(page, ("subject", "token", "chance"), answer)


@fragment
def picture(ids, balance, layer):
    found, names = experts.where(balance, ids), experts.labels(ids)
    busiest, idlest = float(found.loads[layer].max()), float(found.loads[layer].min())
    with panels.panel(page, "score", "live"):
        chosen = heads.place(page, "token", ids)
        token = len(ids) - 1 if chosen is None else chosen
        expert_score(page, "score", balance, names, found, layer, token, lambda i: heads.look_at(page, "token", i))
        seen_first(page, ids, balance, layer)
        panels.download(page, "score", lambda: experts.score_table(page, ids, found))
    load(found, token, names[token], {"layer": layer + 1, "busiest": busiest, "idlest": idlest, "even": 1 / len(EXPERTS), "n": len(ids)})
    size = experts.evaluation()[balance]
    sizes = {"total": size["parameters"] / 1e6, "active": size["active_parameters"] / 1e6}
    panels.takeaway(page, busiest=busiest, layer=layer + 1, even=1 / len(EXPERTS), **sizes)


@fragment
def lab():
    above = st.container()
    controls.presets(page, PRESETS)
    ids = experts.asked(page)
    with st.container(horizontal=True, gap="medium"):
        balance = controls.segmented(page, "balance", list(charts.BALANCES), "loss")
        layer = controls.segmented(page, "layer", LAYERS, 1) - 1
    picture(ids, balance, layer)
    with above:
        guess(ids)
    steer(ids, balance)
    expert_runs.course(page, layer)
    expert_runs.special(page, balance, layer)


def load(found, token, name, says):
    with panels.panel(page, "load", "live"):
        left, right = st.columns(2, gap="medium")
        words = t.words("load", "layer", "expert", "share") | {"language": page.language}
        data = charts.shares_data(found.loads.numpy())
        with left:
            st.markdown(t("load.text"))
            top = 0.5 if data["share"].max() <= 0.5 else 1.0
            draw(page, "load", charts.shares_chart(*found.loads.shape, top, **words), data, t.plain("load.alt", **says))
        with right:
            st.markdown(t("load.router", token=name, place=token + 1))
            router = charts.shares_data(found.probs[:, token].numpy())
            likeliest = float(found.probs[says["layer"] - 1, token].max())
            spec = charts.shares_chart(*found.loads.shape, 1.0, **words | {"share": t.plain("load.probability")})
            draw(page, "router", spec, router, t.plain("load.router_alt", token=name, likeliest=likeliest, **says))
            panels.download(page, "router", lambda: router)
        with left:
            panels.download(page, "load", lambda: data)
        st.markdown(t("load.result", **says))


@fragment
def steer(ids, balance):
    with panels.panel(page, "steer", "live"):
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            way = controls.segmented(page, "way", ("forbid", "force"), "forbid")
            cell = controls.select(page, "cell", CELLS, "most")
        place = st.empty()
        whole, change = experts.matters(balance, ids, way, seldom(lambda share: place.progress(share, t("steer.working", share=share))))
        place.empty()
        at = divmod(int(change.argmax()), len(EXPERTS)) if cell == "most" else tuple(int(part) - 1 for part in cell.split("."))
        says = {"layer": at[0] + 1, "expert": at[1] + 1, "before": whole, "after": whole + change[at], "change": change[at]}
        data = charts.grid_data(change, at)
        words = t.words("steer", "layer", "expert", "change")
        spec = charts.grid_chart(**words, language=page.language)
        pick = lambda row: controls.set_value(page, "cell", f"{int(row['layer'])}.{int(row['expert'])}")  # noqa: E731
        draw(page, "grid", spec, data, t.plain("steer.alt", **says), pick)
        st.markdown(t(f"steer.result.{way}", **says) + (f" {t('steer.fell')}" if says["change"] < 0 else ""))
        plain, other = experts.written(balance, ids), experts.written(balance, ids, (*at, way))
        for name, new, old in (("plain", plain, other), ("other", other, plain)):
            st.caption(t(f"steer.{name}.{way}", **says) if name == "other" else t("steer.plain"))
            if new:
                token_strip(page, name, experts.marked(new, old), t.plain("steer.strip"))
            else:
                st.markdown(t("steer.nothing"))
        panels.download(page, "steer", lambda: data.drop(columns=["framed", "shade"]))


@fragment
def published():
    with panels.panel(page, "published", "arithmetic"):
        with st.container(horizontal=True, gap="medium"):
            unit = controls.segmented(page, "unit", ("count", "bf16", "fp8_e4m3", "q4_0"), "count")
            sequences = int(live_slider(page, "sequences", 1, 128, 1, 1, every_step=True))
        data = charts.models_data(unit, sequences)
        one = data.set_index("model").loc["DeepSeek-V3"]
        says = {"n": sequences, "held": one["held"], "read": one["read"], "part": one["read_share"]}
        counted = "billions" if unit == "count" else "gb"
        says["unit"] = t.plain(f"published.{counted}")
        words = t.words("published", "held", "read", "experts", "part") | {"axis": t.plain(f"published.axis_{counted}")}
        spec = charts.models_chart(**words, language=page.language)
        draw(page, "published", spec, data, t.plain("published.alt", **says))
        st.markdown(t("published.one" if sequences == 1 else "published.many", **says))
        panels.download(page, "published", lambda: data)


lab()
expert_runs.quality(page)
published()
panels.myth_fact(page, **experts.mean_explained("loss"))
panels.myth_fact(page, "small_myth", held=costs.weight_bytes(costs.models()["Mixtral 8x7B"], "fp16") / 1e9)
panels.source(page, route, balancing_loss, balanced_bias, routes, steered, losses_without, explained)
panels.sources(page)
