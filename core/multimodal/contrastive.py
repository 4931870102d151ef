"""How pictures and captions are compared, and what training minimises."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def similarity(pictures: Tensor, captions: Tensor) -> Tensor:
    """Cosine of every picture with every caption: unit vectors (I, E), (T, E) -> (I, T)."""
    return pictures @ captions.T


def contrastive_loss(pictures: Tensor, captions: Tensor, scale: Tensor | float) -> Tensor:
    """Mean surprise, in nats, at finding each picture's caption among all captions and the other way round.

    pictures, captions: unit vectors (B, E), row i of both belongs together; scale = 1 / temperature.
    loss = (CE of the rows + CE of the columns) / 2 (https://arxiv.org/abs/2103.00020, figure 3).
    """
    logits = scale * similarity(pictures, captions)  # (B, B); the diagonal holds the right pairs
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def blind_loss(n: int) -> float:
    """The loss of pointing at one of n captions without looking: ln n, in nats."""
    return math.log(n)
