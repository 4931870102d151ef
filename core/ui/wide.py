"""Charts wider than the page: they scroll sideways in their own frame."""

import streamlit as st

from core.ui.charts import draw

_STYLE = "<style>[class*='st-key-wide_'] { overflow-x: auto; }</style>"


def draw_wide(page, name: str, spec: dict, data, alt: str) -> None:
    """Like `core.ui.charts.draw`, in the width that the spec asks for."""
    st.html(_STYLE)
    with st.container(key=f"wide_{page.key(name)}"):
        draw(page, name, spec, data, alt, width="content")
