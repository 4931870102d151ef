"""Mixtures of experts for the page: routes and losses kept for everybody, text written with other experts, recorded runs."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd

from core.checkpoints.experts import load_experts
from core.decoding import generate
from core.measure.experts import Routes, changed, loss, losses_without, routes, same_expert
from core.measure.recorded import RUNS
from core.measure.recorded import recorded as recorded_run
from core.ui import controls
from core.ui.kept import Kept
from core.ui.token_strip import Token

MOST_TOKENS, WRITTEN = 400, 32
N_LAYERS, N_EXPERTS = 4, 8  # of the shipped networks
_routes, _losses, _texts = Kept(200), Kept(64, long=True), Kept(200, long=True)

Share = Callable[[float], None]


def asked(page) -> list[int]:
    """The viewer's text in tokens of the shipped networks, whatever model is chosen for the other pages."""
    typed = controls.text(page)
    encode = load_experts("loss").tokenizer.encode
    ids = encode(typed)
    if len(ids) > MOST_TOKENS:
        page.note("notes.tokens_tail", n=MOST_TOKENS, all=len(ids))
        ids = ids[-MOST_TOKENS:]
    if len(ids) < 2:
        example = page.t.plain("prompt.default")
        page.note("notes.short", n=2, text=example)
        ids = encode(example)
    return ids


def labels(ids: Sequence[int]) -> list[str]:
    return load_experts("loss").tokenizer.labels(ids)


def where(balance: str, ids: Sequence[int]) -> Routes:
    """Where the tokens of a text go (kept)."""
    return _routes.get((balance, tuple(ids)), lambda: routes(load_experts(balance), ids))


def pairs(balance: str, ids: Sequence[int], layer: int) -> tuple[float, float, int]:
    """See `same_expert`, of one layer's first experts."""
    return same_expert(where(balance, ids).experts[layer, :, 0].numpy(), np.asarray(ids))


def score_table(page, ids: Sequence[int], found: Routes) -> pd.DataFrame:
    """One row a token and layer, for the download."""
    names, rows = labels(ids), []
    for layer in range(len(found.experts)):
        for place, (experts, weights) in enumerate(zip(found.experts[layer].tolist(), found.weights[layer].tolist())):
            rows.append((place + 1, names[place], layer + 1, experts[0] + 1, experts[1] + 1, round(weights[0], 4)))
    return pd.DataFrame(rows, columns=["position", "token", "layer", "first", "second", "weight_of_first"])


def matters(balance: str, ids: Sequence[int], way: str, on_step: Share) -> tuple[float, np.ndarray]:
    """Loss of the text as the network was trained, and how much it changes (L, E) with each expert forbidden or forced (kept)."""

    def compute():
        on_step(0.0)
        lm, found = load_experts(balance), np.zeros((N_LAYERS, N_EXPERTS))
        whole = loss(lm, ids)
        for step, (layer, expert, other) in enumerate(losses_without(lm, ids, way), 1):
            found[layer, expert] = other - whole
            on_step(step / found.size)
        return whole, found

    return _losses.get((balance, tuple(ids), way), compute)


def written(balance: str, ids: Sequence[int], rule: tuple[int, int, str] | None = None) -> list[int]:
    """The likeliest continuation, with the `rule` (layer, expert, way) or without; without the token that ends a text (kept)."""

    def compute():
        lm = load_experts(balance) if rule is None else changed(load_experts(balance), *rule)
        new = [step.token for step in generate(lm, list(ids), WRITTEN, temperature=0)]
        return [token for token in new if token != lm.tokenizer.eot]

    return _texts.get((balance, tuple(ids), rule), compute)


def marked(new: Sequence[int], other: Sequence[int]) -> list[Token]:
    """Written tokens for a strip, marked from where they part from `other`."""
    same = next((i for i, (a, b) in enumerate(zip(new, other)) if a != b), min(len(new), len(other)))
    return [Token(name, state="marked" if i >= same else "") for i, name in enumerate(labels(new))]


@cache
def log() -> pd.DataFrame:
    """The recorded course of the training."""
    return pd.read_csv(RUNS / "moe_training.csv")


def evaluation() -> dict:
    """The recorded evaluation of the four networks by kind."""
    return recorded_run("moe_evaluation")["networks"]


def held_out() -> dict:
    """What `python -m core.bench experts` recorded."""
    return recorded_run("moe_experts")


def typical_table(layer: dict) -> pd.DataFrame:
    """One row an expert: number, share of the first choices, the tokens that are most its own."""
    counts = np.asarray(layer["kinds"]).sum(1)
    tokens = ["  ".join(token for token, _ in one) if n >= 20 else "–" for one, n in zip(layer["typical"], counts)]
    return pd.DataFrame({"expert": range(1, len(counts) + 1), "share": counts / counts.sum(), "tokens": tokens})


def mean_explained(balance: str) -> dict[str, float]:
    """Share of the choice that each factor explains, mean of the layers."""
    layers = held_out()["networks"][balance]
    return {factor: float(np.mean([layer["explained"][factor] for layer in layers])) for factor in layers[0]["explained"]}
