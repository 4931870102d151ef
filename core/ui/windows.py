"""Answers and losses by window size, kept for everybody who asks for the same."""

import streamlit as st
import torch

from core.measure import perplexity
from core.measure.context import next_probs_by_window


def window_sizes(n: int, most: int = 14) -> list[int]:
    """About `most` window sizes from 4 to n, the last one n."""
    step = max(1, round(n / most))
    return sorted({*range(min(4, n), n, step), n})


def by_window(lm, ids, windows: list[int]) -> torch.Tensor:
    """`next_probs_by_window`, from memory where it was asked before."""
    return torch.stack([_one(lm, lm.name, tuple(ids[-w:])) for w in windows])


def answer_id(probs: torch.Tensor) -> int:
    """The answer: what the model expects when it sees the whole text (the last row)."""
    return int(probs[-1].argmax())


@st.cache_data(max_entries=32, show_spinner=False)
def losses(_lm, ids, window: int | None):
    """`perplexity`, from memory where it was asked before."""
    return perplexity(_lm, ids, window)


@st.cache_data(max_entries=256, show_spinner=False)
def _one(_lm, name: str, ids: tuple[int, ...]) -> torch.Tensor:
    return next_probs_by_window(_lm, list(ids), [len(ids)])[0]
