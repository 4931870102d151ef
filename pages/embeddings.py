"""Lab: words as points. A map of the model's own vectors, neighbours, arithmetic with words, words in their sentences."""

import streamlit as st

from core.charts import embeddings as charts
from core.measure.contextual import cosine_by_layer, sentence_vectors
from core.measure.embeddings import analogy, cosines, nearest, word_tokens, word_vectors, words_of
from core.measure.projection import has_tsne, pca
from core.ui import controls, panels
from core.ui import embeddings as kept
from core.ui.charts import PICTURE_ONLY, draw, seen_first
from core.ui.embedding_views import analogies, context, heatmap, sentences
from core.ui.frame import fragment, require

MOST = 24  # words of the viewer's
STANDARD = ["animals", "numbers", "countries", "professions"]
PRESETS = {
    "default": {"groups": STANDARD, "both": False, "method": "flat", "look": "neighbours", "word": None},
    "landing": {},
    "languages": {"groups": ["animals", "numbers"], "both": True},
    "capitals": {"groups": ["countries", "capitals"], "look": "analogies"},
    "family": {"groups": [], "look": "table"},
    "invented": {},
}

page = require("embeddings")
t, lm = page.t, page.lm


def vectors_of(some):
    return word_vectors(kept.space(lm), [word_tokens(lm.tokenizer, word) for word in some])


@fragment
def guess():
    def answer():
        others = {choice: t.plain(f"predict.words.{choice}") for choice in ("spelling", "kind", "belongs")}
        vectors = vectors_of([t.plain("predict.word"), *others.values()])
        near = dict(zip(others, cosines(vectors[:1], vectors[1:])[0].tolist()))
        return max(near, key=near.get), near

    panels.predict(page, ("spelling", "kind", "belongs"), answer)


@fragment
def experiment():
    controls.presets(page, PRESETS)
    typed, n = words_of(controls.text(page, most_signs=600, keep="head", live=True), MOST)
    if n > MOST:
        page.note("prompt.many", n=MOST)
    typed = typed or words_of(t.plain("prompt.default"), MOST)[0]
    word = the_map(typed)
    views = {"neighbours": lambda: neighbours(word), "table": lambda: table(typed), "analogies": lambda: analogies(page)}
    views |= {"context": lambda: context(page), "sentences": lambda: sentences(page)}
    look = controls.segmented(page, "look", list(views), "neighbours")
    with panels.panel(page, look, "live"):
        views[look]()
    takeaway(kept.whole(lm, [word, *typed]))


def the_map(typed):
    with panels.panel(page, "map", "live"):
        groups = controls.several(page, "groups", kept.GROUPS, STANDARD)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            method = controls.segmented(page, "method", ["flat", "deep", *(["tsne"] if has_tsne() else [])], "flat")
            both = controls.toggle(page, "both")
        if not has_tsne():
            st.caption(t("method.missing"))
        found = kept.word_map(page, typed, groups, both, method)
        data = charts.map_data(found.words, found.groups, [kept.pieces(lm, ids) for ids in found.tokens], found.points)
        legend = tuple((group, t.plain(f"groups.options.{group}")) for group in groups)
        axes = [t.plain(f"map.{'axis' if found.shares else 'free'}", n=i) for i in (1, 2, 3)]
        word = kept.looked_at(page, typed, found.words)
        alt = t.plain("map.alt", n=len(found.words), word=word)
        if method == "deep":
            figure = charts.deep_map(data, legend, axes, t.plain("map.own"), st.context.theme.type or "light")
            st.plotly_chart(figure, key=page.key("deep"), alt=alt, config=PICTURE_ONLY)
        else:
            spec = charts.map_chart(legend, *axes[:2], **t.words("map", "word", "tokens"), language=page.language)
            draw(page, "map", spec, data, alt, lambda row: controls.set_value(page, "word", row["word"]))
        seen_first()
        says = method if groups or method != "flat" else "own"
        st.caption(t(f"map.says.{says}", share=sum(found.shares), d=lm.config.d_model))
        panels.download(page, "map", lambda: data.drop(columns=["label", "labelled"]))
    return word


def neighbours(word):
    (ids, found), space = kept.neighbours(lm, word), kept.space(lm)
    shown = [kept.piece(lm, token.id) for token in found], [token.cosine for token in found], ["computed"] * len(found)
    data = charts.bars_data(*shown, [token.raw for token in found])
    st.markdown(t("neighbours.one" if len(ids) == 1 else "neighbours.several", word=word, n=len(ids), tokens=kept.pieces(lm, ids)))
    spec = charts.bars_chart(len(found), **t.words("neighbours", "token", "cosine", "raw"), language=page.language)
    draw(page, "near", spec, data, t.plain("neighbours.alt", word=word, first=data["token"][0], cosine=found[0].cosine))
    st.caption(t("neighbours.centred", first=data["token"][0], raw=found[0].raw, chance=space.chance, chance_raw=space.chance_raw))
    panels.download(page, "neighbours", lambda: data.drop(columns=["label", "role"]))


def table(typed):
    vectors = vectors_of(typed)
    heatmap(page, "table", typed, cosines(vectors, vectors))


def takeaway(word):
    first = kept.neighbours(lm, word)[1][0]
    panels.takeaway(page, word=word, first=kept.piece(lm, first.id), cosine=first.cosine, chance=kept.space(lm).chance, d=lm.config.d_model)


guess()
experiment()
panels.myth_fact(page, **kept.score(page))
panels.source(page, nearest, word_vectors, analogy, pca, cosine_by_layer, sentence_vectors)
panels.sources(page)
