"""What is minimised after pretraining: preferences, PPO and GRPO, on one page.

Shapes: n answers of T tokens; `mask` (n, T) is True where a token counts. Log probabilities are natural.
PPO: https://arxiv.org/abs/1707.06347, for language models https://arxiv.org/abs/2203.02155.
GRPO: https://arxiv.org/abs/2402.03300, section 4.1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def preference_loss(better: Tensor, worse: Tensor) -> Tensor:
    """-log sigmoid(r_better - r_worse), mean over pairs (n,): the reward model ranks as the labeller did."""
    return -F.logsigmoid(better - worse).mean()


def group_advantages(rewards: Tensor) -> Tensor:
    """GRPO: how much better than its group each answer is, (..., G) -> (..., G).

    (r - mean) / standard deviation of the group. Where all rewards are equal nothing can be learned: 0.
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    spread = rewards.std(-1, keepdim=True)
    return torch.where(spread > 1e-6, centred / spread.clamp_min(1e-6), 0.0)


def generalised_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, lam: float = 0.95) -> tuple[Tensor, Tensor]:
    """PPO: advantages and returns of every token, (n, T) each (GAE, https://arxiv.org/abs/1506.02438).

    delta_t = r_t + gamma V_{t+1} - V_t; A_t = delta_t + gamma lam A_{t+1}; the return is A_t + V_t. `values` (n, T)
    is what the value model expected before each token; behind the last counted token it is 0.
    """
    values, advantages = values * mask, torch.zeros_like(values)
    coming, following = torch.zeros(len(values)), torch.zeros(len(values))  # A and V of the token after
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * following - values[:, t]
        coming = (delta + gamma * lam * coming) * mask[:, t]
        advantages[:, t], following = coming, values[:, t]
    return advantages, advantages + values


def clipped_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    """-min(ratio · A, clip(ratio, 1 - e, 1 + e) · A) of every token (n, T): PPO's, and GRPO's too.

    ratio = probability now / probability when the answer was drawn. A step that has already moved a token far
    enough gets no gradient from it.
    """
    ratio = (logprobs - old_logprobs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def clipped_share(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """Share of the counted tokens whose gradient the clip cuts off."""
    ratio = (logprobs - old_logprobs).exp()
    cut = torch.where(advantages > 0, ratio > 1 + clip, (ratio < 1 - clip) & (advantages < 0))
    return masked_mean(cut.float(), mask)


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """How far the policy is from the reference, a token: p_ref/p - log(p_ref/p) - 1, never below 0 ("k3").

    Its mean over tokens drawn from the policy is the KL divergence, http://joschu.net/blog/kl-approx.html.
    """
    log_ratio = reference_logprobs - logprobs
    return log_ratio.exp() - log_ratio - 1


def grpo_loss(
    logprobs: Tensor, old_logprobs: Tensor, reference_logprobs: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2,
    beta: float = 0.04,
) -> Tensor:  # fmt: skip
    """GRPO's loss: clipped policy loss and beta times the KL estimate, first averaged within each answer, then over answers.

    `advantages` (n,): one for all tokens of an answer.
    """
    each = clipped_loss(logprobs, old_logprobs, advantages[:, None], clip) + beta * kl_estimate(logprobs, reference_logprobs)
    return ((each * mask).sum(1) / mask.sum(1)).mean()


def ppo_rewards(rewards: Tensor, old_logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, beta: float) -> Tensor:
    """PPO's reward of every token (n, T): minus beta · log(p / p_ref), and the answer's reward (n,) on its last token."""
    each = -beta * (old_logprobs - reference_logprobs) * mask
    last = mask.sum(1) - 1
    return each.scatter_add(1, last[:, None], rewards[:, None])


def ppo_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """PPO's policy loss: the clipped loss over all counted tokens; `advantages` (n, T), brought to mean 0 and deviation 1."""
    mean = masked_mean(advantages, mask)
    spread = masked_mean((advantages - mean) ** 2, mask).sqrt()
    return masked_mean(clipped_loss(logprobs, old_logprobs, (advantages - mean) / (spread + 1e-6), clip), mask)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """Half the squared error of the expected return; a value may move by `clip` a step, and the worse of both counts."""
    kept = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (kept - returns) ** 2), mask)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of the counted tokens."""
    return (x * mask).sum() / mask.sum()
