"""How far two predictions lie apart."""

from torch import Tensor


def kl(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """KL(p ‖ q) in nats of softmaxed logits (..., V) -> (...): Σ p (ln p - ln q), never below 0."""
    log_p, log_q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).clamp(min=0)  # rounding can leave -1e-8


def top1_agreement(p_logits: Tensor, q_logits: Tensor) -> float:
    """Share of rows of (..., V) whose likeliest token is the same."""
    return float((p_logits.argmax(-1) == q_logits.argmax(-1)).float().mean())
