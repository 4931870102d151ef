"""The shipped GRU and Transformer of one size: they have the tokenizer of `mini` and are not in the picker."""

from pathlib import Path

from torch import nn

from core.checkpoints.compared import decoder_config, filled
from core.checkpoints.folder import opened
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.decoder import Decoder
from core.models.recurrent import RecurrentConfig, RecurrentLM

FOLDER = MODELS / "rnn_vs_transformer"
KINDS = ("transformer", "gru")


@shared
def load_rival(kind: str, folder: Path = FOLDER) -> nn.Module:
    """One of KINDS, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder, kind) as (stored, weights):
        return filled(RecurrentLM(RecurrentConfig(**stored)) if kind == "gru" else Decoder(decoder_config(stored)), weights)
