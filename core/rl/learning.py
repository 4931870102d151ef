"""Reinforcement learning, one update at a time: write answers, pay them, push their probabilities up or down."""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.models.decoder import Decoder
from core.rl import losses
from core.rl.adamw import AdamW
from core.rl.answers import read
from core.rl.judge import judge_from
from core.rl.policy import Answers, sample, token_logprobs
from core.rl.problems import Problem, any_question, draw_problem
from core.rl.rewards import Reward
from core.rl.vocabulary import PROMPT, prompt_ids, words_of


@dataclass(frozen=True)
class Recipe:
    """How to learn from rewards; the same for both methods where it can be."""

    method: str = "grpo"  # or "ppo"
    updates: int = 100
    questions: int = 16  # problems an update
    group: int = 16  # answers to each
    steps: int = 4  # optimizer steps an update, each on its part of the answers
    learning_rate: float = 4e-4
    clip: float = 0.2
    beta: float = 0.01  # weight of the distance to the reference
    lam: float = 1.0  # PPO: of the advantages; below 1 the first token of a long answer hears less of its reward
    value_weight: float = 0.5  # PPO: of the value loss


@dataclass(frozen=True)
class Update:
    """What one update saw and did, means over its answers."""

    reward: float
    right: float  # share of right answers
    formatted: float
    thought: float  # share with written steps
    tokens: float  # length of an answer
    kl: float  # nats a token from the reference, before the update
    clipped: float  # share of tokens whose gradient the clip cut off


@dataclass(frozen=True)
class Rollout:
    """Answers to a few problems, `group` to each, and what they were paid."""

    problems: list[Problem]  # one an answer
    prompts: Tensor  # (n, PROMPT)
    answers: Answers
    texts: list[str]
    rewards: Tensor  # (n,)


def roll_out(
    network: Decoder, problems: list[Problem], questions: list[str], group: int, reward: Reward, generator: torch.Generator
) -> Rollout:
    """Write `group` answers to each question and pay them."""
    prompts = torch.tensor([prompt_ids(question) for question in questions]).repeat_interleave(group, 0)
    answers = sample(network, prompts, generator)
    texts = [words_of(ids) for ids in answers.ids.tolist()]
    asked = [problem for problem in problems for _ in range(group)]
    return Rollout(asked, prompts, answers, texts, torch.tensor([reward(text, problem) for text, problem in zip(texts, asked)]))


def learn(network: Decoder, recipe: Recipe, reward: Reward, seed: int) -> Iterator[Update]:
    """Train `network` in place; one Update after each. Never asks a held-out problem.

    The reference is what the network was at the start.
    """
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    reference = copy.deepcopy(network).eval().requires_grad_(False)
    network.requires_grad_(True)
    value = judge_from(network) if recipe.method == "ppo" else None
    trained = [*network.parameters(), *(value.parameters() if value else ())]
    optimizer = AdamW(trained, lr=recipe.learning_rate)
    for _ in range(recipe.updates):
        asked = [draw_training(rng) for _ in range(recipe.questions)]
        rollout = roll_out(network, [p for p, _ in asked], [q for _, q in asked], recipe.group, reward, generator)
        yield update(network, reference, value, optimizer, rollout, recipe, generator)


def draw_training(rng: random.Random) -> tuple[Problem, str]:
    """A problem that is not held out, and how it is asked."""
    problem = draw_problem(rng, held_out=False)
    return problem, any_question(problem, rng)


def update(
    network: Decoder, reference: Decoder, value: nn.Module | None, optimizer: AdamW, rollout: Rollout, recipe: Recipe,
    generator: torch.Generator,
) -> Update:  # fmt: skip
    """One update of the policy (and with PPO of the value model) from one rollout."""
    prompts, answers = rollout.prompts, rollout.answers
    longest = int(answers.mask.sum(1).max())
    ids, mask, old = answers.ids[:, :longest], answers.mask[:, :longest], answers.logprobs[:, :longest]
    with torch.no_grad():
        from_reference = token_logprobs(reference, prompts, ids)
        if value is None:
            advantages = losses.group_advantages(rollout.rewards.view(-1, recipe.group)).flatten()
        else:
            expected = _values(value, prompts, ids)
            paid = losses.ppo_rewards(rollout.rewards, old, from_reference, mask, recipe.beta)
            advantages, returns = losses.generalised_advantages(paid, expected, mask, lam=recipe.lam)
        kl = float(losses.masked_mean(losses.kl_estimate(old, from_reference), mask))
    cut = []
    for part in torch.randperm(len(ids), generator=generator).chunk(recipe.steps):
        now, each = token_logprobs(network, prompts[part], ids[part]), mask[part]
        if value is None:
            pulled = advantages[part][:, None].expand_as(now)
            loss = losses.grpo_loss(now, old[part], from_reference[part], advantages[part], each, recipe.clip, recipe.beta)
        else:
            pulled = advantages[part]
            loss = losses.ppo_loss(now, old[part], pulled, each, recipe.clip)
            values = _values(value, prompts[part], ids[part])
            loss = loss + recipe.value_weight * losses.value_loss(values, expected[part], returns[part], each)
        cut.append(float(losses.clipped_share(now.detach(), old[part], pulled, each, recipe.clip)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return Update(*_means(rollout), kl=kl, clipped=sum(cut) / len(cut))


def _values(value: nn.Module, prompts: Tensor, ids: Tensor) -> Tensor:
    """What the value model expects before each answer token, (n, T)."""
    return value(torch.cat((prompts, ids), 1)[:, :-1])[:, PROMPT - 1 :]


def _means(rollout: Rollout) -> tuple[float, ...]:
    found = [read(text, problem) for text, problem in zip(rollout.texts, rollout.problems)]
    shares = (sum(getattr(one, name) for one in found) / len(found) for name in ("right", "formatted", "thought", "tokens"))
    return float(rollout.rewards.mean()), *shares
