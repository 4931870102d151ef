"""What a model still knows when it sees only the end of a text."""

from collections.abc import Iterator

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


def answer_probability_by_window(lm: LanguageModel, ids, answer_id: int, windows: list[int]) -> Tensor:
    """Probability (len(windows),) that `answer_id` comes after `ids` (T,) when only the last w tokens are seen."""
    if not 0 <= answer_id < lm.config.vocab_size:
        raise ValueError(f"answer_id must be in 0..{lm.config.vocab_size - 1}, got {answer_id}")
    return next_probs_by_window(lm, ids, windows)[:, answer_id]


def steepest_gap(shares: dict[int, float]) -> int | None:
    """The window halfway between the two neighbours whose shares differ most: where to look next; None if none is left.

    shares: window -> probability of the answer there.
    """
    windows = sorted(shares)
    gaps = [(abs(shares[b] - shares[a]), (a + b) // 2) for a, b in zip(windows, windows[1:]) if b - a > 1]
    return max(gaps)[1] if gaps else None


def losses_in_window(lm: LanguageModel, ids, window: int, most: int = 48, tokens_at_once: int = 512) -> Iterator[dict[int, float]]:
    """Losses (nats) of tokens that lie beyond the window, each seeing only the `window` tokens before it.

    Yields some at a time, as position (1 = first token) -> -ln p. At most `most` tokens are looked at, evenly
    spread over the text, since each costs a pass of its own over `window` tokens.
    """
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if window < 1:
        raise ValueError(f"window must be >= 1, got {window}")
    beyond = range(window + 1, len(ids))  # index of the token to predict
    count = min(most, len(beyond))
    chosen = [beyond[round(i * (len(beyond) - 1) / max(count - 1, 1))] for i in range(count)]
    n_rows = max(1, tokens_at_once // window)
    for start in range(0, count, n_rows):
        some = chosen[start : start + n_rows]
        logits = lm.forward(torch.stack([ids[i - window : i] for i in some]), last_only=True)[:, -1].float()
        nll = logits.logsumexp(-1) - logits.gather(-1, ids[some][:, None])[:, 0]
        yield {i + 1: float(loss) for i, loss in zip(some, nll)}
