"""What the embeddings page shows beside its map: arithmetic with words, a word in its sentences, whole sentences."""

from collections.abc import Sequence

import streamlit as st
import torch
from torch import Tensor

from core.charts import embeddings as charts
from core.measure.contextual import cosine_by_chance, cosine_by_layer, find_word, sentence_vectors, shared_words
from core.measure.embeddings import cosines, words_of
from core.ui import controls, panels
from core.ui import embeddings as kept
from core.ui.charts import draw
from core.ui.frame import fragment
from core.ui.live_slider import live_slider

MOST_CONTEXTS, MOST_SENTENCES, LONGEST = 4, 8, 64  # sentences compared; tokens of one that are read
SHOWN = 8  # tokens nearest to a result
SENSES = {"default": {}, "sense": {}, "form": {}, "unclear": {}}


def heatmap(page, name: str, labels: Sequence[str], similar: Tensor) -> None:
    """Cosines (n, n) as a table, and the two that are most alike. Texts: `<name>.alt`, `.result`, `.single`."""
    n, t = len(labels), page.t
    data = charts.table_data(labels, similar)
    alt = result = None
    if n > 1:
        apart = similar - 3 * torch.eye(n)
        i, j = divmod(int(apart.argmax()), n)
        pair = {"one": labels[i], "other": labels[j], "cosine": float(similar[i, j])}
        alt, result = t.plain(f"{name}.alt", **pair), t(f"{name}.result", **pair)
    draw(page, f"{name}_heat", charts.table_chart(n, t.plain("table.cosine"), page.language), data, alt or t.plain(f"{name}.single"))
    st.markdown(result or t(f"{name}.single"))
    panels.download(page, name, lambda: data)


@fragment
def analogies(page) -> None:
    """Arithmetic with words: one formula, and a list of them with honest places."""
    t, lm = page.t, page.lm
    left, right = st.columns([5, 6], gap="large")
    with left:
        formula = controls.text(page, "formula", most_signs=300, keep="head", live=True)
        try:
            found, terms, answer = kept.solve(lm, formula)
        except ValueError:
            st.info(t("analogies.unreadable"))
        else:
            _solution(page, found, answer)
    with right:
        st.markdown(t("quiz.title"))
        rows = kept.quiz(page)
        data = charts.quiz_data([row[0] for row in rows], [row[1].rank for row in rows], [row[1].rank_without for row in rows])
        names = {key: t.plain(f"quiz.{key}") for key in ("rank", "with_inputs", "without")}
        spec = charts.quiz_chart(len(rows), lm.tokenizer.n_vocab, page.language, **names)
        score = kept.score(page)
        draw(page, "quiz", spec, data, t.plain("quiz.alt", **score), lambda row: controls.set_value(page, "formula", row["formula"]))
        st.caption(t("quiz.caption", **score))
        panels.download(page, "quiz", lambda: data.drop(columns="label"))


def _solution(page, found: kept.Analogy, answer: str | None) -> None:
    t, shown = page.t, found.nearest[:SHOWN]
    roles = ["dropped" if token.id in found.inputs else "computed" for token in shown]
    data = charts.bars_data([kept.piece(page.lm, token.id) for token in shown], [token.cosine for token in shown], roles)
    says = {
        "first": kept.piece(page.lm, shown[0].id),
        "best": kept.piece(page.lm, found.best.id),
        "answer": answer or "",
        "rank": found.rank,
        "without": found.rank_without,
    }
    names = {key: t.plain(f"analogies.{key}") for key in ("token", "cosine", "computed", "dropped")}
    draw(page, "solution", charts.bars_chart(len(shown), **names, language=page.language), data, t.plain("analogies.alt", **says))
    st.markdown(t("analogies.input_first" if shown[0].id in found.inputs else "analogies.other_first", **says))
    if answer:
        st.markdown(t("analogies.hit" if found.rank_without == 1 else "analogies.missed", **says))
    panels.download(page, "analogy", lambda: data.drop(columns="label"))


@fragment
def context(page) -> None:
    """One word in several sentences: equal at the start, and then layer by layer."""
    t, lm = page.t, page.lm
    controls.presets(page, SENSES, "contexts", "contexts_presets")
    read = kept.read_sentences(lm, controls.text(page, "contexts", most_signs=2000, keep="head"), MOST_CONTEXTS, LONGEST)
    with controls.place():
        if read.cut:
            page.note("contexts.many", n=MOST_CONTEXTS, tokens=LONGEST)
    words = shared_words(lm.tokenizer, read.ids, words_of(read.lines[0], 100)[0])
    if len(read.lines) < 2 or not words:
        st.info(t("context.none"))
        return
    word = controls.select(page, "shared", words, words[-1]) if len(words) > 1 else words[0]
    places = [find_word(lm.tokenizer, ids, word) for ids in read.ids]
    similar, chance = cosine_by_layer(read.streams, places), cosine_by_chance(read.streams)
    n = len(read.lines)
    pairs = {t.plain("context.pair", a=i + 1, b=j + 1): similar[:, i, j] for i in range(n) for j in range(i + 1, n)}
    st.markdown("  \n".join(t("context.line", n=i + 1, line=line) for i, line in enumerate(read.lines)))
    other = t.plain("context.chance")
    data = charts.layers_data(pairs, chance, other)
    spec = charts.layers_chart(tuple(pairs), other, lm.config.n_layers, t.plain("context.layer"), t.plain("table.cosine"), page.language)
    last = {name: float(values[-1]) for name, values in pairs.items()}
    near, far = max(last, key=last.get), min(last, key=last.get)
    says = {"word": word, "near": near, "far": far, "cosine_near": last[near], "cosine_far": last[far], "chance": float(chance[-1])}
    draw(page, "layers", spec, data, t.plain("context.alt", **says))
    st.markdown(t("context.result" if n > 2 else "context.result_two", **says))
    panels.download(page, "context", lambda: data)


@fragment
def sentences(page) -> None:
    """Whole sentences as one vector each, by the mean of their tokens or by the last one."""
    lm = page.lm
    text = controls.text(page, "sentences", most_signs=3000, keep="head")
    read = kept.read_sentences(lm, text, MOST_SENTENCES, LONGEST)
    if read.cut:
        page.note("contexts.many", n=MOST_SENTENCES, tokens=LONGEST)
    left, right = st.columns([2, 3], gap="large", vertical_alignment="bottom")
    with left:
        pool = controls.segmented(page, "pool", ["mean", "last"], "last")
    with right:
        depth = lm.config.n_layers
        layer = int(live_slider(page, "layer", 0, depth, round(depth * 0.6), 1, every_step=True))
    vectors = sentence_vectors(read.streams, layer, pool)
    heatmap(page, "sentences", read.lines, cosines(vectors, vectors))
