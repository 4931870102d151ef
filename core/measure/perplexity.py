"""How well a model predicts a text."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.language_model import LanguageModel, as_batch

TOKENS_AT_ONCE = 8_192  # windows are read together, up to so many tokens: more would only take memory


@dataclass(frozen=True)
class Perplexity:
    """The surprise at every token of a text but the first."""

    nll: Tensor  # (T-1,) -ln p of token t+1 given what came before it, nats

    @property
    def perplexity(self) -> float:
        """exp of the mean: as unsure as between this many equally likely tokens."""
        return float(self.nll.double().mean().exp())

    @property
    def mean_of_exp(self) -> float:
        """The wrong way round, mean of the exps: never smaller (Jensen), and one rare token alone can make it huge."""
        return float(self.nll.double().exp().mean())

    @property
    def bits(self) -> Tensor:
        """The surprisal of each token, -log2 p: (T-1,). One bit more means half as likely."""
        return self.nll.double() / math.log(2)

    def bits_per_byte(self, n_bytes: int) -> float:
        """All bits over the bytes of the predicted tokens: comparable between tokenizers, which perplexity is not."""
        return float(self.bits.sum()) / n_bytes


def perplexity(lm: LanguageModel, ids, window: int | None = None) -> Perplexity:
    """Negative log-likelihoods of `ids` (T,); with `window`, each prediction sees only the last `window` tokens.

    The window really cuts the text off: what is outside is never read. Texts longer than the model's context
    are read in windows of that length. Raises ValueError for fewer than two tokens or a window below 1.
    """
    ids = as_batch(ids, lm.config.vocab_size)[0]
    if len(ids) < 2:
        raise ValueError(f"perplexity needs at least 2 tokens, got {len(ids)}")
    if window is not None and window < 1:
        raise ValueError(f"window must be >= 1, got {window}")
    longest = lm.config.context_length
    window = longest if window is None else min(window, longest)
    first = min(window, len(ids) - 1)  # up to here nothing is cut off: one pass serves all positions
    nll = [token_nll(lm.logits(ids[:first]), ids[1 : first + 1])]
    ends = range(first + 1, len(ids))  # predictions of token `end` from the `window` tokens before it
    n_rows = max(1, TOKENS_AT_ONCE // window)
    for start in range(0, len(ends), n_rows):
        chosen = ends[start : start + n_rows]
        rows = torch.stack([ids[end - window : end] for end in chosen])
        nll.append(token_nll(lm.forward(rows, last_only=True)[:, -1].float(), ids[list(chosen)]))
    return Perplexity(torch.cat(nll))


def token_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """-ln softmax(logits)[target]: (n, V), (n,) -> (n,), nats."""
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")
