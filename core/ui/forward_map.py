"""The map of one forward pass as a component: rows are the network's parts, columns the tokens, all of it opens in place.

The drawing is in forward_map.js; colours come from the theme. Buttons for parts, tokens, heads and answers work with
the keyboard, arrow keys move between tokens.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import streamlit as st

from core.ui.token_strip import COLORS

_HERE = Path(__file__).parent
_JS = COLORS + (_HERE / "forward_map.js").read_text("utf-8")
_CSS = (_HERE / "forward_map.css").read_text("utf-8")
_component = st.components.v2.component("glassbox_forward_map", html='<div class="map" role="group"></div>\n', css=_CSS, js=_JS)

EVENTS = ("opened", "followed", "head", "asked")  # a part, a token, a head of the open block, a possible next token


def forward_map(page, name: str, data: Mapping, on: Mapping[str, Callable]) -> None:
    """Draw the map from `core.ui.passes.map_data`; `on[event](value)` runs before the rerun that a click causes."""
    key = page.key(name)

    def hears(event: str) -> Callable:
        def clicked():
            value = getattr(st.session_state[key], event)
            if value is not None:
                on[event](value)

        return clicked

    _component(key=key, data=dict(data), **{f"on_{event}_change": hears(event) for event in EVENTS})


def packed(values) -> str:
    """Numbers for the browser: uint8 as they are, everything else as float32, in base64."""
    values = np.asarray(values)
    return b64encode(np.ascontiguousarray(values, values.dtype if values.dtype == np.uint8 else np.float32).tobytes()).decode()
