"""A picture that one can paint on, with the pointer or with the keyboard alone."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

_HTML = """
<div class="paint"><canvas tabindex="0" role="img"></canvas><div class="inks" role="radiogroup"></div></div>
"""

_CSS = """
:host { display: block; }
.paint { display: flex; flex-direction: column; gap: 8px; max-width: 280px; }
.paint canvas { width: 100%; aspect-ratio: 1; image-rendering: pixelated; border: 1px solid var(--st-border-color);
  border-radius: 10px; cursor: crosshair; touch-action: none; }
.paint :focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.inks { display: flex; gap: 6px; }
.inks button { flex: 1; min-height: 30px; border: 1px solid var(--st-border-color); border-radius: 8px; cursor: pointer; padding: 0; }
.inks button[aria-checked="true"] { outline: 2px solid var(--st-text-color); outline-offset: 1px; }
"""

_component = st.components.v2.component(
    "glassbox_paint", html=_HTML, css=_CSS, js=(Path(__file__).parent / "paint.js").read_text("utf-8")
)


def paint(
    page, name: str, picture: np.ndarray, painted: str, inks: Sequence[tuple[int, int, int]], on_paint: Callable[[str], None]
) -> None:
    """Show a picture (S, S, 3), uint8, with `painted` on it: one sign a pixel, "." for nothing, else the number of an ink.

    `on_paint(painted)` is called before the rerun when a stroke ends. Texts: `<name>.label`, `<name>.inks`
    and the name of each ink, `<name>.ink.<number>`.
    """
    key, side = page.key(name), len(picture)

    def changed():
        value = st.session_state[key].painted
        if isinstance(value, str) and len(value) == side**2:
            on_paint(value)

    words = [page.t.plain(f"{name}.ink.{number}") for number in range(len(inks))]
    data = {
        "side": side,
        "picture": base64.b64encode(np.ascontiguousarray(picture)).decode("ascii"),
        "painted": painted,
        "inks": [{"rgb": list(rgb), "name": word} for rgb, word in zip(inks, words)],
        "label": page.t.plain(f"{name}.label"),
        "inks_label": page.t.plain(f"{name}.inks"),
    }
    _component(key=key, data=data, on_painted_change=changed)
