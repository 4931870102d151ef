"""Attention in tiles for the page: worked out once for all viewers, and a measurement that goes on until it is stopped."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from core.charts import flash_attention as charts
from core.costs.attention_traffic import PUBLISHED
from core.measure.attention_time import attention_seconds
from core.models import trace
from core.models.attention import causal_mask
from core.models.tiled_attention import Tile, Traffic, standard_attention, tiled_attention
from core.ui import controls, panels
from core.ui.charts import draw
from core.ui.heads import written
from core.ui.kept import Kept

SIZES = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048)  # tokens; the largest score matrix takes 17 MB
_tiled, _heads = Kept(24), Kept(12)
_measuring = threading.Lock()  # two measurements at once would disturb each other


@dataclass(frozen=True)
class Tiled:
    """A head's attention worked out in tiles."""

    bounds: list[tuple[range, range]]  # of every tile: queries, keys
    steps: list[dict]  # of every tile, for the last of its queries: row, seen, m, l, error; before, shrink, change
    relative: np.ndarray  # (T, T) exp(score - largest of its row)
    tiled: Traffic
    standard: Traffic
    difference: float  # largest, between the outputs


def vectors(lm, ids, layer: int, head: int) -> tuple[Tensor, Tensor, Tensor]:
    """What one head works with on a text: queries and keys turned to their places, and values, (T, D) each."""

    def compute():
        name = f"blocks.{layer}.attn."
        hooks = [name + hook for hook in ("hook_rot_q", "hook_rot_k", "hook_v")]
        found = trace(lm, ids, keep=lambda hook: hook in hooks, last_only=True)
        shared = head * lm.config.n_kv_heads // lm.config.n_heads  # the key and value head of its group
        return tuple(found[hook][:, which].contiguous() for hook, which in zip(hooks, (head, shared, shared)))

    return _heads.get((lm.name, tuple(ids), layer, head), compute)


def head_choice(page, default: str, choose: Callable = controls.select) -> tuple[int, int]:
    """Layer and head, counted from 0; the viewer chooses among "1.1" to the last. `controls.seeded` only reads what is chosen."""
    config = page.lm.config
    every = [written((layer, head)) for layer in range(config.n_layers) for head in range(config.n_heads)]
    layer, head = choose(page, "head", every, default if default in every else every[-1]).split(".")
    return int(layer) - 1, int(head) - 1


def tiled(lm, ids, layer: int, head: int, rows: int, cols: int) -> Tiled:
    """The head's attention in tiles of `rows` × `cols`, every tile watched, beside ordinary attention."""
    return _tiled.get((lm.name, tuple(ids), layer, head, rows, cols), lambda: _compute(*vectors(lm, ids, layer, head), rows, cols))


@torch.inference_mode()
def _compute(q: Tensor, k: Tensor, v: Tensor, rows: int, cols: int) -> Tiled:
    ordinary, in_tiles, bounds, steps = Traffic(), Traffic(), [], []
    expected = standard_attention(q, k, v, traffic=ordinary)

    def watch(tile: Tile) -> None:
        row, m, l = tile.rows[-1], float(tile.largest[-1]), float(tile.total[-1])
        error = float((tile.output[-1] / l - expected[row]).norm() / expected[row].norm())
        before = steps[-1]["m"] if tile.cols.start else m
        change = "first" if not tile.cols.start else "larger" if m > before else "kept"
        bounds.append((tile.rows, tile.cols))
        step = {"row": row, "seen": min(tile.cols.stop, row + 1), "m": m, "l": l, "error": error}
        steps.append(step | {"before": before, "shrink": math.exp(before - m), "change": change})

    found = tiled_attention(q, k, v, rows, cols, traffic=in_tiles, watch=watch)
    scores = (q @ k.T / q.shape[-1] ** 0.5).masked_fill(~causal_mask(len(q), len(k)), -torch.inf)
    relative = (scores - scores.amax(-1, keepdim=True)).exp().numpy()
    return Tiled(bounds, steps, relative, in_tiles, ordinary, float((found - expected).abs().max()))


def measure_next(measured: dict[int, dict[str, float]], head_dim: int) -> bool:
    """Measure the next of SIZES into `measured`; False when all are done."""
    left = [n for n in SIZES if n not in measured]
    if left:
        with _measuring:
            measured[left[0]] = attention_seconds(left[0], head_dim)
    return len(left) > 1


def last_measured(measured: dict[int, dict[str, float]]) -> dict[str, float]:
    """The longest text measured, n, its times in milliseconds, and how many times as fast the fused kernel was."""
    n = max(measured)
    times = {way: 1000 * seconds for way, seconds in measured[n].items()}
    return {"n": n, **times, "ratio": times["standard"] / times["fused"]}


def published(page) -> None:
    """What the paper measured, as shares of ordinary attention. Texts: `published.*`."""
    t = page.t
    with panels.panel(page, "published", "arithmetic"):
        shares = {name: both["flash"] / both["standard"] for name, both in PUBLISHED.items()}
        rows = [(t.plain(f"published.{name}"), share, "computed", t.number(share, ".0%")) for name, share in shares.items()]
        data, spec = charts.bars_data(rows), charts.bars_chart(3, 1.2, True, page.language, value=t.plain("published.value"))
        draw(page, "published", spec, data, t.plain("published.alt"))
        figures = {f"{name}_{way}": figure for name, both in PUBLISHED.items() for way, figure in both.items()}
        st.markdown(t("published.result", **figures))
        panels.download(page, "published", lambda: data)
