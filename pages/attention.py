"""Lab: who looks at whom. One head step by step, all heads at a glance, heads switched off."""

import streamlit as st

from core.charts import heads as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.decoding import distribution
from core.measure import kl
from core.measure.attention_stats import head_kind, head_profile, without_first
from core.measure.head_steps import head_steps
from core.models.attention import attention_pattern, attention_scores, weighted_values
from core.ui import controls, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.token_strip import Token, token_strip
from core.ui.traces import kinds, logits_without, traced

SHOWN = 40  # tokens in the map
STAGES = ("products", "scaled", "masked", "weights", "result")
PRESETS = {"default": {"layer": 8, "head": 6, "token": 400, "off": "none"}, "name": {}, "before": {"layer": 7, "head": 1}, "list": {}}

page = require("attention")
t, lm = page.t, page.lm
label = lm.tokenizer.label
WORDS = {kind: t.plain(f"kinds.{kind}") for kind in ("previous", "first", "induction", "same", "local", "diffuse", "mixed")}


def words(group, *keys):
    return {key: t.plain(f"{group}.{key}") for key in keys}


@fragment
def guess(ids):
    def answer():
        profiles = [head_profile(traced(lm, ids)[f"blocks.{i}.attn.hook_pattern"], ids) for i in range(lm.config.n_layers)]
        first, last = (sum(float(getattr(p, name).mean()) for p in profiles) / len(profiles) for name in ("first", "previous"))
        return "first" if first > last else "last", {"first": first, "last": last, "token": label(ids[0]), "even": 2 / len(ids)}

    panels.predict(page, ("last", "first"), answer)


@fragment
def experiment(ids):
    acts, names = traced(lm, ids), lm.tokenizer.labels(ids)
    found = kinds(lm, lm.name, tuple(ids))
    with st.container(horizontal=True, gap="large"):
        layer = controls.slider(page, "layer", 1, lm.config.n_layers, min(8, lm.config.n_layers))
        head = controls.slider(page, "head", 1, lm.config.n_heads, lm.config.n_heads)
        token = min(controls.slider(page, "token", 1, 400, 400), len(ids))
    pattern = acts[f"blocks.{layer - 1}.attn.hook_pattern"][head - 1]
    kind = found[layer - 1][head - 1]
    with panels.panel(page, "map", "live"):
        st.markdown(t("map.kind", layer=layer, head=head, kind=WORDS[kind]))
        hide = controls.toggle(page, "hide_first")
        shown = without_first(pattern) if hide else pattern
        if hide:
            st.caption(t("map.hidden", share=float(pattern[1:, 0].mean())))
        looks(shown, names, token)
        start = min(max(0, token - SHOWN), max(0, len(ids) - SHOWN))
        part = slice(start, start + SHOWN)
        data = charts.map_data(shown[part, part].numpy(), names[part], start)
        strongest = int(shown[token - 1].argmax())
        alt = t.plain("map.alt", layer=layer, head=head, token=names[token - 1], seen=names[strongest], share=float(shown[token - 1, strongest]))
        spec = charts.map_chart(data, words("map", "query", "key", "weight"), page.language)
        key = page.key(f"map_{layer}_{head}_{token}_{hide}")

        def picked():
            for row in st.session_state[key].selection.get("pick", []):
                controls.set_value(page, "token", int(row["q"]) + 1)

        st.altair_chart(spec, key=key, on_select=picked, alt=alt)
        panels.download(page, "map", lambda: data)
    steps(acts, layer, head, token, names)
    gallery(acts, found, layer, head)
    ablation(ids, acts, found, layer, head)
    panels.takeaway(page, layer=layer, head=head, kind=WORDS[kind], token=names[token - 1], seen=names[strongest], share=float(shown[token - 1, strongest]))


def looks(pattern, names, token):
    """The text inked by one row or one column of the map."""
    direction = controls.segmented(page, "direction", ["looks_at", "seen_by"], "looks_at")
    weights = pattern[token - 1] if direction == "looks_at" else pattern[:, token - 1]
    strip = [Token(name, float(w) ** 0.5, t.plain("token.share", token=name, share=float(w))) for i, (name, w) in enumerate(zip(names, weights))]
    token_strip(page, "strip", strip, t.plain("map.strip"), lambda i: controls.set_value(page, "token", i + 1), token - 1)


def steps(acts, layer, head, token, names):
    with panels.panel(page, "steps", "live"):
        stage = controls.segmented(page, "stage", STAGES, "weights")
        found = head_steps(acts, layer - 1, head - 1, token - 1)
        values = getattr(found, stage)
        st.caption(t(f"steps.say_{stage}", token=names[token - 1], n=token, d=len(found.query)))
        if stage == "result":
            data = charts.bars_data(values.numpy(), [str(i + 1) for i in range(len(values))])
        else:
            start = max(0, min(token + 2, len(names)) - SHOWN)
            part = slice(start, min(token + 2, len(names)))
            data = charts.bars_data(values[part].numpy(), names[part])
        alt = t.plain("steps.alt", stage=t.plain(f"stage.options.{stage}"), token=names[token - 1])
        st.altair_chart(charts.bars_chart(data, words("steps", "value", "token"), page.language), alt=alt)
        panels.download(page, "steps", lambda: data)


def gallery(acts, found, layer, head):
    with panels.panel(page, "gallery", "live"):
        patterns = [acts[f"blocks.{i}.attn.hook_pattern"].numpy() for i in range(lm.config.n_layers)]
        data = charts.gallery_data(patterns, found, WORDS)
        count = sum(kind == "first" for row in found for kind in row)
        key = page.key(f"gallery_{layer}_{head}")

        def picked():
            for row in st.session_state[key].selection.get("pick", []):
                controls.set_value(page, "layer", int(row["layer"]))
                controls.set_value(page, "head", int(row["head"]))

        chart = charts.gallery_chart(data, layer, head, words("gallery", "layer", "head", "kind"), page.language)
        st.altair_chart(chart, key=key, on_select=picked, alt=t.plain("gallery.alt", n=len(data), first=count))
        panels.download(page, "gallery", lambda: data.drop(columns="picture"))


def ablation(ids, acts, found, layer, head):
    with panels.panel(page, "ablation", "live"):
        off = controls.segmented(page, "off", ["none", "head", "kind", "layer"], "none")
        kind = found[layer - 1][head - 1]
        every = [(i, h) for i in range(lm.config.n_layers) for h in range(lm.config.n_heads)]
        chosen = {
            "none": [], "head": [(layer - 1, head - 1)], "layer": [(i, h) for i, h in every if i == layer - 1],
            "kind": [(i, h) for i, h in every if found[i][h] == kind],
        }[off]  # fmt: skip
        before = acts["logits"][-1]
        after = logits_without(lm, lm.name, tuple(ids), tuple(chosen)) if chosen else before
        p, q = distribution(before), distribution(after)
        best = p.topk(8).indices
        data = distribution_data(best, lm.tokenizer.labels(best), p[best], q[best])
        numbers = {"n": len(chosen), "kl": float(kl(before, after)), "before": label(p.argmax()), "after": label(q.argmax())}
        draw(page, "ablated", distribution_chart(8, **words("ablation", "before", "after", "token"), language=page.language), data, t.plain("ablation.alt", **numbers))
        st.markdown(t("ablation.result", **numbers))
        panels.download(page, "ablation", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
ids = controls.prompt(page, max_tokens=400, min_tokens=3)
with above:
    guess(ids)
experiment(ids)
panels.myth_fact(page)
panels.source(page, attention_scores, attention_pattern, weighted_values, head_steps, head_profile, head_kind)
panels.sources(page)
