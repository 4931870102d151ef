"""Four small networks that differ in what their heads share: separate keys and values, by threes, one for all, a latent vector.

They were trained by core.training.attention_variants, read the tokens of `mini`, and are no models of their own in the picker.
"""

import json
from functools import lru_cache
from pathlib import Path

from core.checkpoints.compared import decoder_config, filled, shared_tokenizer
from core.checkpoints.folder import opened
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.latent_attention import LatentConfig, with_latent_attention

KINDS = ("mha", "gqa", "mqa", "mla")
FOLDER = MODELS / "attention_variants"


def load(kind: str, folder: Path = FOLDER) -> Decoder:
    """A network as it was saved, in 32-bit numbers, ready to read: each call a fresh one. Raises DamagedCheckpoint."""
    with opened(folder, kind) as (shape, weights):
        config = decoder_config(shape["network"])
        return filled(with_latent_attention(config, LatentConfig(**shape["latent"])) if shape["latent"] else Decoder(config), weights)


@lru_cache(maxsize=len(KINDS))
def variant_config(kind: str) -> DecoderConfig:
    """The shape of a shipped network, without its weights."""
    return decoder_config(json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))["network"])


@shared  # reading one anew takes a twentieth of a second
def load_variant(kind: str) -> LanguageModel:
    """A shipped network of KINDS, to share; ValueError for another kind. Raises DamagedCheckpoint."""
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; there are: {', '.join(KINDS)}")
    return LanguageModel(kind, load(kind), shared_tokenizer())
