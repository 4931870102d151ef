"""The shipped GRU and Transformer of one size: they have the tokenizer of `mini` and are not in the picker."""

from functools import lru_cache
from pathlib import Path

from torch import nn

from core.checkpoints.folder import load_tokenizer, opened
from core.checkpoints.registry import MODELS
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.recurrent import RecurrentConfig, RecurrentLM
from core.tokenizers import Tokenizer

FOLDER = MODELS / "rnn_vs_transformer"
KINDS = ("transformer", "gru")


@lru_cache(maxsize=2)  # 20 MB each
def load_rival(kind: str, folder: Path = FOLDER) -> nn.Module:
    """One of KINDS, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder, kind) as (stored, weights):
        if kind == "gru":
            network = RecurrentLM(RecurrentConfig(**stored))
        else:
            network = Decoder(DecoderConfig(**{**stored, "rope_divisors": tuple(stored["rope_divisors"])}))
        network.load_state_dict(weights | {"unembed.weight": weights["embed.weight"]})
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def rivals_tokenizer() -> Tokenizer:
    """What both were trained with."""
    return load_tokenizer(MODELS / "mini")
