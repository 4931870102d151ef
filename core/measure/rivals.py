"""Two networks on one text: the loss of every token, what of the text is there for the second time, and how long reading takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.kv_cache import make_cache
from core.measure.gradient_reach import gradient_by_distance
from core.measure.perplexity import token_nll
from core.models.recurrent import RecurrentLM

PART = 32  # tokens after which a recurrent network's state is put down


@dataclass(frozen=True)
class Heard:
    """A text as a recurrent network read it. To read on, or anew from a changed place, a state before it is all that is needed."""

    ids: tuple[int, ...]
    losses: Tensor  # (T - 1,) -ln p of every token but the first, nats
    states: tuple[Tensor | None, ...]  # before token 0 (none yet), PART, 2 PART, ..., and at the end: (layers, 1, R)


@torch.inference_mode()
def hear(network: RecurrentLM, ids: Sequence[int], known: Heard | None = None, same: int = 0) -> Heard:
    """Read a text; from `known`, whose first `same` tokens are the same, everything is taken that does not change."""
    row = torch.tensor([list(ids)])
    parts = max(same - 1, 0) // PART  # whole ones: what comes next is the same, too
    states = list(known.states[: parts + 1]) if known else [None]
    found = [known.losses[: parts * PART]] if known else []
    for start in range(parts * PART, row.shape[1] - 1, PART):
        part, following = row[:, start : start + PART], row[0, start + 1 : start + PART + 1]
        logits, state = network.read(part, states[-1])
        found.append(token_nll(logits[0, : len(following)].float(), following))
        states.append(state)
    return Heard(tuple(ids), torch.cat(found), tuple(states))


def distances(ids: Sequence[int]) -> list[int]:
    """How many tokens back each token stood last; 0 for one that is there for the first time."""
    seen: dict[int, int] = {}
    found = []
    for i, token in enumerate(ids):
        found.append(i - seen[token] if token in seen else 0)
        seen[token] = i
    return found


def looks_back(network: nn.Module, ids: Sequence[int], place: int) -> Tensor:
    """How much the prediction of token `place` >= 1 hangs on each token before it, as shares that sum to 1: (place,), first token first.

    The share is that of the gradient's length at the token's embedding.
    """
    lengths = gradient_by_distance(network, torch.tensor([list(ids[: place + 1])])).flip(0)
    return lengths / lengths.sum().clamp_min(1e-30)


def longest_chain(network: nn.Module, n: int) -> int:
    """How many layers must be worked out one after the other to read `n` tokens, however many processors there are.

    A recurrent layer waits for itself at the token before and for the layer below at the same token; a Transformer's for the layer below.
    """
    layers = network.config.n_layers
    return n + layers - 1 if isinstance(network, RecurrentLM) else layers


def numbers_kept(network: nn.Module, n: int) -> int:
    """How many numbers of `n` tokens read are there when the next one is predicted: states, or keys and values."""
    config = network.config
    if isinstance(network, RecurrentLM):
        return config.n_layers * config.d_state
    return 2 * config.n_layers * config.n_kv_heads * config.head_dim * n


@torch.inference_mode()
def reading_seconds(network: nn.Module, n: int, one_by_one: bool, repeats: int = 2, seed: int = 0) -> float:
    """Seconds to read `n` random tokens and predict the next: all given at once, or a prediction after each. The best of `repeats`."""
    ids = torch.randint(0, network.config.vocab_size, (1, n), generator=torch.Generator().manual_seed(seed))
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        _read(network, ids, one_by_one)
        best = min(best, time.perf_counter() - begun)
    return best


def _read(network: nn.Module, ids: Tensor, one_by_one: bool) -> Tensor:
    """Logits (1, 1, V) after ids (1, n)."""
    parts = ids.split(1, dim=1) if one_by_one else [ids]
    if isinstance(network, RecurrentLM):
        state = None
        for part in parts:
            logits, state = network.read(part, state, last_only=True)
    else:
        cache = make_cache("full", network.config) if one_by_one else None
        for part in parts:
            logits = network(part, cache=cache, last_only=True)
    return logits
