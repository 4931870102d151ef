"""Page: how surprised a model is by a text, token by token, and how two texts, languages or models compare."""

import streamlit as st

from core.charts import perplexity as charts
from core.measure import Perplexity, perplexity
from core.ui import controls, engine, live, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.heads import look_at, place
from core.ui.live_slider import live_slider, selector
from core.ui.surprise import candidates, comparison, inked, other_model, surprise

FEW, DOZENS = 10, 100  # where "a few" and "dozens" of equally likely tokens end
NAMES = ("fact", "shuffled", "repeated", "languages", "capitals")
ROLES = {"a": "computed", "b": "reused"}  # the first text is orange, the second blue

page = require("perplexity")
t, lm = page.t, page.lm
PRESETS = {"default": {"token": None, "upto": 100}, **{name: {"against": t.plain(f"presets.{name}.against")} for name in NAMES}}


@fragment
def guess(ids):
    def answer():
        found = surprise(lm, ids)
        n = found.measured.perplexity
        values = {"n": n, "bits": float(found.bits.mean()), "vocabulary": lm.config.vocab_size}
        return "few" if n < FEW else "dozens" if n < DOZENS else "hundreds", values

    panels.predict(page, ("few", "dozens", "hundreds"), answer)


@fragment
def experiment(a_ids, b_ids):
    found = {"a": surprise(lm, a_ids), "b": surprise(lm, b_ids)}
    most = 8 * -(-int(max(text.bits.max() for text in found.values()) + 2) // 8)
    chosen = looked_at(found, a_ids, b_ids)
    with panels.panel(page, "text", "live"):
        upto = live_slider(page, "upto", 1, 100, 100, 1)
        for name in found:
            one_text(name, found, chosen, most, upto)
            seen_first()
    expected(found, chosen)
    with panels.panel(page, "compare", "live"):
        compare(found, a_ids, b_ids)
    with panels.panel(page, "jensen", "live"):
        jensen(found["a"], most)
    name, i = max(((name, found[name].most) for name in found), key=lambda at: found[at[0]].bits[at[1]])
    strange = {"token": found[name].labels[i], "most": float(found[name].bits[i]), "share": float(2 ** -found[name].bits[i])}
    a, b = found["a"].measured, found["b"].measured
    panels.takeaway(page, a=a.perplexity, a_bits=float(a.bits.mean()), b=b.perplexity, **strange)
    panels.myth_fact(page, right=a.perplexity, wrong=a.mean_of_exp)


def looked_at(found, a_ids, b_ids):
    """The text and place a click chose; until then the most surprising token of both."""
    at, n = place(page, "token", (*a_ids, *b_ids)), len(found["a"].labels)
    if at is None:
        at = max((found["a"].most, n + found["b"].most), key=lambda i: found["a"].bits[i] if i < n else found["b"].bits[i - n])
    return ("a", at) if at < n else ("b", min(at - n, len(found["b"].labels) - 1))


def one_text(name, found, chosen, most, upto):
    text, start = found[name], 0 if name == "a" else len(found["a"].labels)
    here = chosen[1] if chosen[0] == name else None
    st.markdown(t(f"text.{name}", n=len(text.labels), bits=float(text.bits.mean()), perplexity=text.measured.perplexity))
    inked(page, f"strip_{name}", text, here, lambda i: look_at(page, "token", start + i))
    data = charts.surprisal_data(text.labels, text.bits, here, upto)
    named = len(text.labels) <= charts.MOST_LABELS
    labels = t.words("text", "position", "token", "bits", "share", "so_far", "choices")
    spec = charts.surprisal_chart(ROLES[name], named, most, page.language, selector(page, "upto"), **labels)
    numbers = {"bits": float(text.bits.mean()), "perplexity": text.measured.perplexity, "most": float(text.bits.max())}
    alt = t.plain("text.alt", token=text.labels[text.most], **numbers)
    draw(page, f"bars_{name}", spec, data, alt, lambda row: look_at(page, "token", start + row["position"] - 1))
    panels.download(page, f"surprise_{name}", lambda: data.drop(columns=["label", "chosen", "upto"]))


def expected(found, chosen):
    text, at = found[chosen[0]], chosen[1]
    with panels.panel(page, "expected", "live"):
        sentence = st.container()
        share, rank, data = candidates(page, text, at)
        values = {"token": text.labels[at], "place": at + 1, "share": share, "rank": rank, "bits": float(text.bits[at])}
        sentence.markdown(t("expected.sentence", **values))
        panels.download(page, "expected", lambda: data)


def compare(found, a_ids, b_ids):
    rows = [(name, text) for name, text in found.items()]
    other = other_model(page)
    if other is not None:
        for name, ids in (("a", a_ids), ("b", b_ids)):
            theirs = other.tokenizer.encode(lm.tokenizer.decode(ids))
            rows.append((name, surprise(other, theirs[: other.config.context_length - 1])))
    data = charts.sum_data([(ROLES[name], text.lm.name, text.labels, text.n_bytes, text.bits) for name, text in rows])
    alt = t.plain("compare.alt", a=found["a"].per_byte, b=found["b"].per_byte)
    spec = charts.sum_chart(lm.name, page.language, **t.words("compare", "bytes", "bits", "token", "model", "a", "b"))
    draw(page, "sum", spec, data, alt)
    panels.download(page, "sum", lambda: data)
    panels.table(page, "compare", comparison([(t.plain(f"compare.{name}"), text) for name, text in rows]))
    numbers = {f"{name}_byte": text.per_byte for name, text in found.items()}
    st.markdown(t("compare.result", **numbers, **{f"{name}_token": float(text.bits.mean()) for name, text in found.items()}))


def jensen(text, most):
    means = {"right": text.measured.perplexity, "wrong": text.measured.mean_of_exp}
    values = means | {"token": text.labels[text.most], "bits": float(text.bits[text.most]), "part": text.part_of_most}
    data = charts.jensen_data(text.labels, text.bits, **means, words={key: t.plain(f"jensen.{key}", **means) for key in means})
    spec = charts.jensen_chart(most, page.language, **t.words("jensen", "bits", "choices", "token"))
    draw(page, "jensen", spec, data, t.plain("jensen.alt", **values))
    st.markdown(t("jensen.result", **values))
    panels.download(page, "jensen", lambda: data.drop(columns="word"))


@fragment
def lab():
    above = st.container()
    controls.presets(page, PRESETS)
    left, right = st.columns(2, gap="medium")
    with left:
        a_ids = controls.prompt(page, max_tokens=400, keep="head", min_tokens=2)
    with right:
        b_ids = controls.prompt(page, "against", max_tokens=400, keep="head", min_tokens=2)
    with above:
        guess(a_ids)
    experiment(a_ids, b_ids)
    for ask in engine.asked(page, engine.text_surprise):
        ask(a_ids)


lab()
panels.source(page, Perplexity, perplexity, live.expected)
panels.sources(page)
