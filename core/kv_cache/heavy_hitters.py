"""Heavy hitters: recent tokens and those that drew the most attention (H2O, https://arxiv.org/abs/2306.14048)."""

import torch
from torch import Tensor

from core.kv_cache.base import Cache


class HeavyHitterCache(Cache):
    """Keeps `budget` tokens a layer: the newest `recent`, and of the rest those with the highest score.

    A token's score is all the attention it received so far, summed over queries and heads. (H2O keeps a
    separate list for every head; one list a layer lets whole tokens be shown as dropped.)
    """

    kind = "heavy_hitters"
    needs_pattern = True

    def __init__(self, config, budget: int = 64, recent: int | None = None):
        recent = budget // 2 if recent is None else recent
        if not 0 <= recent <= budget or budget < 1:
            raise ValueError(f"need 0 <= recent <= budget and budget >= 1, got recent {recent}, budget {budget}")
        super().__init__(config, capacity=budget + 1)
        self.budget, self.recent = budget, recent
        self.scores = [torch.empty(0) for _ in range(config.n_layers)]  # (n,) attention received

    def observe(self, pattern: Tensor, layer: int) -> None:
        received = pattern.sum(dim=(0, 1, 2)).float()  # (n,)
        received[: len(self.scores[layer])] += self.scores[layer]
        self.scores[layer] = received
        if len(received) > self.budget:
            index = heaviest(received, self.budget, self.recent)
            self.scores[layer] = received[index]
            self.keep(layer, index)


def heaviest(received: Tensor, budget: int, recent: int) -> Tensor:
    """Which of n > budget tokens stay, by the attention `received` (n,): slots (budget,), ascending, the newest `recent` among them."""
    older = len(received) - recent
    best = received[:older].topk(budget - recent).indices.sort().values
    return torch.cat((best, torch.arange(older, len(received))))
