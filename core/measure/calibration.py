"""Does a model know what it does not know? Confidence against how often it is right.

Guo et al. 2017, On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reliability:
    """M bins of equal width over confidence 0 to 1; an empty bin has mean confidence and accuracy 0."""

    count: Tensor  # (M,) predictions
    confidence: Tensor  # (M,) mean probability of the likeliest token
    accuracy: Tensor  # (M,) share of bins' predictions in which it was the right one

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy, weighted by count."""
        return float((self.count * (self.confidence - self.accuracy).abs()).sum() / self.count.sum().clamp(min=1))


def reliability(confidence: Tensor, correct: Tensor, n_bins: int = 15) -> Reliability:
    """Sort n predictions into bins ((m - 1) / M, m / M]; confidence (n,) in 0..1, correct (n,) of 0 and 1."""
    bins = (confidence * n_bins).ceil().long().clamp(1, n_bins) - 1
    count = torch.bincount(bins, minlength=n_bins).double()
    sums = [torch.bincount(bins, weights=values.double(), minlength=n_bins) for values in (confidence, correct)]
    return Reliability(count, *(total / count.clamp(min=1) for total in sums))


def at_temperature(logits: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Confidence in the likeliest token and surprise (nats) at the one that came, after dividing by the temperature.

    logits (n, V), targets (n,) -> (n,), (n,).
    """
    scaled = logits / temperature
    whole = scaled.logsumexp(-1)
    return (scaled.amax(-1) - whole).exp(), whole - scaled.gather(-1, targets[:, None])[:, 0]


def right(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether the likeliest token is the one that came; no temperature changes that. (n, V), (n,) -> (n,) bool."""
    return logits.argmax(-1) == targets
