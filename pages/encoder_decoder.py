"""Lab: who may look where. A gap filled from both sides or from the left, three masks, a translation and what it looked at."""

import streamlit as st

from core.charts import translation as charts
from core.charts.theme import of_height
from core.measure.recorded import recorded
from core.models.attention import causal_mask
from core.models.seq2seq import bidirectional_mask, translate
from core.translation.comparing import gap_probs
from core.translation.words import SPECIAL
from core.ui import controls, panels
from core.ui import translation as kept
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import selector, stepped_slider

ALL = 32.0  # words written: all of them
PRESETS = {
    "default": {"gap": kept.AUTO, "written": ALL},
    "right": {},
    "first": {"gap": 1},
    "open": {"gap": 3},
    "several": {},
    "beyond": {},
}

page = require("encoder_decoder")
t = page.t
CELL = t.words("map", "by", "at", "weight").values()


@fragment
def guess():
    def answer():
        found = kept.gaps(kept.example(page))
        says = kept.gap_numbers(found, found.widest)
        return next(name for name, most in kept.SURE.items() if says["left"] <= most), says

    panels.predict(page, tuple(kept.SURE), answer)


@fragment
def filling(read):
    found = kept.gaps(read)
    with panels.panel(page, "gap", "live"):
        at = kept.gap_place(page, found)
        says, (before, whole) = kept.gap_numbers(found, at), kept.with_gap(found, at)
        left, right = st.columns(2, gap="medium")
        left.markdown(t("gap.decoder", text=before))
        right.markdown(t("gap.encoder", text=whole))
        data = charts.gap_data(found.both[at].numpy(), found.left[at].numpy(), kept.names(page), read.ids[at])
        spec = charts.gap_chart(**t.words("gap", "both", "left", "candidate"), language=page.language)
        draw(page, "gap", spec, data, t.plain("gap.alt", **says))
        seen_first()
        kept.gap_strip(page, found, at)
        st.markdown(t("gap.result", **says))
        panels.download(page, "gap", lambda: data.drop(columns="row"))
    panels.takeaway(page, **says)
    there = kept.translation(read.ids, read.target)
    with panels.panel(page, "masks", "live"):
        for column, (name, mask) in zip(st.columns(3, gap="medium"), kept.masks(page, found, at, there).items()):
            with column:
                st.markdown(f"**{t(f'masks.{name}')}**")
                cells = kept.mask_data(mask)
                spec = of_height(charts.mask_chart(*CELL, page.language), len(mask[0]), charts.ROW, charts.HEAD)
                draw(page, f"mask_{name}", spec, cells, t.plain(f"masks.{name}_alt"))
                st.markdown(t(f"masks.{name}_for"))
                panels.download(page, f"mask_{name}", lambda cells=cells: cells.drop(columns="framed"))


@fragment
def writing(read):
    there = kept.translation(read.ids, read.target)
    with panels.panel(page, "translate", "live"):
        last = len(there.ids)
        n = stepped_slider(page, "written", last, ALL, "translate")
        says = kept.translation_numbers(page, read, there, n)
        st.markdown(t(f"translate.{read.target}", **says))
        written, source = kept.row_names(page, there)
        data = charts.looks_data(there.looked.numpy(), there.looked.numpy() >= 0, written, source)
        spec = charts.alignment_chart(*CELL, selector(page, "written"), page.language)
        draw(page, "alignment", of_height(spec, last, charts.ROW, charts.HEAD), data, t.plain("translate.alt", **says))
        st.markdown(t("translate.step", **says))
        st.markdown(t("translate.again" if there.ended else "translate.endless", **says))
        st.caption(t("translate.unseen" if kept.unseen(read, there) else "translate.maybe"))
        panels.download(page, "translate", lambda: data.drop(columns=["role", "framed"]))
    panels.myth_fact(page, **says)


@fragment
def trained():
    run = recorded("encoder_decoder_evaluation")
    with panels.panel(page, "trained", "recorded"):
        best = run["networks"]["translator"]
        numbers = {"de_to_en": best["de_to_en"], "en_to_de": best["en_to_de"], "parameters": best["parameters"]}
        panels.metrics(page, numbers, {"de_to_en": ".1%", "en_to_de": ".1%", "parameters": ",d"})
        sizes = {f"{kind}_size": network["parameters"] for kind, network in run["networks"].items()}
        made = {"steps": run["steps"], "rows": run["recipe"]["batch_rows"], "command": run["command"]}
        st.caption(t("trained.how", n=best["sentences"], **made, **sizes))


@fragment
def body():
    above = st.container()
    controls.presets(page, PRESETS)
    read = kept.sentence(page, controls.text(page, one_line=True))
    with above:
        guess()
    with st.expander(t("known.label", n=len(kept.names(page)) - len(SPECIAL) - 1), icon=":material/dictionary:"):
        st.markdown(t("known.words", de=kept.known_words(page, "de"), en=kept.known_words(page, "en")))
    filling(read)
    writing(read)


body()
trained()
panels.source(page, bidirectional_mask, causal_mask, gap_probs, translate)
panels.sources(page)
