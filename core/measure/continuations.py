"""How probable a model holds given words after given beginnings."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.models.language_model import LanguageModel

AT_ONCE = 16  # texts read together: their logits stand in memory


def continuation_logprobs(lm: LanguageModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Tensor:
    """Natural log of the probability that a beginning goes on with exactly these tokens, for each pair of both: (n,).

    Sums over the tokens of the continuation. Raises ValueError where a beginning or a continuation has no token.
    """
    if any(not start or not end for start, end in pairs):
        raise ValueError("beginnings and continuations must hold at least one token")
    found = torch.zeros(len(pairs))
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))  # similar lengths together
    for first in range(0, len(order), AT_ONCE):
        rows = order[first : first + AT_ONCE]
        texts = [[*pairs[i][0], *pairs[i][1]] for i in rows]
        longest = max(map(len, texts))
        batch = torch.tensor([text + [0] * (longest - len(text)) for text in texts])  # what follows a text is never seen by it
        logits = lm.forward(batch).float()  # (B, T, V)
        for row, i in enumerate(rows):
            start, end = len(pairs[i][0]), len(texts[row])
            before = logits[row, start - 1 : end - 1]
            shares = before.log_softmax(-1).gather(-1, batch[row, start:end, None])
            found[i] = shares.sum()
    return found
