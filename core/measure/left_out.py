"""What a prediction owes to each token: how far it moves when that token is missing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.measure.drift import total_variation
from core.models.language_model import LanguageModel

AT_ONCE = 16  # texts read together: their logits stand in memory


def left_out(lm: LanguageModel, ids: Sequence[int], last: int = 32) -> Tensor:
    """The share of probability (n,) that moves to other next tokens when one of the `last` n tokens is left out.

    0 = the prediction stays, 1 = it has nothing in common with the one of the whole text. Every text without one token
    is read anew. Raises ValueError for fewer than two tokens.
    """
    if len(ids) < 2:
        raise ValueError(f"ids must hold at least two tokens, got {len(ids)}")
    ids = list(ids)
    whole = lm.forward(torch.tensor([ids]), last_only=True)[0, -1].float()  # (V,)
    shorter = torch.tensor([ids[:i] + ids[i + 1 :] for i in range(max(len(ids) - last, 0), len(ids))])  # (n, T - 1)
    logits = [lm.forward(rows, last_only=True)[:, -1].float() for rows in shorter.split(AT_ONCE)]  # each (AT_ONCE, V)
    return torch.cat([total_variation(part, whole) for part in logits])
