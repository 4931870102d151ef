"""Answers and losses by window size: a few passes at a time, so that a wait moves, and kept for whoever asks next."""

from collections.abc import Callable

import streamlit as st
import torch

from core.measure.context import losses_in_window, next_probs_by_window, steepest_gap
from core.ui import live, url
from core.ui.kept import Kept

_results = Kept(400)  # over all viewers; the distributions take 64 kB each
EVEN, REFINED = 12, 8  # window sizes looked at: spread evenly, and then where the answer changes most

Share = Callable[[float], None]  # called with the share of the work that is done


def probs_in_window(lm, ids, window: int) -> torch.Tensor:
    """Probabilities (V,) of the token after `ids`, seeing only the last `window` tokens."""
    seen = tuple(ids[-window:])
    if len(seen) == len(ids):  # all of it: goes on from what was read before
        return live.read(lm, ids).logits.softmax(-1)
    return _results.get(("next", lm.name, seen), lambda: next_probs_by_window(lm, list(seen), [len(seen)])[0])


def answers_by_window(lm, ids, answer: int, on_step: Share) -> dict[int, torch.Tensor]:
    """Window -> probabilities (V,) for window sizes from 1 to all of `ids`, closest together where the answer's changes most."""
    n = len(ids)
    found = {}
    sizes = sorted({n, 1, *(max(1, round(i * n / EVEN)) for i in range(EVEN))}, reverse=True)
    for i in range(EVEN + REFINED + 1):
        window = sizes[i] if i < len(sizes) else steepest_gap({w: float(probs[answer]) for w, probs in found.items()})
        if window is None:
            break
        if window < n and ("next", lm.name, tuple(ids[-window:])) not in _results:
            on_step(i / (EVEN + REFINED + 1))
        found[window] = probs_in_window(lm, ids, window)
    return dict(sorted(found.items()))


def windowed_losses(lm, ids, window: int, on_step: Share) -> dict[int, float]:
    """All of `losses_in_window`."""

    def compute() -> dict[int, float]:
        found: dict[int, float] = {}
        on_step(0.0)
        for some in losses_in_window(lm, ids, window):
            found |= some
            on_step(min(len(found) / 48, 1.0))  # a viewer who changes a setting ends the run here
        return found

    return _results.get(("loss", lm.name, tuple(ids), window), compute)


def followed(page, ids, default: int) -> tuple[int, Callable[[int], None]]:
    """The answer looked for, and what to call with the place of another one. In the link as `<page>_answer=3` (a place)."""
    key, belongs = page.key("answer"), page.key("answer_to")
    url.seed(page, "answer", None, lambda raw: _place(raw, len(ids)))
    if st.session_state.setdefault(belongs, tuple(ids)) != tuple(ids):
        st.session_state[belongs], st.session_state[key] = tuple(ids), None
    place = st.session_state[key]
    url.share(page, "answer", None if place is None else str(place + 1))

    def follow(place: int) -> None:
        st.session_state[key] = None if st.session_state[key] == place else place

    return (default if place is None else ids[place]), follow


def _place(raw: str, n: int) -> int:
    if not raw.isdecimal() or not 1 <= int(raw) <= n:
        raise ValueError(f"a place must be in 1..{n}, got {raw}")
    return int(raw) - 1
