"""Quantized models for the pages: made once for all viewers, as many kept as one memory takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from core.charts import quantization as charts
from core.checkpoints.memory import require_memory
from core.checkpoints.shared import loaded
from core.decoding import generate
from core.measure.weight_drift import Scores, changed_tokens, score, shared_start
from core.models.language_model import LanguageModel
from core.quantization import FORMATS, GRANULARITIES, MatrixReport, rounded_model
from core.quantization.sizes import count, matrix_shapes, stored_size
from core.ui import controls, live, panels
from core.ui.charts import draw
from core.ui.kept import Kept
from core.ui.token_strip import Token, token_strip
from core.ui.turns import turn

_reports, _scores, _logits = Kept(64), Kept(128), Kept(64)
_texts, _perplexities = Kept(256, long=True), Kept(256, long=True)


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


def stored_controls(page) -> Stored:
    """Format, and where it has scales, how many weights share one."""
    name = controls.segmented(page, "format", list(FORMATS), "int4")
    if not FORMATS[name].scaled:
        return Stored(name)
    with st.container(horizontal=True, gap="medium"):
        granularity = controls.segmented(page, "granularity", GRANULARITIES, "channel")
        group_size = controls.segmented(page, "group_size", [32, 64, 128], 32) if granularity == "group" else None
    return Stored.of(name, granularity, group_size)


@dataclass(frozen=True)
class Small:
    """What packing a model's weights showed, and the model, which is made again where something new is asked of it."""

    original: LanguageModel
    stored: Stored
    report: list[MatrixReport]

    @property
    def name(self) -> str:
        return "-".join(map(str, (self.original.name, *self.stored.arguments)))

    @property
    def lm(self) -> LanguageModel:
        """Computes with the rounded numbers; at most as large as the original in float32 (see `rounded_model`)."""
        return _made(self.original, self.stored)[0]

    @property
    def bits_per_weight(self) -> float:
        """Bits of codes and scales a weight, over all matrices."""
        return 8 * sum(row.bytes_after for row in self.report) / sum(row.shape[0] * row.shape[1] for row in self.report)


def small_model(lm: LanguageModel, stored: Stored) -> Small:
    """`lm` with its weights stored so; about a second when nobody asked for it before."""
    return Small(lm, stored, _reports.get((lm.name, stored), lambda: _made(lm, stored)[1]))


def _made(lm: LanguageModel, stored: Stored) -> tuple[LanguageModel, list[MatrixReport]]:
    with turn():  # one after the other: a copy takes as much memory as the original
        return loaded.get((_made, lm.name, stored), lambda: _make(lm, stored))


def _make(lm: LanguageModel, stored: Stored) -> tuple[LanguageModel, list[MatrixReport]]:
    require_memory(f"{lm.name} ({stored.format})", 4 * count(matrix_shapes(lm.config)))
    return rounded_model(lm, *stored.arguments)


def scores(model: LanguageModel | Small, ids) -> Scores:
    """What a model makes of a text; kept for the next viewer who asks."""
    return _scores.get((model.name, _key(ids)), lambda: score(_loaded(model), ids))


def next_logits(model: LanguageModel | Small, ids) -> Tensor:
    """Scores (V,) of the token after a text."""
    return _logits.get((model.name, _key(ids)), lambda: live.read(_loaded(model), ids).logits)


def written(model: LanguageModel | Small, ids, n: int) -> list[int]:
    """The likeliest continuation, token by token: whatever differs, differs because of the weights."""

    def compute():
        lm = _loaded(model)
        cache = live.beginning(live.read(lm, ids), len(ids) - 1, room=n + 1)
        return [step.token for step in generate(lm, ids, n, temperature=0, cache=cache)]

    return _texts.get((model.name, _key(ids), n), compute)


def _loaded(model: LanguageModel | Small) -> LanguageModel:
    return model.lm if isinstance(model, Small) else model


def perplexity_of(lm: LanguageModel, stored: Stored, ids) -> float:
    """Perplexity on `ids` of `lm` with its weights stored so."""
    return _perplexities.get((lm.name, stored, _key(ids)), lambda: scores(small_model(lm, stored), ids).perplexity)


def size_chart(page, name: str, stored: Stored, config, unit: str, ceilings: tuple[float, ...] = ()) -> None:
    """What the matrices of `config` take in every format, scales counted; `ceilings` are drawn as lines, in `unit`."""
    t, names, shapes = page.t, format_names(page), matrix_shapes(config)
    held = {format: stored_size(shapes, format, *stored.arguments[1:]) for format in FORMATS}
    data = charts.bytes_data(held, names, count(shapes), stored.format, unit, page.language)
    chosen = data["total"][data["chosen"]].iloc[0]
    spec = charts.bytes_chart(len(FORMATS), unit, ceilings, **t.words("bytes", "codes", "scales"), language=page.language)
    draw(page, name, spec, data, t.plain("bytes.alt", format=names[stored.format], total=chosen, first=data["total"].iloc[0], unit=unit))
    panels.download(page, name, lambda: data)


def error_by_layer(page, report: list[MatrixReport]) -> None:
    """Every matrix's rounding error; a click opens its histogram above. Texts: `layers.*`."""
    t, config = page.t, page.lm.config

    def picked(row):
        for control in ("layer", "part"):
            controls.set_value(page, control, row[control])

    with panels.panel(page, "layers", "live"):
        data = charts.error_data(report, tuple(st.session_state[page.key(name)] for name in ("layer", "part")), page.language)
        worst = data.loc[data["error"].idxmax()]
        alt = t.plain("layers.alt", worst=worst["error"], layer=worst["layer"], part=worst["part"], best=data["error"].min())
        spec = charts.error_chart(config.n_layers, **t.words("layers", "layer", "part", "error", "mb"), language=page.language)
        draw(page, "errors", spec, data, alt, picked)
        panels.download(page, "errors", lambda: data)
        share = report[0].bytes_before / sum(row.bytes_before for row in report)
        st.caption(t("layers.embed", error=report[0].relative_error, share=share))


def price_chart(page, place, below, ids, stored: Stored) -> None:
    """Perplexity of all formats, drawn one by one as they are measured; any click in between stops it."""
    for bits, measured in perplexities(page.lm, stored, ids):
        data = charts.price_data(format_names(page), bits, measured, stored.format, page.language)
        worst = data.loc[data["change"].idxmax()]
        with place:
            spec = charts.price_chart(len(FORMATS), **page.t.words("price", "perplexity", "change"), language=page.language)
            alt = page.t.plain("price.alt", worst=worst["change"], format=worst["name"])
            draw(page, "price", spec, data, alt)
    with below:
        panels.download(page, "price", lambda: data)


def format_names(page) -> dict[str, str]:
    """What the formats are called."""
    return page.t.words("format.options", *FORMATS)


def perplexities(lm: LanguageModel, stored: Stored, ids) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Every format with the scales of `stored`, one by one: bits a weight of all, perplexity of those measured so far."""
    ways = {name: Stored.of(name, *stored.arguments[1:]) for name in FORMATS}
    shapes, measured = matrix_shapes(lm.config), {}
    bits = {name: stored_size(shapes, *way.arguments).total * 8 / count(shapes) for name, way in ways.items()}
    for name, way in ways.items():
        measured[name] = perplexity_of(lm, way, ids)
        yield bits, dict(measured)


def _key(ids) -> str:
    """Token ids as one string: Streamlit looks at a list's numbers one by one."""
    return " ".join(map(str, ids))


def written_beside(page, prompt, small: Small, n: int) -> str:
    """Both models' continuations of `n` tokens side by side; returns how many tokens they share from the start, in words."""
    texts = written(page.lm, prompt, n), written(small, prompt, n)
    for word, column, strip in zip(("before", "after"), st.columns(2, gap="large"), compared_strips(page, *texts)):
        with column:
            st.markdown(f"**{page.t(f'says.{word}')}**")
            token_strip(page, f"written_{word}", strip, page.t.plain(f"says.{word}"))
    return page.t.plain("same.value", n=shared_start(*texts), all=len(texts[0]))


def compared_strips(page, before: list[int], after: list[int]) -> tuple[list[Token], list[Token]]:
    """Two texts as tokens; what has no counterpart in the other text is coloured."""
    word = page.t.plain("says.changed")

    def strip(ids: list[int], changed: list[bool]) -> list[Token]:
        labels = page.lm.tokenizer.labels(ids)
        return [Token(name, 0.45, f"{name}: {word}", state="marked") if new else Token(name) for name, new in zip(labels, changed)]

    marks = changed_tokens(before, after)
    return strip(before, marks[0]), strip(after, marks[1])
