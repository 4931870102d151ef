"""Every draft length timed while the viewer watches; what was measured stays until the question changes."""

from collections.abc import Hashable, Iterator

import streamlit as st

from core.charts.speculative import gain_chart, gain_data
from core.measure.speculation import Gain
from core.ui import panels
from core.ui.charts import draw


def measured_gains(page, question: Hashable, most: int, measuring: Iterator[Gain] | None) -> list[Gain]:
    """Run `measuring`, if there is one, and draw each result as it comes; a click on anything on the page stops it.

    Texts: `gain.measured`, `.theorem`, `.with_check`, `.length`, `.times`, `.progress`, `.result`, `.never`, `.idle`, `.alt`.
    """
    t, state, key = page.t, st.session_state, page.key("gains_measured")
    chart, said, progress = st.empty(), st.empty(), st.empty()
    if measuring or state.get(key, (None,))[0] != question:
        state[key] = (question, [])
    found = state[key][1]
    if found:
        _draw(page, chart, found, most)
    for measured in measuring or ():
        found.append(measured)
        _draw(page, chart, found, most)
        progress.progress(len(found) / most, t("gain.progress", n=len(found), all=most))
    progress.empty()
    if not found:
        said.caption(t("gain.idle", most=most))
        return found
    best = max(found, key=lambda g: g.measured)
    worst = min(found, key=lambda g: g.measured)
    values = {"best": best.draft_length, "times": best.measured, "worst": worst.draft_length, "least": worst.measured}
    values |= {"alpha": best.acceptance, "cost": best.draft_cost, "check": best.check_cost}
    said.markdown(t("gain.result" if best.measured > 1 else "gain.never", **values))
    panels.download(page, "gain", lambda: gain_data(found))
    return found


def _draw(page, place, found: list[Gain], most: int) -> None:
    data = gain_data(found)
    words = page.t.words("gain", "measured", "theorem", "with_check", "length", "times")
    with place:
        spec = gain_chart(most, **words, language=page.language)
        draw(page, "gains", spec, data, page.t.plain("gain.alt", n=len(data), best=float(data["measured"].max())))
