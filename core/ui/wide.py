"""Charts wider than the page: they scroll sideways in their own frame."""

import streamlit as st

_STYLE = "<style>[class*='st-key-wide_'] { overflow-x: auto; }</style>"


def draw_wide(page, name: str, spec: dict, data, alt: str) -> None:
    """Like `core.ui.charts.draw`, in the width that the spec asks for."""
    st.html(_STYLE)
    with st.container(key=f"wide_{page.key(name)}"):
        st.vega_lite_chart(data, spec, key=page.key(name), alt=alt, width="content")
