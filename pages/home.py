"""The front door: the model at work on the viewer's own sentence, then the way to the labs."""

import streamlit as st

from core.charts.distribution import distribution_chart, distribution_data
from core.costs import parameters
from core.decoding import distribution
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require, sections
from core.ui.token_strip import read_tokens, token_strip

SHOWN = 6  # candidates in the chart
WRITTEN = 18  # tokens of the continuation
SEED = 7  # of the first continuation

page = require("home")
t, state = page.t, st.session_state


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


@fragment
def what_is_real():
    st.markdown(t("real.model", n=parameters(page.lm.config) / 1e6))


at_work()
st.header(t("labs.title"), anchor=False)
for section, labs in sections().items():
    st.caption(t(f"sections.{section}"))
    for column, (stem, icon) in zip(st.columns(2, gap="medium") * len(labs), labs):
        with column, st.container(border=True, height="stretch"):
            st.page_link(f"pages/{stem}.py", label=f"**{t(f'pages.{stem}.title')}**", icon=icon)
            st.markdown(t(f"pages.{stem}.question"))
st.header(t("real.title"), anchor=False)
what_is_real()
st.markdown(t("real.numbers"))
st.markdown(t("real.share"))
