"""What was drawn in the colours of light or dark is drawn again when the viewer changes from one to the other.

Streamlit's own elements follow in the browser; a Plotly figure or a canvas has its colours from the server.
"""

import streamlit as st

# A change of the background is a transition of the span's colour, which the browser reports.
_CSS = ":host { position: absolute; } span { color: var(--st-background-color); transition: color 1ms; }"
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const span = parentElement.querySelector("span")
  const look = () => {
    const [r, g, b] = getComputedStyle(span).color.match(/[0-9.]+/g).map(Number)
    const theme = 0.299 * r + 0.587 * g + 0.114 * b > 127 ? "light" : "dark"
    if (theme !== data.theme) setTriggerValue("changed", theme)
  }
  span.ontransitionend = look
}
"""
_component = st.components.v2.component("glassbox_theme_watch", html="<span></span>\n", css=_CSS, js=_JS)


def watch() -> None:
    """Once a page: it runs again when its colours are no longer those that `st.context.theme` told."""
    _component(key="_theme", data={"theme": st.context.theme.type or "light"}, on_changed_change=lambda: None)
