"""Speculative decoding for the page: which drafts there are, runs kept for everybody, measuring while the viewer watches."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.checkpoints.draft import fits, load_draft
from core.costs import parameters
from core.decoding import Round, Step, distribution, first_layers, generate, speculate
from core.measure.speculation import Gain, chi_square, draw_first, gain
from core.ui import live
from core.ui.kept import Kept
from core.ui.strategies import OnStep

PARTS = {"quarter": 4, "half": 2}  # the share of the layers that a shallow draft runs is one in so many
NEVER = -1  # no token has this id
_runs, _plain, _splits = Kept(96, long=True), Kept(48, long=True), Kept(48)


@dataclass(frozen=True)
class First:
    """The token after a text: what both models say of the tokens shown, and how many draws fell on each."""

    ids: list[int]
    p: np.ndarray
    q: np.ndarray
    drawn: tuple[np.ndarray, np.ndarray]  # from the draft, from the correction
    overlap: float  # Σ min(p, q) over all tokens
    passed: float  # share of the draws that came from the draft
    chi_square: float  # of all draws against p
    freedom: int
    chance: float  # of a chi-square at least as large, were the draws from p


def draft_names(lm) -> list[str]:
    """The drafts for `lm`: the trained one where it has the same tokens, and shallow parts of the model itself."""
    return (["trained"] if fits(lm) else []) + list(PARTS)


def draft_model(lm, name: str):
    return load_draft() if name == "trained" else first_layers(lm, max(1, lm.config.n_layers // PARTS[name]))


def draft_share(lm, name: str) -> float:
    """The draft's weights as a share of the model's; a shallow part is counted with its output layer."""
    return parameters(draft_model(lm, name).config) / parameters(lm.config)


def spoken(
    lm, draft: str, ids, draft_length: int, temperature: float, seed: int, n: int, on_step: OnStep | None = None
) -> tuple[Round, ...]:  # fmt: skip
    """The rounds that write `n` tokens behind `ids`; the same question is answered from memory. `on_step` hears of all tokens so far."""

    def compute():
        found, tokens = [], []
        for done in rounds(lm, draft, ids, draft_length, temperature, seed, n):
            found.append(done)
            tokens += done.tokens
            if on_step:
                on_step(tokens)
        return tuple(found)

    return _runs.get((lm.name, draft, tuple(ids), draft_length, temperature, seed, n), compute)


def rounds(lm, draft: str, ids, draft_length: int, temperature: float, seed: int, n: int, stop: int | None = None) -> Iterator[Round]:
    """The same, computed now, the reading of the text before it not counted. `stop`: the token that ends it."""
    small = draft_model(lm, draft)
    caches = tuple(live.beginning(live.read(m, ids), len(ids) - 1, room=n + draft_length + 1) for m in (lm, small))
    return speculate(lm, small, ids, n, draft_length, temperature=temperature, seed=seed, caches=caches, stop=stop)


def plain(lm, ids, temperature: float, seed: int, n: int, stop: int | None = None) -> Iterator[Step]:
    """Plain writing of `n` tokens, the reading of the text before it not counted; a step's time takes in the choice, as a round's does."""
    cache = live.beginning(live.read(lm, ids), len(ids) - 1, room=n + 1)
    start = time.perf_counter()
    for step in generate(lm, ids, n, temperature=temperature, seed=seed, cache=cache, stop=stop):
        yield replace(step, seconds=time.perf_counter() - start)
        start = time.perf_counter()


def writer(lm, ids, n: int, draft: str, draft_length: int, temperature: float, seed: int) -> Callable[[str], Iterator]:
    """What the lanes of the race write: "plain" or "rounds"."""
    return lambda kind: (
        plain(lm, ids, temperature, seed, n) if kind == "plain" else rounds(lm, draft, ids, draft_length, temperature, seed, n)
    )


def plain_tokens(lm, ids, n: int) -> tuple[int, ...]:
    """The likeliest continuation, written one by one."""
    return _plain.get((lm.name, tuple(ids), n), lambda: tuple(s.token for s in plain(lm, ids, 0.0, 0, n)))


def first_token(lm, draft: str, ids, temperature: float, seed: int, shown: int, draws: int) -> First:
    """Both models' probabilities of the token after `ids`, and `draws` first tokens of a round, drawn now."""

    def compute():
        small = draft_model(lm, draft)
        p, q = (distribution(live.read(m, ids).logits, temperature) for m in (lm, small))
        drawn = draw_first(p, q, draws, seed)
        best = p.topk(shown).indices  # what the draft alone likes is added: that is what gets rejected
        extra = [i for i in q.topk(2).indices.tolist() if i not in best.tolist()]
        chosen = best.tolist()[: shown - len(extra)] + extra
        return First(
            chosen, p[chosen].numpy(), q[chosen].numpy(), tuple(d[chosen].numpy() for d in drawn), float(p.minimum(q).sum()),
            int(drawn[0].sum()) / draws, *chi_square(sum(drawn), p),
        )  # fmt: skip

    return _splits.get((lm.name, draft, tuple(ids), temperature, seed, shown, draws), compute)


def disputed(ids, found: tuple[Round, ...]) -> list[int]:
    """The text up to where a drafted token was first rejected; where none was, the text itself."""
    text = list(ids)
    for r in found:
        if r.accepted < len(r.drafted):
            return text + list(r.tokens[: r.accepted])
        text += r.tokens
    return list(ids)


def gains(lm, draft: str, ids, temperature: float, seed: int, n: int, most: int) -> Iterator[Gain]:
    """Every draft length up to `most`, timed here: plain writing just before each, so that both meet the same machine."""
    for draft_length in range(1, most + 1):
        steps = list(plain(lm, ids, temperature, seed, n, NEVER))  # no end of text: all are timed on as many tokens
        yield gain(draft_length, list(rounds(lm, draft, ids, draft_length, temperature, seed, n, NEVER)), steps)


def events(lm, found: tuple[Round, ...]) -> pd.DataFrame:
    """One row a drafted or added token: round, token, event, chance to pass."""
    rows = []
    for n, r in enumerate(found, 1):
        for i, token in enumerate(r.drafted):
            event = "accepted" if i < r.accepted else "rejected" if i == r.accepted else "not looked at"
            rows.append((n, lm.tokenizer.label(token), event, r.passes[i]))
        if r.token is not None:
            rows.append((n, lm.tokenizer.label(r.token), r.kinds[-1], None))
    return pd.DataFrame(rows, columns=["round", "token", "event", "passes"])

