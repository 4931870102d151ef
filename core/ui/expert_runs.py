"""The recorded part of the page on mixtures of experts: their training, what experts get, and how good they are."""

import streamlit as st

from core.charts import experts as charts
from core.ui import experts, panels
from core.ui.charts import draw


def course(page, layer: int) -> None:
    """How even the load of a layer (from 0) was along training, for every method."""
    t = page.t
    with panels.panel(page, "course", "recorded"):
        data = charts.course_data(experts.log(), layer)
        ends = {kind: float(rows["share"].iloc[-1]) for kind, rows in data[data["end"] == "most"].groupby("kind")}
        words = t.words("course", "tokens", "share") | t.words("balance.options", *charts.BALANCES)
        top = 0.3 if data["share"].max() < 0.3 else 0.6
        spec = charts.course_chart(float(data["tokens"].max()), top, 1 / experts.N_EXPERTS, language=page.language, **words)
        draw(page, "course", spec, data, t.plain("course.alt", layer=layer + 1, **ends))
        other = {f"{kind}_else": max(layers[layer]["loads"]) for kind, layers in experts.held_out()["networks"].items()}
        st.markdown(t("course.result", layer=layer + 1, **ends, **other))
        panels.download(page, "course", lambda: data.drop(columns="role"))


def special(page, balance: str, layer: int) -> None:
    """What decides on the expert, and what the experts of a layer (from 0) get, on held-out text."""
    t = page.t
    with panels.panel(page, "special", "recorded"):
        run = experts.held_out()
        layers = run["networks"][balance]
        data = charts.factors_data(layers, t.words("special.factors", *charts.FACTORS))
        told = {"same": layers[layer]["same_as_next"], "chance": layers[layer]["by_chance"], "layer": layer + 1, "n": run["tokens"]}
        told |= experts.mean_explained(balance)
        spec = charts.factors_chart(**t.words("special", "share", "layer"), language=page.language)
        draw(page, "factors", spec, data, t.plain("special.alt", **told))
        st.markdown(t("special.result", **told))
        panels.download(page, "special", lambda: data.drop(columns="mean"))
        st.markdown(f"**{t('typical.title', layer=layer + 1)}**")
        panels.table(page, "typical", experts.typical_table(layers[layer]), shares=("share",))
        words = t.words("special.kinds", *run["kinds"])
        kinds = charts.kinds_data(layers[layer]["kinds"], words, t.plain("special.all"))
        spec = charts.kinds_chart(**t.words("special", "expert", "of_tokens", "tokens"), language=page.language)
        draw(page, "kinds", spec, kinds, t.plain("special.kinds_alt", **told))
        panels.download(page, "kinds", lambda: kinds)


def quality(page) -> None:
    """Held-out loss of the dense network and of the three mixtures."""
    t = page.t
    with panels.panel(page, "quality", "recorded"):
        networks = experts.evaluation()
        sources = {name: t.plain(f"quality.sources.{name}") for name in networks["dense"]["held_out_nats_per_token"]}
        data = charts.losses_data(networks, sources)
        means = {kind: float(rows["nats"].mean()) for kind, rows in data.groupby("kind")}
        words = {kind: t.plain(f"quality.networks.{kind}") for kind in charts.NETWORKS}
        spec = charts.losses_chart(4.0, 5.0, t.plain("quality.nats"), language=page.language, **words)
        draw(page, "quality", spec, data, t.plain("quality.alt", **means))
        size = {"dense_size": networks["dense"]["parameters"] / 1e6, "size": networks["loss"]["parameters"] / 1e6}
        st.markdown(t("quality.result", gain=round(means["dense"], 2) - round(means["loss"], 2), **size, **means))
        panels.download(page, "quality", lambda: data.drop(columns="role"))
