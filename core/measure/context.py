"""What a model still knows when it sees only the end of a text."""

import torch
from torch import Tensor

from core.models.language_model import LanguageModel, as_batch


def next_probs_by_window(lm: LanguageModel, ids, windows: list[int]) -> Tensor:
    """Probabilities (len(windows), V) of the token after `ids` (T,), seeing only the last w tokens for each w.

    The rest is cut off before the model reads it. Windows longer than the text see all of it.
    """
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if not windows or min(windows) < 1:
        raise ValueError(f"windows must be >= 1, got {windows}")
    known: dict[int, Tensor] = {}
    for w in {min(w, len(ids)) for w in windows}:
        known[w] = lm.forward(ids[None, len(ids) - w :], last_only=True)[0, -1].float().softmax(-1)
    return torch.stack([known[min(w, len(ids))] for w in windows])


def pairs(n: int, window: int | None = None) -> int:
    """Query-key pairs of causal attention over n tokens; with a window each token sees at most `window`, itself included."""
    if window is None or window >= n:
        return n * (n + 1) // 2
    return window * (window + 1) // 2 + (n - window) * window
