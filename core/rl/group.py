"""One problem, a group of answers, and what one update does to their probabilities."""

import copy
from dataclasses import dataclass

import torch

from core.models.decoder import Decoder
from core.rl import losses
from core.rl.answers import Reading, read
from core.rl.learning import Recipe, roll_out, update
from core.rl.policy import token_logprobs
from core.rl.problems import Problem
from core.rl.rewards import reward_named


@dataclass(frozen=True)
class Group:
    """G answers in the order they were drawn."""

    texts: list[str]
    readings: list[Reading]
    rewards: list[float]
    advantages: list[float]  # GRPO's
    before: list[float]  # probability of the whole answer
    after: list[float]  # the same after one update on this group alone
    kl: float  # nats a token from the model before the update, on these answers


def one_update(network: Decoder, problem: Problem, question: str, size: int, reward: str, seed: int, learning_rate: float = 2e-4) -> Group:
    """Draw a group of answers, pay them, and take one GRPO step on a copy of `network`; the network itself stays as it is."""
    generator = torch.Generator().manual_seed(seed)
    rollout = roll_out(network, [problem], [question], size, reward_named(reward), generator)
    pupil = copy.deepcopy(network).requires_grad_(True)
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=learning_rate, weight_decay=0.0)
    update(pupil, network, None, optimizer, rollout, Recipe(group=size, steps=1), generator)
    ids, mask = rollout.answers.ids, rollout.answers.mask
    with torch.no_grad():
        before, after = (token_logprobs(model, rollout.prompts, ids) for model in (network, pupil))
    chances = [((logprobs * mask).sum(1)).exp().tolist() for logprobs in (before, after)]
    return Group(
        rollout.texts, [read(text, problem) for text in rollout.texts], rollout.rewards.tolist(),
        losses.group_advantages(rollout.rewards).tolist(), *chances, float(losses.masked_mean(losses.kl_estimate(after, before), mask)),
    )  # fmt: skip
