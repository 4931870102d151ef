"""The shipped networks of the recipe `encoder_decoder`, ready to use."""

from functools import lru_cache
from pathlib import Path

from core.checkpoints.folder import load_json, opened
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.seq2seq import Seq2Seq, Seq2SeqConfig
from core.translation.words import Words

FOLDER = MODELS / "encoder_decoder"
KINDS = ("encoder", "decoder", "translator")


@shared
def load_kind(kind: str, folder: Path = FOLDER) -> Seq2Seq:
    """One of KINDS, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder, kind) as (stored, weights):
        network = Seq2Seq(Seq2SeqConfig(**stored))
        network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def load_words(folder: Path = FOLDER) -> Words:
    """The words that all three know. Raises DamagedCheckpoint."""
    return Words(tuple(load_json(folder / "words.json")))
