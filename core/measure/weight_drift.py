"""What changed weights change in what a model predicts."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

import torch
from torch import Tensor

from core.kv_cache import make_cache
from core.measure.perplexity import Perplexity
from core.models.language_model import LanguageModel, as_batch

CHUNK = 128  # positions whose scores over the whole vocabulary stand in memory together


@dataclass(frozen=True)
class Scores(Perplexity):
    """What a model made of a text of T tokens: its surprise, nll (T - 1,), and its guesses."""

    top: Tensor  # (T,) long: the likeliest next token at every position


def score(lm: LanguageModel, ids, chunk: int = CHUNK) -> Scores:
    """Read `ids` (T >= 2) once, `chunk` tokens at a time, and keep what a comparison needs."""
    parts = list(score_along(lm, ids, chunk))
    return Scores(torch.cat([part.nll for part in parts]), torch.cat([part.top for part in parts]))


def score_along(lm: LanguageModel, ids, chunk: int = CHUNK) -> Iterator[Scores]:
    """The same piece by piece, as a long text is read."""
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if len(ids) < 2:
        raise ValueError(f"a text to score needs at least 2 tokens, got {len(ids)}")
    cache = make_cache("full", lm.config)
    for start in range(0, len(ids), chunk):
        logits = lm.forward(ids[None, start : start + chunk], cache)[0].float()  # (t, V)
        following = ids[start + 1 : start + chunk + 1]
        nll = logits[: len(following)].logsumexp(-1) - logits[: len(following)].gather(-1, following[:, None])[:, 0]
        yield Scores(nll, logits.argmax(-1))


def agreement(before: Scores, after: Scores) -> float:
    """Share of positions where both find the same token likeliest."""
    return float((before.top == after.top).float().mean())


def shared_start(before: list[int], after: list[int]) -> int:
    """How many tokens two texts share before the first difference."""
    return next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))


def changed_tokens(before: list[int], after: list[int]) -> tuple[list[bool], list[bool]]:
    """Which tokens of two texts have no counterpart in the other (longest matching runs, difflib)."""
    marks = [True] * len(before), [True] * len(after)
    for run in SequenceMatcher(a=before, b=after, autojunk=False).get_matching_blocks():
        marks[0][run.a : run.a + run.size] = [False] * run.size
        marks[1][run.b : run.b + run.size] = [False] * run.size
    return marks
