"""Mixtures of experts, looked at from outside: where tokens go, what decides that, and what a missing expert costs.

Shapes: L layers, T or N tokens, E experts, K chosen for each token.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.measure.perplexity import token_nll
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel, as_batch
from core.models.moe import load, routings, steered

KINDS = ("start", "inside", "sign", "number", "space", "other")  # of tokens


@dataclass(frozen=True)
class Routes:
    """Where every token of a text goes."""

    probs: Tensor  # (L, T, E) what the router says
    experts: Tensor  # (L, T, K) the chosen ones, the one that counts most first
    weights: Tensor  # (L, T, K) how much each counts, sum 1

    @property
    def loads(self) -> Tensor:
        """Share of all assignments of a layer that each expert got, (L, E), rows sum to 1."""
        return torch.stack([load(experts, self.probs.shape[-1]) for experts in self.experts])


def routes(lm: LanguageModel, ids) -> Routes:
    """Where the tokens ids (T,) go. Raises ValueError for no tokens."""
    found = routings(lm.network, as_batch(ids, lm.config.vocab_size)[:1])
    probs, experts, weights = (torch.stack([getattr(r, part) for r in found]) for part in ("probs", "experts", "weights"))
    order = weights.argsort(dim=-1, descending=True, stable=True)  # a bias may have chosen in another order
    return Routes(probs, experts.gather(-1, order), weights.gather(-1, order))


def changed(lm: LanguageModel, layer: int, expert: int, way: str) -> LanguageModel:
    """`lm` with one expert forbidden to all tokens ("forbid") or chosen for all ("force"); ValueError for another way."""
    return replace(lm, network=steered(lm.network, layer, **_rule(expert, way)))


def _rule(expert: int, way: str) -> dict[str, tuple[int]]:
    if way not in ("forbid", "force"):
        raise ValueError(f"way must be forbid or force, got {way!r}")
    return {"forbidden" if way == "forbid" else "forced": (expert,)}


def loss(lm: LanguageModel, ids) -> float:
    """Mean surprise at the tokens of a text from the second on, nats; ValueError for fewer than two."""
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if len(ids) < 2:
        raise ValueError(f"a loss needs at least 2 tokens, got {len(ids)}")
    return float(token_nll(lm.logits(ids)[:-1], ids[1:]).mean())


@torch.inference_mode()
def losses_without(lm: LanguageModel, ids, way: str = "forbid") -> Iterator[tuple[int, int, float]]:
    """(layer, expert, loss of the text) with each expert forbidden, or forced on all tokens, in its layer alone.

    Up to that layer's experts everything is as it was, so this is computed once; behind them, the cases of a layer go on as one batch.
    """
    ids, network = as_batch(ids, lm.config.vocab_size)[:1], lm.network
    angles = network.rotary_positions(torch.arange(ids.shape[1]))
    for layer, stream in enumerate(_before_experts(network, ids)):  # (1, T, C)
        block, n = network.blocks[layer], network.blocks[layer].mlp.moe.n_experts
        cases = [steered(network, layer, **_rule(expert, way)).blocks[layer].mlp for expert in range(n)]
        streams = torch.cat([stream + mlp(block.ln2(stream)) for mlp in cases])  # (E, T, C)
        for later in range(layer + 1, len(network.blocks)):
            streams = network.blocks[later](streams, angles, later)
        for expert, normalized in enumerate(network.ln_final(streams)):
            yield layer, expert, float(token_nll(lm.unembed(normalized[:-1]), ids[0, 1:]).mean())


def _before_experts(network: Decoder, ids: Tensor) -> list[Tensor]:
    """The stream (1, T, C) after each layer's attention, which its router and experts read."""
    found: list[Tensor] = []

    def watch(name: str, value: Tensor) -> Tensor:
        if name.endswith("hook_resid_mid"):
            found.append(value)
        return value

    network(ids, tap=watch, last_only=True)
    return found


def kinds_of(tokens: Sequence[bytes]) -> list[str]:
    """One of KINDS for each token of a text: a word's start or what follows inside it, a sign, a number, space, other."""
    kinds, in_word = [], False
    for token in tokens:
        text = token.decode("utf-8", "replace")
        core = text.strip()
        if not core:
            kind = "space"
        elif any(c.isdigit() for c in core):
            kind = "number"
        elif any(c.isalpha() for c in core):
            kind = "inside" if in_word and text[0].isalpha() else "start"
        else:
            kind = "other" if "\ufffd" in core or any(ord(c) > 0x2fff for c in core) else "sign"
        kinds.append(kind)
        in_word = bool(text) and text[-1].isalpha()
    return kinds


def information(experts: np.ndarray, factor: np.ndarray) -> float:
    """Mutual information of two labellings (N,) of the same tokens, bits."""
    _, a = np.unique(experts, return_inverse=True)
    _, b = np.unique(factor, return_inverse=True)
    both = np.bincount(b * (a.max() + 1) + a)
    return _entropy(np.bincount(a)) + _entropy(np.bincount(b)) - _entropy(both)


def explained(experts: np.ndarray, factor: np.ndarray, given: np.ndarray | None = None, seed: int = 0, draws: int = 3) -> float:
    """Share of the uncertainty about the expert (N,) that `factor` (N,) takes away, corrected for chance: 0 nothing, 1 all.

    (I − I₀) / (H − I₀), H the entropy of the experts and I₀ the information that shuffled experts seem to have (mean of `draws`
    shuffles): with many values, a factor fits anything. `given` (N,), of which `factor` must be a finer division, is taken
    as known already: I and I₀ are what comes on top, and shuffling stays within its groups.
    """
    rng = np.random.default_rng(seed)
    known = np.zeros(len(experts), dtype=np.int64) if given is None else np.unique(given, return_inverse=True)[1]
    by_group = np.argsort(known, kind="stable")

    def shuffled() -> np.ndarray:
        mixed = np.empty_like(experts)
        mixed[by_group] = experts[np.lexsort((rng.random(len(experts)), known))]
        return mixed

    chance = float(np.mean([information(shuffled(), factor) for _ in range(draws)])) - information(experts, known)
    told = information(experts, factor) - information(experts, known)
    whole = _entropy(np.unique(experts, return_counts=True)[1])
    return (told - chance) / (whole - chance) if whole > chance else 0.0


def same_as_next(experts: np.ndarray) -> tuple[float, float]:
    """Share of neighbouring tokens (N,) with the same expert, and what it would be in any order: Σ p²."""
    share = np.bincount(experts) / len(experts)
    return float((experts[1:] == experts[:-1]).mean()), float((share**2).sum())


def typical(experts: np.ndarray, ids: np.ndarray, expert: int, n: int = 8) -> list[tuple[int, float]]:
    """The `n` tokens that stand out most among those sent to an expert: (id, share of its places that went there).

    Ranked by places · log(share / share of all tokens), so that a token must be both frequent and the expert's own.
    """
    tokens, place, count = np.unique(ids, return_inverse=True, return_counts=True)
    here = np.bincount(place[experts == expert], minlength=len(tokens))
    share = here / count
    score = here * np.log(np.maximum(share, 1e-12) / max(float((experts == expert).mean()), 1e-12))
    best = np.argsort(-score, kind="stable")[:n]
    return [(int(tokens[i]), float(share[i])) for i in best if here[i] > 0 and score[i] > 0]


def same_expert(experts: np.ndarray, ids: np.ndarray) -> tuple[float, float, int]:
    """Share of the pairs of places with the same token that have the same expert, that of all pairs, and the number of the former."""
    same_token, same = ids[:, None] == ids[None], experts[:, None] == experts[None]
    pairs = np.triu(np.ones_like(same), 1)
    n = int((same_token & pairs).sum())
    return (float(same[same_token & pairs].mean()) if n else 0.0), float(same[pairs].mean()) if len(ids) > 1 else 0.0, n


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())
