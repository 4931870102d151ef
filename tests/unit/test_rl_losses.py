"""The losses of post-training: against hand computations, against trl, and against the formulas written out anew."""

import math
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from core.rl import losses


def drawn(seed, n=6, T=9):
    """Random log probabilities now, when drawn and of the reference, and a mask of different lengths."""
    generator = torch.Generator().manual_seed(seed)
    now = (torch.randn(n, T, generator=generator) - 1.5).clamp(max=-0.01)
    old, reference = (now + 0.4 * torch.randn(n, T, generator=generator) for _ in range(2))
    lengths = torch.randint(1, T + 1, (n,), generator=generator)
    return now.requires_grad_(True), old, reference, torch.arange(T) < lengths[:, None], torch.randn(n, generator=generator)


# --- GRPO ---


def test_advantages_of_a_group_by_hand():
    """Rewards 2, 1, 1, 0: mean 1, deviation sqrt(2 / 3)."""
    root = math.sqrt(1.5)
    assert losses.group_advantages(torch.tensor([2.0, 1, 1, 0])).tolist() == pytest.approx([root, 0, 0, -root])


def test_a_group_without_a_difference_teaches_nothing():
    rewards = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 1]])
    advantages = losses.group_advantages(rewards)
    assert advantages[:2].abs().max() == 0 and advantages[2].abs().min() > 0
    torch.testing.assert_close(advantages.sum(-1), torch.zeros(3))


@pytest.mark.parametrize(
    "policy, reference, expected", [(0.5, 0.5, 0.0), (0.5, 0.25, 0.5 + math.log(2) - 1), (0.2, 0.4, 2 - math.log(2) - 1)]
)
def test_the_kl_estimate_by_hand(policy, reference, expected):
    estimate = losses.kl_estimate(torch.tensor(policy).log(), torch.tensor(reference).log())
    assert float(estimate) == pytest.approx(expected, abs=1e-6)


def test_the_kl_estimate_has_the_kl_divergence_as_its_mean():
    p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.2, 0.3, 0.5])
    mean = (p * losses.kl_estimate(p.log(), q.log())).sum()
    torch.testing.assert_close(mean, torch.nn.functional.kl_div(q.log(), p, reduction="sum"))


@pytest.mark.parametrize("ratio, advantage, loss, slope", [
    (1.0, 2.0, -2.0, -2.0), (1.5, 2.0, -2.4, 0.0), (0.5, 2.0, -1.0, -1.0), (0.5, -2.0, 1.6, 0.0), (1.5, -2.0, 3.0, 3.0),
])  # fmt: skip
def test_the_clipped_loss_by_hand(ratio, advantage, loss, slope):
    """Far enough in the wanted direction: no gradient any more; too far in the wrong one: still a full gradient."""
    now = torch.tensor([math.log(ratio)], requires_grad=True)
    found = losses.clipped_loss(now, torch.zeros(1), torch.tensor([advantage]))
    found.sum().backward()
    assert float(found) == pytest.approx(loss) and float(now.grad) == pytest.approx(slope)
    share = losses.clipped_share(now.detach(), torch.zeros(1), torch.tensor([advantage]), torch.ones(1))
    assert float(share) == (slope == 0)


@pytest.mark.parametrize("seed, clip, beta", [(0, 0.2, 0.04), (1, 0.1, 0.0), (2, 0.3, 1.0)])
def test_grpo_is_the_loss_of_trl(seed, clip, beta):
    """trl's own method on the same random tensors: the loss, its gradient, and the share that is clipped."""
    trainer_class = pytest.importorskip("trl").GRPOTrainer
    now, old, reference, mask, advantages = drawn(seed)
    trainer = MagicMock()
    trainer.configure_mock(
        beta=beta, epsilon_low=clip, epsilon_high=clip, loss_type="grpo", importance_sampling_level="token", use_vllm=False,
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, aux_loss_enabled=False, _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1, args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        model=SimpleNamespace(training=True), _metrics={"train": MagicMock()},
    )  # fmt: skip
    trainer._get_per_token_logps_and_entropies.return_value = (now, torch.zeros_like(now), None)
    trainer.accelerator.gather.side_effect = lambda x: x
    empty = torch.zeros(len(now), 0, dtype=torch.long)
    inputs = {
        "prompt_ids": empty, "prompt_mask": empty, "completion_ids": mask.long(), "completion_mask": mask.long(),
        "advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": reference,
    }  # fmt: skip
    theirs = trainer_class._compute_loss(trainer, None, inputs)
    (gradient,) = torch.autograd.grad(theirs, now)
    ours = losses.grpo_loss(now, old, reference, advantages, mask, clip, beta)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, now)[0], gradient)


# --- PPO ---


def test_advantages_of_ppo_by_hand():
    """Rewards 0, 0, 1 and values 0.5, 0.6, 0.8 with lambda 0.5: deltas 0.1, 0.2, 0.2."""
    rewards, values, mask = torch.tensor([[0.0, 0, 1]]), torch.tensor([[0.5, 0.6, 0.8]]), torch.ones(1, 3, dtype=torch.bool)
    advantages, returns = losses.generalised_advantages(rewards, values, mask, lam=0.5)
    assert advantages[0].tolist() == pytest.approx([0.1 + 0.5 * 0.3, 0.2 + 0.5 * 0.2, 0.2])
    assert returns[0].tolist() == pytest.approx([0.75, 0.9, 1.0])


@pytest.mark.parametrize("gamma, lam", [(1.0, 0.95), (0.9, 0.0), (0.99, 1.0)])
def test_advantages_are_the_sums_of_the_paper(gamma, lam):
    """A_t = sum over l of (gamma lambda)^l delta_{t+l} up to the end of each answer, written out; equation 16 of the paper."""
    rng = np.random.default_rng(3)
    rewards, values, lengths = rng.normal(size=(5, 8)), rng.normal(size=(5, 8)), [8, 1, 4, 6, 7]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    found, returns = losses.generalised_advantages(torch.tensor(rewards), torch.tensor(values), mask, gamma, lam)
    for i, n in enumerate(lengths):
        ends = np.append(values[i, :n], 0.0)
        deltas = rewards[i, :n] + gamma * ends[1:] - ends[:-1]
        expected = [sum((gamma * lam) ** k * deltas[t + k] for k in range(n - t)) for t in range(n)]
        np.testing.assert_allclose(found[i, :n].numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(returns[i, :n].numpy(), expected + values[i, :n], rtol=1e-6)
        assert not found[i, n:].any()


def test_with_lambda_1_the_return_is_what_still_comes():
    rewards, values, mask = torch.rand(3, 6), torch.rand(3, 6), torch.ones(3, 6, dtype=torch.bool)
    _, returns = losses.generalised_advantages(rewards, values, mask, gamma=1.0, lam=1.0)
    torch.testing.assert_close(returns, rewards.flip(1).cumsum(1).flip(1))


def test_ppo_pays_at_the_end_and_charges_distance_everywhere():
    old, reference = torch.tensor([[-1.0, -2.0, -9.0]]), torch.tensor([[-1.5, -1.0, -1.0]])
    mask = torch.tensor([[True, True, False]])
    assert losses.ppo_rewards(torch.tensor([3.0]), old, reference, mask, 0.1)[0].tolist() == pytest.approx([-0.05, 3.1, 0.0])


@pytest.mark.parametrize("seed", [0, 1])
def test_ppo_losses_are_the_formulas_written_out(seed):
    """Token by token in plain Python: equation 7 of PPO on whitened advantages, and the clipped squared error."""
    now, old, _, mask, _ = drawn(seed)
    generator = torch.Generator().manual_seed(seed + 10)
    advantages, values, before, returns = (torch.randn(*now.shape, generator=generator) for _ in range(4))
    at = [(i, j) for i in range(mask.shape[0]) for j in range(mask.shape[1]) if mask[i, j]]
    counted = [float(advantages[i]) for i in at]
    mean, spread = np.mean(counted), np.std(counted)
    policy, squared = 0.0, 0.0
    for i in at:
        ratio, a = math.exp(float(now[i] - old[i])), (float(advantages[i]) - mean) / (spread + 1e-6)
        policy -= min(ratio * a, min(max(ratio, 0.8), 1.2) * a)
        v, v0, r = float(values[i]), float(before[i]), float(returns[i])
        squared += max((v - r) ** 2, (v0 + min(max(v - v0, -0.2), 0.2) - r) ** 2)
    assert float(losses.ppo_loss(now, old, advantages, mask)) == pytest.approx(policy / len(at), rel=1e-4)
    assert float(losses.value_loss(values, before, returns, mask)) == pytest.approx(squared / len(at) / 2, rel=1e-4)


# --- preferences ---


def test_preferences_by_hand_and_against_torch():
    better, worse = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0])
    by_hand = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert float(losses.preference_loss(better, worse)) == pytest.approx(by_hand)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(better - worse, torch.ones(2))
    torch.testing.assert_close(losses.preference_loss(better, worse), theirs)
