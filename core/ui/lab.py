"""The body of a lab: presets, the viewer's text, the prediction above them, the experiments below."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.ui import controls
from core.ui.frame import fragment


def lab(page, presets: Mapping[str, Mapping], guess: Callable, *experiments: Callable, **prompt) -> None:
    """One fragment for all that a new text changes: the frame, the code and the sources are not sent again.

    `guess` and every one of `experiments`, fragments themselves, are called with the text's token ids; `prompt` are
    the settings of `controls.prompt`.
    """

    @fragment
    def body():
        above = st.container()
        controls.presets(page, presets)
        ids = controls.prompt(page, **prompt)
        with above:
            guess(ids)
        for experiment in experiments:
            experiment(ids)

    body()
