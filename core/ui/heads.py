"""Attention heads for the pages: read once for all viewers, and which head, token and key a viewer looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from torch import Tensor

from core.charts.attention import montage_png
from core.decoding import distribution
from core.measure import kl
from core.measure.attention_stats import KINDS, HeadProfile, head_kind, head_profile, without_first
from core.measure.head_steps import HeadSteps
from core.measure.heads import HeadsReading, logits_without, read_heads, small_maps
from core.ui import url
from core.ui.kept import Kept

MOST_BYTES = 64 << 20  # of heads kept over all viewers; a text of 400 tokens is about 18 MB with `mini`
Head = tuple[int, int]  # layer and head, counted from 0; written "8.6", counted from 1


@dataclass(frozen=True)
class Heads:
    """All heads on one text, with what each does there."""

    reading: HeadsReading
    profiles: list[HeadProfile]  # one a layer
    kinds: list[list[str]]  # [layer][head]

    def kind(self, head: Head) -> str:
        return self.kinds[head[0]][head[1]]

    def score(self, head: Head, measure: str) -> float:
        return float(getattr(self.profiles[head[0]], measure)[head[1]])

    def scores(self, head: Head) -> dict[str, float]:
        """Every measure of one head."""
        return {measure: self.score(head, measure) for measure in KINDS}

    def all(self) -> list[Head]:
        return [(layer, head) for layer, kinds in enumerate(self.kinds) for head in range(len(kinds))]

    def of_kind(self, kind: str) -> list[Head]:
        return [head for head in self.all() if self.kind(head) == kind]

    def counts(self) -> dict[str, int]:
        """How many heads of every kind there are, without those that nobody is."""
        return {kind: n for kind in (*KINDS, "mixed") if (n := len(self.of_kind(kind)))}

    def strongest(self, measure: str) -> Head:
        """The head with the highest score; where no head has any (nothing repeats), that of "previous"."""
        best = max(self.all(), key=lambda head: self.score(head, measure))
        return best if self.score(best, measure) > 0 or measure == "previous" else self.strongest("previous")


_heads = Kept(MOST_BYTES, weigh=lambda heads: heads.reading.nbytes)
_pictures, _without = Kept(32), Kept(128)


def read(lm, ids) -> Heads:
    """All heads on `ids`, from memory where somebody asked before."""
    ids = tuple(ids)
    return _heads.get((lm.name, ids), lambda: _read(lm, ids))


def pattern(heads: Heads, head: Head, hide_first: bool = False) -> Tensor:
    """One head's map (T, T), with or without the first token."""
    shown = heads.reading.patterns(head[0])[head[1]]
    return without_first(shown) if hide_first else shown


def pictures(lm, ids, hide_first: bool = False) -> bytes:
    """Small pictures of all maps as one PNG."""
    return _pictures.get((lm.name, tuple(ids), hide_first), lambda: _picture(read(lm, ids), hide_first))


def without(lm, ids, off) -> Tensor:
    """Scores (V,) of the next token with the heads `off` switched off."""
    off = tuple(sorted(off))
    return _without.get((lm.name, tuple(ids), off), lambda: logits_without(lm, ids, off))


def _read(lm, ids: tuple[int, ...]) -> Heads:
    known, same = _heads.closest(lm.name, ids)
    reading = read_heads(lm, ids, known and known.reading, same)
    profiles = [head_profile(reading.patterns(layer), ids) for layer in range(reading.n_layers)]
    kinds = [[head_kind(profile, head) for head in range(len(profile.first))] for profile in profiles]
    return Heads(reading, profiles, kinds)


def _picture(heads: Heads, hide_first: bool) -> bytes:
    layers = [heads.reading.patterns(layer) for layer in range(heads.reading.n_layers)]
    return montage_png(np.stack([small_maps(without_first(maps) if hide_first else maps) for maps in layers]))


def effect(lm, ids, heads: Heads, off) -> dict[str, str | float]:
    """What switching the heads `off` does to the next token, for sentences: before, after, their shares of it, kl in nats."""
    before, after = heads.reading.logits, without(lm, ids, off)
    first, now = int(before.argmax()), int(after.argmax())
    shares = {"share_before": float(distribution(before)[first]), "share_after": float(distribution(after)[first])}
    return shares | {"before": lm.tokenizer.label(first), "after": lm.tokenizer.label(now), "kl": float(kl(before, after))}


def written(head: Head) -> str:
    """(7, 5) -> "8.6"."""
    return f"{head[0] + 1}.{head[1] + 1}"


def opened(page, heads: Heads, default: str = "induction") -> Head:
    """The head the viewer looks at: one they chose, or the strongest of a kind on this text.

    In the link as `<page>_head=8.6` or `<page>_head=previous`.
    """
    value = chosen(page, default, KINDS)
    return heads.strongest(value) if value in KINDS else value


def chosen(page, default: str | None = None, names: Sequence[str] = ()) -> Head | str | None:
    """The head the viewer chose, or one of `names` that stands for a head; `default` until then. In the link as `<page>_head=8.6`."""
    url.seed(page, "head", default, lambda raw: raw if raw in names else written(_head(raw, page.lm.config)))
    value = st.session_state[page.key("head")]
    if value != default and value not in names and not _there(_head_of(value), page.lm.config):  # of a larger model, before
        value = st.session_state[page.key("head")] = default
    url.share(page, "head", None if value == default else value)
    return value if value == default or value in names else _head_of(value)


def open_head(page, head: Head) -> None:
    """Look at another head; call it in a callback."""
    st.session_state[page.key("head")] = written(head)


def place(page, name: str, ids) -> int | None:
    """A position in the text that a click set, from 0; None until then, and for every new text. In the link from 1."""
    key, belongs = page.key(name), page.key(name) + "_of"
    url.seed(page, name, None, lambda raw: _position(raw, len(ids)))
    if st.session_state.setdefault(belongs, tuple(ids)) != tuple(ids):
        st.session_state[belongs], st.session_state[key] = tuple(ids), None
    value = st.session_state[key]
    url.share(page, name, None if value is None else str(value + 1))
    return value


def look_at(page, name: str, position: int) -> None:
    """Set such a position; call it in a callback."""
    st.session_state[page.key(name)] = position


def switched_off(page, followed: Head) -> list[Head]:
    """The heads the viewer switched off; until they choose, the head they look at. In the link as `8.6-10.2`."""
    url.seed(page, "off", None, lambda raw: [] if raw == "none" else [_head(part, page.lm.config) for part in raw.split("-")])
    off = st.session_state[page.key("off")]
    if off is not None and not all(_there(head, page.lm.config) for head in off):  # of a larger model, before
        off = st.session_state[page.key("off")] = None
    url.share(page, "off", None if off is None else "-".join(map(written, off)) or "none")
    return [followed] if off is None else list(off)


def _head(raw: str, config) -> Head:
    head = _head_of(raw)
    if not _there(head, config):
        raise ValueError(f"a head is written 1.1 to {config.n_layers}.{config.n_heads}, got {raw}")
    return head


def _head_of(raw: str) -> Head:
    """"8.6" -> (7, 5); what is no head becomes one that no model has."""
    layer, _, head = raw.partition(".")
    return (int(layer) - 1, int(head) - 1) if layer.isdecimal() and head.isdecimal() else (-1, -1)


def _there(head: Head, config) -> bool:
    return 0 <= head[0] < config.n_layers and 0 <= head[1] < config.n_heads


def _position(raw: str, n: int) -> int:
    if not raw.isdecimal() or not 1 <= int(raw) <= n:
        raise ValueError(f"must be in 1..{n}, got {raw}")
    return int(raw) - 1


def arithmetic(steps: HeadSteps, query: int, key: int) -> dict[str, float]:
    """The numbers of one query and one key, for sentences."""
    highest, exps = steps.masked.max(), (steps.masked - steps.masked.max()).exp()
    numbers = {
        "q1": steps.query[0], "q2": steps.query[1], "k1": steps.keys[key, 0], "k2": steps.keys[key, 1],
        "p1": steps.query[0] * steps.keys[key, 0], "p2": steps.query[1] * steps.keys[key, 1],
        "product": steps.products[key], "scaled": steps.scaled[key], "highest": highest, "exp": exps[key], "sum": exps.sum(),
        "weight": steps.weights[key], "v1": steps.values[key, 0], "z1": steps.result[0],
        "length": steps.values[key].norm(), "result_length": steps.result.norm(),
    }  # fmt: skip
    counts = {"d": len(steps.query), "root": len(steps.query) ** 0.5, "n": query + 1, "later": len(steps.keys) - query - 1}
    return {name: float(number) for name, number in numbers.items()} | counts


def vector_rows(stage: str, steps: HeadSteps, query: int, keys: list[int], labels: list[str], words: dict[str, str]):
    """Rows for `vectors_data`: the query and the keys, or the weighted values and their sum (words: query_row, sum_row)."""
    if stage == "vectors":
        return [("query", f"{words['query_row']} {labels[query]}", steps.query), *(("key", labels[key], steps.keys[key]) for key in keys)]
    weighted = [("value", labels[key], steps.weights[key] * steps.values[key]) for key in keys if key <= query]
    return [*weighted, ("value", words["sum_row"], steps.result)]
