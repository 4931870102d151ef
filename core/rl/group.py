"""One problem, a group of answers, and what one update does to their probabilities."""

import copy
from dataclasses import dataclass

import torch

from core.models.decoder import Decoder
from core.rl import losses
from core.rl.adamw import AdamW
from core.rl.answers import Reading, read
from core.rl.learning import Recipe, Rollout, update
from core.rl.policy import Answers, token_logprobs


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


def one_update(network: Decoder, rollout: Rollout, size: int, learning_rate: float = 2e-4) -> Group:
    """What one GRPO step on the first `size` answers to one problem does, on a copy of `network`; the network stays as it is."""
    answers = Answers(*(part[:size] for part in (rollout.answers.ids, rollout.answers.logprobs, rollout.answers.mask)))
    group = Rollout(rollout.problems[:size], rollout.prompts[:size], answers, rollout.texts[:size], rollout.rewards[:size])
    pupil = copy.deepcopy(network).requires_grad_(True)
    optimizer = AdamW(pupil.parameters(), lr=learning_rate)
    update(pupil, network, None, optimizer, group, Recipe(group=size, steps=1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        after = token_logprobs(pupil, group.prompts, answers.ids) * answers.mask
    chances = [logprobs.sum(1).exp().tolist() for logprobs in (answers.logprobs, after)]
    return Group(
        group.texts, [read(text, problem) for text, problem in zip(group.texts, group.problems)], group.rewards.tolist(),
        losses.group_advantages(group.rewards).tolist(), *chances,
        float(losses.masked_mean(losses.kl_estimate(after, answers.logprobs), answers.mask)),
    )  # fmt: skip
