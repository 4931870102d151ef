"""What changed weights change in what a model predicts."""

from dataclasses import dataclass
from difflib import SequenceMatcher

import torch
from torch import Tensor

from core.kv_cache import make_cache
from core.models.language_model import LanguageModel, as_batch

CHUNK = 128  # positions whose scores over the whole vocabulary stand in memory together


@dataclass(frozen=True)
class Scores:
    """What a model made of a text of T tokens."""

    nll: Tensor  # (T - 1,) nats: how surprised it was by each token after the first
    top: Tensor  # (T,) long: its likeliest next token at every position

    @property
    def perplexity(self) -> float:
        """exp of the mean nll: among how many equally likely tokens it hesitated, on average."""
        return float(self.nll.mean().exp())


def score(lm: LanguageModel, ids) -> Scores:
    """Read `ids` (T >= 2) once and keep what a comparison needs."""
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if len(ids) < 2:
        raise ValueError(f"a text to score needs at least 2 tokens, got {len(ids)}")
    cache = make_cache("full", lm.config)
    nll, top = [], []
    for start in range(0, len(ids), CHUNK):
        logits = lm.forward(ids[None, start : start + CHUNK], cache)[0].float()  # (t, V)
        following = ids[start + 1 : start + CHUNK + 1]
        top.append(logits.argmax(-1))
        nll.append(logits[: len(following)].logsumexp(-1) - logits[: len(following)].gather(-1, following[:, None])[:, 0])
    return Scores(torch.cat(nll), torch.cat(top))


def agreement(before: Scores, after: Scores) -> float:
    """Share of positions where both find the same token likeliest."""
    return float((before.top == after.top).float().mean())


def next_token_kl(before: Tensor, after: Tensor) -> float:
    """KL(before ‖ after) in nats of the distributions that two rows of scores (V,) stand for; 0 = the same."""
    log_p, log_q = before.log_softmax(-1), after.log_softmax(-1)
    return max(0.0, float((log_p.exp() * (log_p - log_q)).sum()))


def changed_tokens(before: list[int], after: list[int]) -> tuple[list[bool], list[bool]]:
    """Which tokens of two texts have no counterpart in the other (longest matching runs, difflib)."""
    marks = [True] * len(before), [True] * len(after)
    for run in SequenceMatcher(a=before, b=after, autojunk=False).get_matching_blocks():
        marks[0][run.a : run.a + run.size] = [False] * run.size
        marks[1][run.b : run.b + run.size] = [False] * run.size
    return marks
