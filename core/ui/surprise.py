"""Texts read for their surprise: what each token cost, in bits, and the parts of the page that show it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.distribution import distribution_chart, distribution_data
from core.checkpoints import load_model, model_names
from core.measure import Perplexity
from core.ui import controls, live
from core.ui.charts import draw
from core.ui.token_strip import Token, token_strip

DARKEST = 16  # bits; a token this surprising has the darkest ink
MOST_NOTES = 80  # tokens that still get their bits in small print
SHOWN = 8  # candidates


@dataclass(frozen=True)
class Surprise:
    """A text as one model read it. Every token of the n counts, the first as the start of a document where the model knows such."""

    lm: object
    reading: live.Reading
    measured: Perplexity  # of the n tokens
    labels: list[str]  # (n,)
    n_bytes: list[int]  # (n,)

    @property
    def bits(self) -> np.ndarray:  # (n,)
        return self.measured.bits.numpy()

    @property
    def per_byte(self) -> float:
        return self.measured.bits_per_byte(sum(self.n_bytes))

    @property
    def most(self) -> int:
        """The place of the most surprising token."""
        return int(self.bits.argmax())

    @property
    def part_of_most(self) -> float:
        """Share of the most surprising token in the mean of the exps."""
        return float(2 ** self.bits.max() / (2**self.bits).sum())

    def expected(self, place: int) -> tuple[float, int, list[tuple[int, float]]]:
        """See `live.expected`, for a place counted from 0."""
        return live.expected(self.lm, self.reading, place + 1, SHOWN)


def surprise(lm, ids) -> Surprise:
    """Read `ids`, at least two, after the sign that stood between documents in training.

    A model without such a sign has nothing to expect the first token from: then it counts no more than in `perplexity`.
    """
    eot = lm.tokenizer.eot
    reading = live.read(lm, ids if eot is None else [eot, *ids])
    scored = reading.ids[1:]
    n_bytes = [len(lm.tokenizer.token_bytes(i)) for i in scored]
    return Surprise(lm, reading, Perplexity(-reading.logprobs[1:]), lm.tokenizer.labels(scored), n_bytes)


def inked(page, name: str, found: Surprise, chosen: int | None, on_click: Callable[[int], None]) -> None:
    """The text with the darkest ink where the model was most surprised."""
    t, shares, notes = page.t, (-found.measured.nll).exp().tolist(), len(found.labels) <= MOST_NOTES
    tokens = []
    for label, bits, share in zip(found.labels, found.bits, shares):
        title = t.plain("text.ink", token=label, bits=float(bits), share=share)
        tokens.append(Token(label, min(float(bits) / DARKEST, 1.0), title, t.number(float(bits), ".1f") if notes else ""))
    token_strip(page, name, tokens, t.plain("text.strip"), on_click, chosen)


def candidates(page, found: Surprise, place: int) -> tuple[float, int, pd.DataFrame]:
    """What the model expected at a place, drawn: the likeliest tokens, and with a mark the one that stands there."""
    t, label = page.t, found.lm.tokenizer.label
    share, rank, likeliest = found.expected(place)
    there = found.reading.ids[place + 1]
    rows = dict(likeliest) | {there: share}
    names = [t.plain("expected.there", token=label(i)) if i == there else label(i) for i in rows]
    data = distribution_data(list(rows), names, np.zeros(len(rows)), list(rows.values()))
    spec = distribution_chart(SHOWN + 1, "", t.plain("expected.share"), t.plain("expected.token"), page.language)
    alt = t.plain("expected.alt", token=label(there), share=share, best=label(likeliest[0][0]), likeliest=likeliest[0][1])
    draw(page, "expected", spec, data, alt)
    return share, rank, data[["token", "after"]]


def other_model(page):
    """A second model where one can be loaded and the viewer wants it, else None."""
    names = [name for name in model_names() if name != page.lm.name]
    if not names:
        st.caption(page.t("other.only", model=page.lm.name))
        return None
    chosen = controls.select(page, "other", ["none", *names], "none")
    return None if chosen == "none" else load_model(chosen)


def comparison(rows: list[tuple[str, Surprise]]) -> pd.DataFrame:
    """One row for each (name of the text, reading): its size and what it cost."""
    return pd.DataFrame(
        {
            "text": [name for name, _ in rows],
            "model": [found.lm.name for _, found in rows],
            "tokens": [len(found.labels) for _, found in rows],
            "bytes": [sum(found.n_bytes) for _, found in rows],
            "total": [round(float(found.bits.sum()), 1) for _, found in rows],
            "per_token": [round(float(found.bits.mean()), 2) for _, found in rows],
            "perplexity": [round(found.measured.perplexity, 1) for _, found in rows],
            "per_byte": [round(found.per_byte, 2) for _, found in rows],
        }
    )
