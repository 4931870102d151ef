"""The front door: the model at work on the viewer's own sentence, then the way to the labs."""

import streamlit as st

from core.charts.distribution import distribution_chart, distribution_data
from core.costs import parameters
from core.decoding import distribution
from core.ui import controls, glossary, lessons, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require, sections
from core.ui.token_strip import read_tokens, token_strip
from core.ui.topic_map import topic_map

SHOWN = 6  # candidates in the chart
WRITTEN = 18  # tokens of the continuation
SEED = 7  # of the first continuation
WAYS = {
    "newcomer": ("language_model", "tokens", "next_token", "attention", "context_window"),
    "engineer": ("inside", "kv_cache", "quantization", "flash_attention", "paged_cache"),
    "new": ("embeddings", "bias_and_calibration", "multimodal", "timeline"),
}
ICONS = {"newcomer": ":material/school:", "engineer": ":material/build:", "new": ":material/fiber_new:"}

page = require("home")
t, state = page.t, st.session_state
titles = {stem: (t.plain(f"pages.{stem}.title"), t.plain(f"pages.{stem}.question")) for labs in sections().values() for stem, _ in labs}


@fragment
def at_work():
    prompt = controls.prompt(page, max_tokens=256, live=True)
    reading = live.read(page.lm, prompt)
    left, right = st.columns(2, gap="medium")
    with left, panels.panel(page, "next", "live", stretch=True):
        probs = distribution(reading.logits)
        best = probs.topk(SHOWN).indices
        data = distribution_data(best, page.lm.tokenizer.labels(best), probs[best], probs[best])
        spec = distribution_chart(SHOWN, "", t.plain("next.after"), t.plain("next.token"), page.language)
        draw(page, "bars", spec, data, t.plain("next.alt", token=data["token"][0], share=float(data["after"][0])))
    with right, panels.panel(page, "written", "live", stretch=True):
        place = st.empty()
        seed = state.setdefault(page.key("seed"), SEED)
        other = {page.key("seed"): seed + 1}
        st.button(t("written.other"), key=page.key("other"), icon=":material/casino:", on_click=state.update, args=(other,))
        whole = live.go_on(page.lm, reading, WRITTEN, seed, temperature=0.7, top_p=0.9)
        with place:
            token_strip(page, "text", read_tokens(page, whole, fresh=len(whole.ids) - len(prompt)), t.plain("written.label"))


def ways_in():
    """Two first steps, and what was added last."""
    columns = st.columns(3, gap="medium")
    for column, (way, stems) in zip(columns, WAYS.items()):
        with column, st.container(border=True, height="stretch"):
            st.subheader(t(f"ways.{way}.title"), anchor=False)
            st.caption(t(f"ways.{way}.text"))
            for stem in (stem for stem in stems if stem in titles):
                st.page_link(f"pages/{stem}.py", label=t(f"pages.{stem}.title"), icon=ICONS[way])


@fragment
def find():
    """Pages and terms that hold what is typed; without a word, the whole glossary in a fold."""
    example = t.plain("find.example")
    asked = st.text_input(t("find.label"), key=page.key("find"), placeholder=example, live="150ms", icon=":material/search:")
    pages, found = glossary.search(asked[:200], titles, page.language)
    for stem in pages:
        st.page_link(f"pages/{stem}.py", label=f"**{titles[stem][0]}** · {titles[stem][1]}", icon=":material/science:")
    glossary.draw_list(found, set(titles))
    if asked.strip() and not pages and not found:
        st.caption(t("find.nothing"))
    if not asked.strip():
        with st.expander(t("find.glossary", n=len(glossary.terms(page.language))), icon=":material/dictionary:"):
            glossary.draw_list(glossary.terms(page.language), set(titles))


@fragment
def what_is_real():
    st.markdown(t("real.model", n=parameters(page.lm.config) / 1e6))


at_work()
st.header(t("labs.title"), anchor=False)
topic_map(page, sections())
ways_in()
st.subheader(t("lessons.title"), anchor=False)
lessons.choice(t)
find()
st.header(t("real.title"), anchor=False)
what_is_real()
st.markdown(t("real.numbers"))
st.markdown(t("real.share"))
