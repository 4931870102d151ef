"""Tokens a viewer added behind the prompt, kept as token ids: text would be cut into other tokens again."""

from collections.abc import Callable, Sequence

import streamlit as st

from core.ui import url


def appended(page, prompt: Sequence[int], name: str = "added") -> list[int]:
    """The added tokens; another prompt or model starts with none. In the link as `<page>_<name>=12.45`."""
    vocab = page.lm.config.vocab_size
    url.seed(page, name, [], lambda raw: [_token(part, vocab) for part in raw.split(".")])
    belongs, text = page.key(name) + "_to", (page.lm.name, *prompt)  # another model cuts text into other tokens
    if st.session_state.setdefault(belongs, text) != text:
        st.session_state[belongs] = text
        st.session_state[page.key(name)] = []
    added = st.session_state[page.key(name)]
    url.share(page, name, ".".join(map(str, added)) or None)
    return list(added)


def set_appended(page, tokens: Sequence[int], name: str = "added") -> None:
    """Replace the added tokens; call it in a callback."""
    st.session_state[page.key(name)] = [int(token) for token in tokens]


def append_button(page, name: str, icon: str, tokens: Sequence[int], then: Callable[[], None], primary=False, disabled=False) -> None:
    """A button (text `text.<name>`) that replaces the added tokens; `then()` runs after that, before the rerun."""

    def clicked():
        set_appended(page, tokens)
        then()

    kind = "primary" if primary else "secondary"
    st.button(page.t(f"text.{name}"), key=page.key(name), icon=icon, type=kind, on_click=clicked, disabled=disabled)


def _token(part: str, vocab: int) -> int:
    if not part.isdecimal() or int(part) >= vocab:
        raise ValueError(f"token ids must be in 0..{vocab - 1}, got {part}")
    return int(part)
