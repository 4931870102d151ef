"""From text to numbers: what tokens are, how merges build them, and what they cost in other languages."""

import streamlit as st

from core.charts import encodings as charts
from core.checkpoints.encodings import COMMAND
from core.tokenization import align, bpe, merge_tree, part_to_show
from core.tokenization.languages import COMPOUNDS, SENTENCES, count_compounds, count_languages
from core.tokenizers import readable
from core.training.bpe import merge, train
from core.ui import bpe_run, controls, panels
from core.ui.charts import draw
from core.ui.encodings import BUNDLED, encodings
from core.ui.frame import fragment, require, run_again
from core.ui.merge_steps import merge_steps
from core.ui.token_lanes import chosen_token, token_lanes
from core.ui.token_strip import token_strip

LONGEST = 1_500  # characters whose tokens are shown
PIECE = 28  # bytes of the longest piece whose merges are shown as a whole
CORPUS = 20_000  # characters to train on
TIMES = 1_000_000  # sentences that are paid for
MEASURES = ("tokens", "per_character", "bytes_per_token", "cost")
PRESETS = {
    "default": {"under": "id", "chosen": None, "step": None},
    "compound": {},
    "bytes": {"under": "bytes"},
    "numbers": {},
    "odd": {"chosen": (1, 2)},  # the third token of the second row
    "spaces": {},
}

page = require("tokens")
t, state = page.t, st.session_state
known = encodings(page.lm)


@fragment
def guess():
    def answer():
        tokens = count_compounds(known.tokenizers[BUNDLED])[0][1]
        n = len(tokens["de"])
        right = "one" if n == 1 else "few" if n < 5 else "many"
        return right, {"n": n, "cut": charts.cut(tokens["de"]), "english": COMPOUNDS[0]["en"], "m": len(tokens["en"])}

    panels.predict(page, ("one", "few", "many"), answer)


@fragment
def experiment():
    controls.presets(page, PRESETS)
    text = controls.text(page, most_signs=LONGEST, keep="head", live=True)
    rows = known.rows(page, text)
    lanes, (row, token) = [one.lane for one in rows], chosen_token(page, rows)
    with panels.panel(page, "lanes", "live"):
        under = controls.segmented(page, "under", ("id", "bytes", "none"), "id")
        chunks = align(text, lanes)
        label = t.plain("lanes.label", n=len(lanes), ringed=sum(chunk.differs for chunk in chunks))
        token_lanes(page, "lanes", rows, chunks, under, (row, token), label, lambda place: state.update({page.key("chosen"): place}))
        if known.missing:
            st.caption(t("lanes.missing", names=t.join(known.missing), command=COMMAND))
        panels.download(page, "lanes", lambda: charts.lanes_data(lanes))
    tree(text, lanes[row], token)
    few, many = min(rows, key=lambda one: len(one.lane.ids)), max(rows, key=lambda one: len(one.lane.ids))
    ends = {"few": few.label, "n_few": len(few.lane.ids), "many": many.label, "n_many": len(many.lane.ids)}
    panels.takeaway(page, signs=len(text), n=len(lanes[0].ids), per=len(text) / len(lanes[0].ids), **ends)


@fragment
def tree(text, lane, i):
    tokenizer = known.tokenizers[lane.name]
    piece, own = part_to_show(tokenizer.pieces(text), lane.edges[i], lane.edges[i + 1], PIECE)
    nodes = merge_tree(piece, tokenizer.rank)
    with panels.panel(page, "merges", "live"):
        st.markdown(t("merges.which", token=readable(lane.tokens[i]), id=lane.ids[i], encoding=known.labels[lane.name]))
        merge_steps(page, "merges", nodes, own, lane.name)
        panels.download(page, "merges", lambda: charts.merges_data(nodes))


@fragment
def languages():
    with panels.panel(page, "languages", "arithmetic"):
        left, right = st.columns(2)
        with left:
            measure = controls.select(page, "measure", MEASURES, "tokens")
        with right:
            price = controls.number(page, "price", 0.0, 1000.0, 2.5, 0.1)
        counts = count_languages(known.tokenizers)
        names = {language: t.plain(f"languages.names.{language}") for language in SENTENCES}
        data = charts.languages_data({(language, known.roles[name]): one for (language, name), one in counts.items()}, names, price, TIMES)
        shown = tuple((known.roles[name], label) for name, label in known.labels.items())
        most = max(SENTENCES, key=lambda language: counts[language, BUNDLED].tokens)
        numbers = {"language": names[most], "n": counts[most, BUNDLED].tokens, "english": counts["en", BUNDLED].tokens}
        spec = charts.languages_chart(measure, t.plain(f"measure.options.{measure}"), shown, page.language)
        draw(page, "languages", spec, data, t.plain("languages.alt", **numbers))
        costs = {"cost": counts[most, BUNDLED].cost(price, TIMES), "cost_english": counts["en", BUNDLED].cost(price, TIMES)}
        st.markdown(t("languages.result", **numbers, **costs))
        panels.download(page, "languages", lambda: data)


@fragment
def compounds():
    with panels.panel(page, "compounds", "live"):
        name = controls.segmented(page, "encoding", list(known.tokenizers), BUNDLED)
        data = charts.compounds_data(count_compounds(known.tokenizers[name]))
        german, english = (int(data[f"{language}_tokens"].sum()) for language in ("german", "english"))
        spec = charts.compounds_chart(**t.words("compounds", "german", "english", "tokens"), language=page.language)
        draw(page, "compounds", spec, data, t.plain("compounds.alt", german=german, english=english))
        panels.download(page, "compounds", lambda: data)


@fragment
def training():
    with panels.panel(page, "training", "live"):
        text = controls.text(page, "corpus", most_signs=CORPUS, keep="head")
        n = controls.slider(page, "n_merges", 20, 400, 80, 20)
        run = bpe_run.training(page, text, n)
        bpe_run.button(page, run)
        done = len(run.merges)
        st.progress(done / n, t("training.progress", done=done, n=n))
        data = charts.training_data(run.merges, run.n_bytes)
        spec = charts.training_chart(n, **t.words("training", "merges", "share", "token", "count", "tokens"), language=page.language)
        numbers = {"n": done, "bytes": run.n_bytes, "tokens": run.n_tokens, "bundled": len(known.tokenizers[BUNDLED].encode(text))}
        draw(page, "training", spec, data, t.plain("training.alt", **numbers))
        st.caption(t("training.newest"))
        token_strip(page, "newest", bpe_run.newest(page, run, 24), t.plain("training.newest"))
        st.caption(t("training.text"))
        token_strip(page, "trained", bpe_run.excerpt(run), t.plain("training.text"))
        st.markdown(t("training.result", vocabulary=256 + done, **numbers))
        panels.download(page, "training", lambda: data)
    if run.going:
        run_again()


guess()
experiment()
languages()
compounds()
training()
panels.myth_fact(page, cut=charts.cut(count_compounds(known.tokenizers[BUNDLED])[0][1]["de"]))
panels.source(page, bpe, merge_tree, align, train, merge)
panels.sources(page)
