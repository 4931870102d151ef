"""Putting a chart on the page.

A chart whose accessible name changes is built anew by the browser, which costs more than all the rest of an
answer. So the name stays (the panel's title), and what the chart shows now stands beside it as text that only
screen readers meet.
"""

import time
from collections.abc import Callable
from html import escape

import streamlit as st

from core.charts.theme import inked

PICTURE_ONLY = {"displaylogo": False, "modeBarButtons": [["toImage"]]}  # what Plotly's bar offers; Vega's charts offer PNG by themselves
_UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);margin:0"
_SAID = f"<p class='glassbox-said' data-chart='{{}}' style='{_UNSEEN}'>{{}}</p>"


_PAUSE = 0.07  # seconds: about what a browser takes for the picture; after less it gets the rest before it has drawn


def seen_first(page=None, *shown) -> None:
    """Let the browser draw what it has got before more is sent, which it would otherwise draw in the same go.

    Called after the picture that a control drives; the rest of the page comes a moment later. Not where `shown`, all that
    the panel's picture depends on, is what it was in the viewer's last run: then there is nothing new to see.
    """
    panel = page.panel[-1] if page and page.panel else ""
    if page is not None and _in_last_run(page, f"{panel}_seen_first", shown, None) == shown:
        return
    time.sleep(_PAUSE)


def is_new(page, name: str, value) -> bool:
    """Whether `value` is another than in the viewer's last run: then what it changes may be drawn first. Not at first sight."""
    return _in_last_run(page, f"{name}_was", value, value) != value


def _in_last_run(page, name: str, now, first):
    """What was kept under a name in the viewer's last run, `first` where there was none; `now` is kept for the next."""
    key = page.key(name)
    before = st.session_state.get(key, first)
    st.session_state[key] = now
    return before


def draw(page, name: str, spec: dict, data, alt: str, on_pick: Callable[[dict], None] | None = None, width: str = "stretch") -> None:
    """Draw a chart made with `core.charts.theme.spec` on `data`, a DataFrame.

    `alt` states the takeaway for those who cannot see it; it may change with every run. `on_pick(row)` is
    called, before the rerun, with the fields that the chart's selection `pick` holds.
    """
    key = page.key(name)

    def picked():
        for row in st.session_state[key].selection.get("pick", []):
            on_pick(row)

    label = page.t.plain("chart", title=page.t.plain(f"{page.panel[-1]}.title") if page.panel else page.t.plain(f"pages.{page.name}.title"))
    spec = inked(spec, st.context.theme.type or "light")
    with st.container(gap=None):
        st.vega_lite_chart(data, spec, key=key, alt=label, width=width, on_select=picked if on_pick else "ignore")
        st.html(_SAID.format(key, escape(alt)))
