"""Spending more tokens on a problem: many answers at once, or one answer revised again and again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.models.decoder import Decoder
from core.rl.answers import read
from core.rl.judge import Judge, scores
from core.rl.policy import Answers, sample
from core.rl.problems import Problem
from core.rl.vocabulary import ANSWER, ID, THINK, prompt_ids, words_of
from core.rl.voting import NONE

ROWS = 1024  # answers written at once
BEGINNINGS = {"steps": THINK, "direct": ANSWER}  # the first token decides whether steps are written
CUTS = (1, 7)  # where a revision starts to write anew: at the first step, or behind it


@dataclass(frozen=True)
class Tried:
    """S answers to each of P problems."""

    values: np.ndarray  # (P, S) numbers answered; NONE where the form is missing
    right: np.ndarray  # (P, S) bool
    scores: np.ndarray  # (P, S) the reward model's
    tokens: np.ndarray  # (P, S) tokens written
    texts: list[str]  # P · S answers, problem after problem


def try_often(
    network: Decoder, judge: Judge, problems: Sequence[Problem], questions: Sequence[str], n: int, way: str, temperature: float, seed: int
) -> Tried:
    """n answers to each question, with written steps or without (`way`: a name of BEGINNINGS)."""
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.tensor([prompt_ids(question) for question in questions]).repeat_interleave(n, 0)
    start = torch.full((len(prompts), 1), ID[BEGINNINGS[way]])
    written = [(part, sample(network, part, generator, temperature, begun)) for part, begun in zip(prompts.split(ROWS), start.split(ROWS))]
    judged = torch.cat([judged_by(judge, part, answers) for part, answers in written])
    ids, mask = (torch.cat([getattr(answers, name) for _, answers in written]) for name in ("ids", "mask"))
    return _tried(list(problems), ids, mask, judged, n)


def revise(
    network: Decoder, judge: Judge, problems: Sequence[Problem], questions: Sequence[str], rounds: int, temperature: float, seed: int
) -> list[Tried]:
    """One answer to each question, revised `rounds` times: after every round, what stands there and the tokens of that round.

    A round writes the answer anew from the start or from behind the first step, and keeps the new one if the
    reward model likes it better. Nobody tells the solution.
    """
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.tensor([prompt_ids(question) for question in questions])
    now = sample(network, prompts, generator, temperature, torch.full((len(prompts), 1), ID[THINK]))
    judged = judged_by(judge, prompts, now)
    found = [_tried(list(problems), now.ids, now.mask, judged, 1)]
    for i in range(rounds):
        cut = CUTS[i % len(CUTS)]
        new = sample(network, prompts, generator, temperature, now.ids[:, :cut])
        new_judged = judged_by(judge, prompts, new)
        better = new_judged > judged
        spent = (new.mask.sum(1) - cut).clamp_min(0)
        kept = [torch.where(better[:, None], after, before) for after, before in ((new.ids, now.ids), (new.mask, now.mask))]
        now, judged = Answers(kept[0], now.logprobs, kept[1]), torch.where(better, new_judged, judged)
        found.append(_tried(list(problems), now.ids, now.mask, judged, 1, spent))
    return found


@torch.no_grad()
def judged_by(judge: Judge, prompts: Tensor, answers: Answers) -> Tensor:
    """What the reward model says of each answer, (n,)."""
    return scores(judge, prompts, answers.ids, answers.mask)


def _tried(problems: list[Problem], ids: Tensor, mask: Tensor, judged: Tensor, n: int, spent: Tensor | None = None) -> Tried:
    texts = [words_of(row) for row in ids.tolist()]
    found = [read(text, problems[i // n]) for i, text in enumerate(texts)]
    shape = (len(problems), n)
    return Tried(
        np.array([NONE if one.value is None else one.value for one in found], np.int32).reshape(shape),
        np.array([one.right for one in found]).reshape(shape), judged.numpy().reshape(shape),
        (mask.sum(1) if spent is None else spent).numpy().reshape(shape), texts,
    )  # fmt: skip
