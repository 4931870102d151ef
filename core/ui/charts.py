"""Putting a chart on the page."""

from collections.abc import Callable

import streamlit as st


def draw(page, name: str, spec: dict, data, alt: str, on_pick: Callable[[dict], None] | None = None) -> None:
    """Draw a chart made with `core.charts.theme.spec` on `data`, a DataFrame.

    `alt` states the takeaway for those who cannot see it. `on_pick(row)` is called, before the rerun, with the
    fields that the chart's selection `pick` holds.
    """
    key = page.key(name)

    def picked():
        for row in st.session_state[key].selection.get("pick", []):
            on_pick(row)

    st.vega_lite_chart(data, spec, key=key, alt=alt, width="stretch", on_select=picked if on_pick else "ignore")
