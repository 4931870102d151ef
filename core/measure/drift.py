"""How far two predictions lie apart."""

import torch
from torch import Tensor


def kl(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """KL(p ‖ q) in nats of softmaxed logits (..., V) -> (...): Σ p (ln p - ln q), never below 0.

    Tokens that p rules out (logit -inf) add nothing; one that only q rules out makes it infinite.
    """
    log_p, log_q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return terms.sum(-1).clamp(min=0)  # rounding can leave -1e-8


def total_variation(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """Probability mass that has to move from p to make it q, of softmaxed logits (..., V) -> (...): ½ Σ |p - q|.

    0 = the same, 1 = nothing in common. A token drawn from q passes as one from p with probability 1 minus
    this (speculative decoding, arXiv 2211.17192).
    """
    return (p_logits.softmax(-1) - q_logits.softmax(-1)).abs().sum(-1) / 2


def top1_agreement(p_logits: Tensor, q_logits: Tensor) -> float:
    """Share of rows of (..., V) whose likeliest token is the same."""
    return float((p_logits.argmax(-1) == q_logits.argmax(-1)).float().mean())
