"""Quantized models for the pages: made once for all viewers, two kept at a time."""

from dataclasses import dataclass

import streamlit as st

from core.decoding import generate
from core.measure.weight_drift import Scores, changed_tokens, score
from core.models.language_model import LanguageModel
from core.quantization import FORMATS, MatrixReport, quantize_model, report, unpacked_model
from core.ui import live
from core.ui.token_strip import Token


@dataclass(frozen=True)
class Stored:
    """How weights are stored."""

    format: str
    granularity: str | None = None  # None above 8 bits: no scales there
    group_size: int | None = None  # None unless by group

    @classmethod
    def of(cls, format: str, granularity: str, group_size: int) -> "Stored":
        """Leaves out what makes no difference, so that equal models are kept once."""
        if not FORMATS[format].scaled:
            return cls(format)
        return cls(format, granularity, group_size if granularity == "group" else None)

    @property
    def arguments(self) -> tuple[str, str, int]:
        """For `quantize` and its kin."""
        return self.format, self.granularity or "channel", self.group_size or 64


@dataclass(frozen=True)
class Small:
    """A quantized model, unpacked again for speed, and what packing it had shown."""

    lm: LanguageModel  # computes with the rounded numbers
    report: list[MatrixReport]

    @property
    def bits_per_weight(self) -> float:
        """Bits of codes and scales a weight, over all matrices."""
        return 8 * sum(row.bytes_after for row in self.report) / sum(row.shape[0] * row.shape[1] for row in self.report)


def small_model(lm: LanguageModel, stored: Stored) -> Small:
    """`lm` with its weights stored so; about a second when nobody asked for it lately."""
    return _small_model(lm, lm.name, stored)


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={Stored: repr})
def _small_model(_lm: LanguageModel, name: str, stored: Stored) -> Small:
    packed = quantize_model(_lm, *stored.arguments)
    return Small(unpacked_model(packed), report(_lm, packed))


def scores(lm: LanguageModel, ids) -> Scores:
    """What a model makes of a text; kept for the next viewer who asks."""
    return _scores(lm, lm.name, _key(ids), ids)


@st.cache_resource(max_entries=128, show_spinner=False)
def _scores(_lm: LanguageModel, name: str, key: str, _ids) -> Scores:
    return score(_lm, _ids)


def written(lm: LanguageModel, ids, n: int) -> list[int]:
    """The likeliest continuation, token by token: whatever differs, differs because of the weights."""
    return _written(lm, lm.name, _key(ids), ids, n)


@st.cache_data(max_entries=256, show_spinner=False)
def _written(_lm: LanguageModel, name: str, key: str, _ids, n: int) -> list[int]:
    cache = live.beginning(live.read(_lm, _ids), len(_ids) - 1, room=n + 1)
    return [step.token for step in generate(_lm, _ids, n, temperature=0, cache=cache)]


def perplexity_of(lm: LanguageModel, stored: Stored, ids) -> float:
    """Perplexity on `ids` of `lm` with its weights stored so."""
    return _perplexity_of(lm, lm.name, stored, _key(ids), ids)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={Stored: repr})
def _perplexity_of(_lm: LanguageModel, name: str, stored: Stored, key: str, _ids) -> float:
    return scores(small_model(_lm, stored).lm, _ids).perplexity


def _key(ids) -> str:
    """Token ids as one string: Streamlit looks at a list's numbers one by one."""
    return " ".join(map(str, ids))


def compared_strips(page, before: list[int], after: list[int]) -> tuple[list[Token], list[Token]]:
    """Two texts as tokens; what has no counterpart in the other text is coloured."""
    word = page.t.plain("says.changed")

    def strip(ids: list[int], changed: list[bool]) -> list[Token]:
        labels = page.lm.tokenizer.labels(ids)
        return [Token(name, 0.45, f"{name}: {word}", state="marked") if new else Token(name) for name, new in zip(labels, changed)]

    marks = changed_tokens(before, after)
    return strip(before, marks[0]), strip(after, marks[1])
