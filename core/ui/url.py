"""What a link carries, for values that Streamlit's own `bind="query-params"` cannot hold.

Numbers and switches are bound natively (core/ui/controls.py). Choices with translated labels, long texts
and live sliders are kept here: read from the link once, then in the session, and written back when changed.
"""

from urllib.parse import quote

import streamlit as st

LONGEST = 4_000  # signs of one value in a link; longer ones stay out of it


def seed(page, name: str, default, read) -> None:
    """Put the link's value into the session once; what `read` rejects (ValueError) is reset with a sentence."""
    key = page.key(name)
    if key in st.session_state:
        return
    st.session_state[key] = default
    raw = st.query_params.get(key)
    if raw is not None:
        try:
            st.session_state[key] = read(raw)
        except ValueError:
            page.note("notes.reset", name=key, value=raw[:40])


def share(page, name: str, value: str | None) -> bool:
    """Write `value` into the link; None or an overlong value takes it out. False if it was too long."""
    key = page.key(name)
    fits = value is None or len(quote(value)) <= LONGEST
    if value is None or not fits:
        if key in st.query_params:
            del st.query_params[key]
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
    return fits


def forget_other_pages(name: str, stems) -> None:
    """Take out of the link what belongs to another page."""
    others = tuple(f"{stem}_" for stem in stems if stem != name)
    for key in [k for k in st.query_params if k.startswith(others) and not k.startswith(f"{name}_")]:
        try:
            del st.query_params[key]
        except st.errors.StreamlitAPIException:
            pass  # bound to a widget: Streamlit takes it out itself


def open_page(stem: str) -> None:
    """Open another page; of the link only what holds on every page goes along."""
    kept = {key: st.query_params[key] for key in ("lang", "model", "mode", "lecture", "lesson", "step") if key in st.query_params}
    st.switch_page(f"pages/{stem}.py", query_params=kept)
