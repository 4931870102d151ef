"""Sparse attention for the page: read once for all viewers, and a sweep over patterns and widths that moves while it works."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.charts.sparse_attention import SERIES as SWEPT
from core.checkpoints import indexer
from core.measure.recorded import recorded
from core.measure.sparse_drift import SparseDrift, read_full, sparse_drift, usual_directions
from core.models.indexer import INDEXES, Index, make_index
from core.models.sparse_attention import rule_of
from core.ui.kept import Kept

WIDTHS = (2, 4, 8, 16, 32, 64)  # of the sweep
SWEEP_TOKENS = 96  # each of its 36 points is a pass of its own
_read, _full, _numbers, _directions = Kept(24), Kept(12), Kept(2000), Kept(4)


@dataclass(frozen=True)
class Sparse:
    """A text read with a mask in every layer."""

    drift: SparseDrift
    masks: np.ndarray  # (L or 1, T, T) bool; one where all layers share it

    def mask(self, layer: int) -> np.ndarray:
        return self.masks[min(layer, len(self.masks) - 1)]


def sparse(lm, ids, pattern: str, width: int, kind: str = "own") -> Sparse:
    """The text read with a pattern of PATTERNS; `kind` is the index of "top_k"."""

    def compute() -> Sparse:
        masks: list = []
        rule = rule_of(pattern, width, _index(lm, kind) if pattern == "top_k" else None)
        drift = sparse_drift(lm, ids, rule, _full_logits(lm, ids), masks)
        return Sparse(drift, np.stack([mask.numpy() for mask in masks[: None if pattern == "top_k" else 1]]))

    return _read.get((lm.name, tuple(ids), pattern, width, kind if pattern == "top_k" else ""), compute)


def drawn_mask(lm, ids, pattern: str, width: int, kind: str, layer: int) -> np.ndarray:
    """The mask (T, T) of one layer; where the pattern does not depend on the text, no model runs."""
    if pattern == "top_k":
        return sparse(lm, ids, pattern, width, kind).mask(layer)
    nothing = torch.empty(len(ids), 0, 0)
    return rule_of(pattern, width)(layer, nothing, nothing, nothing).numpy()


def sweep(lm, ids, on_step: Callable[[float], None]) -> dict[str, dict[int, dict[str, float]]]:
    """The last SWEEP_TOKENS of the text with every series of SWEPT: name -> width -> `SparseDrift.numbers`.

    "full" has one width, the number of tokens read. `on_step` hears the share done.
    """
    ids = ids[-SWEEP_TOKENS:]
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in SWEPT}
    places = [("full", len(ids)), *((name, width) for width in WIDTHS if width < len(ids) for name in SWEPT if name != "full")]
    full, usual = None, indexes(lm)[0]
    for i, (name, width) in enumerate(places):
        key = (lm.name, tuple(ids), name, width)
        if key not in _numbers:
            on_step(i / len(places))
            full = _full_logits(lm, ids) if full is None else full
        pattern, kind = ("top_k", "own") if name == "own" else (name, usual)
        rule = rule_of(pattern, width, _index(lm, kind))
        found[name][width] = _numbers.get(key, lambda rule=rule, full=full: sparse_drift(lm, ids, rule, full).numbers)
    return found


def slopes(claimed: dict[str, dict[int, float]]) -> dict[str, float]:
    """Name -> exponent e with which two published times grow: time ~ tokens^e."""
    found = {}
    for name, points in claimed.items():
        (n, low), (more, high) = sorted(points.items())
        found[name] = math.log(high / low) / math.log(more / n)
    return found


@torch.inference_mode()
def _full_logits(lm, ids) -> Tensor:
    """(T, V) of the ordinary model; kept is only what they follow from."""
    return lm.unembed(_full.get((lm.name, tuple(ids)), lambda: read_full(lm, ids)))


def indexes(lm) -> tuple[str, ...]:
    """Those of INDEXES that there are for a model, the usual one first: only the bundled one has a trained index."""
    return INDEXES if indexer.fits(lm) else INDEXES[1:]


def recorded_losses(width: int = 16) -> dict[str, float]:
    """Mean loss of the recorded held-out texts: with `width` tokens by each index and in a window, and "full"."""
    by_source = recorded("indexer_evaluation")["held_out_loss"].values()
    names = ("trained", "projected", "own", "window")
    found = {name: float(np.mean([losses[name][str(width)] for losses in by_source])) for name in names}
    return found | {"full": float(np.mean([losses["full"]["all"] for losses in by_source]))}


def _index(lm, kind: str) -> Index:
    if kind == "trained":
        return indexer.load_indexer().index
    if kind != "projected":
        return make_index(kind)
    return make_index(kind, _directions.get(lm.name, lambda: usual_directions(lm)))
