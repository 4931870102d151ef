"""What the positions lab keeps: hands of a query and a key, what another order does, recorded and live losses of long texts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from core.charts.positions import LINES, binned
from core.decoding import distribution
from core.measure import kl
from core.measure.perplexity import token_nll
from core.measure.positions import Hands, hands, moved, read_states, score_at, shuffled_words, turned_back
from core.measure.recorded import recorded as recorded_run
from core.measure.weight_drift import score_along
from core.models.positions import alibi_bias, rope_frequencies, sinusoidal_positions
from core.models.repositioned import SCALINGS, rope_scaled, without_positions
from core.ui import controls, heads
from core.ui.head_controls import kind_name
from core.ui.heads import Head, Heads, written
from core.ui.kept import Kept
from core.ui.token_strip import Token, token_strip

ROTATIONS = {"turned": "on", "mask": "off"}  # runs whose predictions are shown -> what the switch calls them
SHOWN = 64  # positions and numbers of each in the picture of a scheme
_orders, _long = Kept(64), Kept(24)


@dataclass(frozen=True)
class Pair:
    """A query and a key of one head before any turning, (D,) each, as vectors and as hands."""

    head: Head
    query: int  # positions in the text
    key: int
    q: Tensor
    k: Tensor
    hands: Hands

    def scores(self, longest: int) -> list[float]:
        """The score at every distance from 0 to `longest`."""
        return [float(self.hands.pair_scores(distance).sum()) for distance in range(longest + 1)]


@dataclass(frozen=True)
class Order:
    """One text and another order of its words, with and without turning."""

    reordered: list[int]  # token ids
    effects: dict[str, list[float]]  # "turned", "mask", "neither" -> how far the last state moved, by block
    logits: dict[str, tuple[Tensor, Tensor]]  # "on", "off" -> next token after the text's order and after the other, (V,) each
    losses: dict[str, tuple[float, float]]  # the same for the mean loss in nats a token

    def kl(self, rotation: str) -> float:
        """How far the prediction moved, nats."""
        return float(kl(*self.logits[rotation]))

    def probs(self, rotation: str) -> tuple[Tensor, Tensor]:
        """Next-token probabilities (V,) after the text's order and after the other."""
        before, after = self.logits[rotation]
        return distribution(before), distribution(after)

    @property
    def loss_numbers(self) -> dict[str, float]:
        """By the names of their texts: loss_on_text, loss_on_shuffled, loss_off_text, loss_off_shuffled."""
        return {f"loss_{name}_{n}": loss for name, both in self.losses.items() for n, loss in zip(("text", "shuffled"), both)}


def opened_pair(page, ids) -> Pair:
    """The token a viewer chose (at first the last one) and the one it looks at most in the head they opened, sink aside."""
    found = heads.read(page.lm, ids)
    head, chosen = heads.opened(page, found, "previous"), heads.place(page, "token", ids)
    query = len(ids) - 1 if chosen is None else chosen
    key = int(heads.pattern(found, head, hide_first=True)[query, : query + 1].argmax())
    return pair(page.lm, found, head, query, key)


def pair(lm, found: Heads, head: Head, query: int, key: int) -> Pair:
    """The query of one token and the key of another in one head, turned back to where they were before."""
    layer, h = head
    q, k = (found.reading.activations[f"blocks.{layer}.attn.hook_rot_{name}"] for name in "qk")  # (T, H, D), (T, Hkv, D)
    q = turned_back(q[query, h], query, lm.config)
    k = turned_back(k[key, h * k.shape[1] // lm.config.n_heads], key, lm.config)
    return Pair(head, query, key, q, k, hands(q, k, lm.config))


def pair_numbers(page, pair: Pair, ids, shift: int, gap: int) -> dict[str, str | float]:
    """For sentences: the score with the key at position 0 (here) and at `shift` (there), the query `gap` tokens later both times."""
    here, there = (score_at(pair.q, pair.k, at + gap, at, page.lm.config) for at in (0, shift))
    says = {"q": page.lm.tokenizer.label(ids[pair.query]), "k": page.lm.tokenizer.label(ids[pair.key]), "here": here, "there": there}
    kind = kind_name(page, heads.read(page.lm, ids).kind(pair.head))
    return says | {"shift": shift, "gap": gap, "now": shift + gap, "head": written(pair.head), "kind": kind, "real": pair.query - pair.key}


def pair_strip(page, pair: Pair, ids) -> None:
    """The text as tokens, with the query and the key named; a click takes another query."""
    notes = {pair.query: page.t.plain("turn.query"), pair.key: page.t.plain("turn.key")}
    strip = [Token(name, note=notes.get(i, "")) for i, name in enumerate(page.lm.tokenizer.labels(ids))]
    token_strip(page, "strip", strip, page.t.plain("turn.strip"), lambda i: heads.look_at(page, "token", i), pair.query)


def order(lm, ids, seed: int) -> Order:
    """What another order of the words changes (kept)."""
    return _orders.get((lm.name, tuple(ids), seed), lambda: _order(lm, list(ids), seed))


def _order(lm, ids: list[int], seed: int) -> Order:
    pieces = [lm.tokenizer.token_bytes(i).decode("utf-8", "replace") for i in ids]
    reordered = [ids[i] for i in shuffled_words(pieces, seed)]
    bare = without_positions(lm)
    runs = {"turned": (lm, True), "mask": (bare, True), "neither": (bare, False)}
    effects, last, losses = {}, {}, {}
    for run, (model, masked) in runs.items():
        states, logits = zip(*(read_states(model, text, masked) for text in (ids, reordered)))
        effects[run] = moved(*states).tolist()
        if name := ROTATIONS.get(run):
            last[name] = tuple(scores[-1].clone() for scores in logits)  # all of them would be megabytes
            losses[name] = tuple(_loss(scores, text) for scores, text in zip(logits, (ids, reordered)))
    return Order(reordered, effects, last, losses)


def _loss(logits: Tensor, ids: list[int]) -> float:
    return float(token_nll(logits[:-1], torch.tensor(ids[1:])).mean())


def order_numbers(lm, order: Order, rotation: str) -> dict[str, str | float]:
    """For sentences: what was likeliest, what is now, and how far the last state moved first and last, for each run."""
    before, after = order.probs(rotation)
    says = {"before": lm.tokenizer.label(before.argmax()), "after": lm.tokenizer.label(after.argmax()), "blocks": lm.config.n_layers}
    says |= {"share_before": float(before.max()), "share_after": float(after[before.argmax()]), "kl": order.kl(rotation)}
    return says | {f"{run}_{place}": effect[i] for run, effect in order.effects.items() for place, i in (("first", 0), ("last", -1))}


def scheme(lm, name: str) -> Tensor | None:
    """Numbers (rows, SHOWN) that a scheme gives the first positions; None for learned ones that this model does not have."""
    if name == "sinusoidal":
        return sinusoidal_positions(SHOWN, SHOWN).T
    if name == "learned":
        return lm.network.pos_embed[:SHOWN, :SHOWN].T.float() if lm.config.learned_positions else None
    if name == "rope":
        return (torch.arange(SHOWN) * rope_frequencies(lm.config.head_dim, lm.config.rope_theta, lm.config.rope_divisors)[:, None]).cos()
    return alibi_bias(8, SHOWN)[:, -1].flip(-1)  # of the last query, nearest key first: by distance


def recorded(language: str) -> dict:
    """What `python -m core.bench long_texts` measured: source, documents, tokens, curves, and of the run: trained, bin, model."""
    run = recorded_run("long_texts")
    return run["languages"][language] | {name: run[name] for name in ("trained", "bin", "model", "command")}


def curve(language: str, method: str, factor: int) -> list[float]:
    """One recorded curve: mean loss of every bin."""
    wanted = 1 if method == "none" else factor
    return next(row["nll"] for row in recorded(language)["curves"] if (row["method"], row["factor"]) == (method, wanted))


def long_numbers(language: str, factor: int) -> dict[str, str | float]:
    """For sentences: mean loss of every method beyond the trained length, up to `factor` times that, and (`_before`) within it."""
    run = recorded(language)
    edge, end = run["trained"] // run["bin"], factor * run["trained"] // run["bin"]
    curves = {method: curve(language, method, factor) for method in SCALINGS}
    says = {method: fmean(losses[edge:end]) for method, losses in curves.items()}
    says |= {f"{method}_before": fmean(losses[:edge]) for method, losses in curves.items()}
    return says | {"n": run["trained"], "end": factor * run["trained"], "documents": run["documents"], "model": run["model"]}


def long_words(page, methods: tuple[str, ...]) -> dict[str, str]:
    """Words of a chart of long texts with these lines."""
    return page.t.words("long", "position", "nll", "limit") | {LINES[method]: page.t.plain(f"long.{method}") for method in methods}


def start_and_stop(page, n: int) -> None:
    """Buttons that start and stop the reading of a text of `n` tokens; a stop ends it at the next piece."""
    for name, icon, wanted in (("start", ":material/play_arrow:", True), ("stop", ":material/stop:", False)):
        act = {"on_click": controls.set_value, "args": (page, "reading", wanted)}
        st.button(page.t(f"own.{name}", n=n), key=page.key(name), icon=icon, **act)


def long_curves(page, ids, methods: tuple[str, ...], width: int, factor: int = 2) -> dict[str, np.ndarray]:
    """Method -> mean losses of every `width` tokens: what is known, and while the viewer has started it, what is not yet."""
    place, curves = st.empty(), {}
    for method in methods:
        if st.session_state.get(page.key("reading")) or is_measured(page.lm, ids, method, factor):
            show = partial(place.progress, text=page.t(f"long.{method}"))
            curves[method] = binned(long_losses(page.lm, ids, method, factor, show), width)
    place.empty()
    return curves


def is_measured(lm, ids, method: str, factor: int) -> bool:
    return _asked(lm, ids, method, factor) in _long


def _asked(lm, ids, method: str, factor: int) -> tuple:
    return lm.name, tuple(ids), method, factor if method != "none" else 1


def long_losses(lm, ids, method: str, factor: int, on_step: Callable[[float], None]) -> Tensor:
    """Losses (T - 1,) of a long text read with one scaling; `on_step(share)` is called along the way, and may end it (kept)."""

    def compute() -> Tensor:
        parts = []
        for part in score_along(rope_scaled(lm, method, factor), ids):
            parts.append(part.nll)
            on_step(min(sum(map(len, parts)) / len(ids), 1.0))
        return torch.cat(parts)

    return _long.get(_asked(lm, ids, method, factor), compute)

