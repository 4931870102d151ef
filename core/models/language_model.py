"""A network together with its tokenizer: what every page works with."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.models.config import DecoderConfig
from core.models.decoder import Decoder, Tap
from core.pauses import pause
from core.tokenizers import Tokenizer


@dataclass(frozen=True)
class LanguageModel:
    """A read-only model that any number of sessions may use at the same time without a lock."""

    name: str
    network: Decoder
    tokenizer: Tokenizer
    card: dict = field(default_factory=dict)  # the model card: data, losses, licence, limits

    def __post_init__(self):
        self.network.eval().requires_grad_(False)

    @property
    def config(self) -> DecoderConfig:
        return self.network.config

    def logits(self, ids) -> Tensor:
        """Scores of every possible next token after every position.

        ids: list[int] or LongTensor (T,) -> float32 (T, V); LongTensor (B, T) -> float32 (B, T, V).
        Raises ValueError for no tokens and for ids outside the vocabulary.
        """
        batch = as_batch(ids, self.config.vocab_size)
        logits = self.forward(batch).float()
        return logits if isinstance(ids, Tensor) and ids.ndim == 2 else logits[0]

    @torch.inference_mode()
    def forward(self, ids: Tensor, cache=None, tap: Tap | None = None, last_only: bool = False) -> Tensor:
        """Logits (B, T, V) for new tokens ids (B, T) that follow what `cache` holds."""
        pause()
        return self.network(ids, cache=cache, tap=tap, last_only=last_only)

    @torch.inference_mode()
    def unembed(self, normalized: Tensor) -> Tensor:
        """Logits (..., V), float32, of what the final norm gave (..., C), in whatever precision that is."""
        return self.network.unembed(normalized.to(self.network.dtype)).float()


def as_batch(ids, vocab_size: int) -> Tensor:
    """Token ids in any accepted form -> LongTensor (B, T), checked."""
    batch = torch.as_tensor(ids, dtype=torch.long)
    batch = batch[None] if batch.ndim == 1 else batch
    if batch.ndim != 2:
        raise ValueError(f"ids must have shape (T,) or (B, T), got {tuple(batch.shape)}")
    if batch.numel() == 0:
        raise ValueError("ids must hold at least one token")
    low, high = batch.aminmax()
    if low < 0 or high >= vocab_size:
        raise ValueError(f"token ids must be in 0..{vocab_size - 1}, got {int(low)}..{int(high)}")
    return batch
