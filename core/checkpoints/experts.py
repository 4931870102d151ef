"""The shipped mixtures of experts and the dense network beside them: they have the tokenizer of `mini` and are not in the picker."""

from pathlib import Path

from core.checkpoints.compared import decoder_config, filled, shared_tokenizer
from core.checkpoints.folder import opened
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.moe import MoEConfig, with_experts

FOLDER = MODELS / "moe"


@shared
def load_experts(kind: str, folder: Path = FOLDER) -> LanguageModel:
    """One network of the recipe `moe`: "dense", "none", "loss" or "bias". Raises DamagedCheckpoint."""
    with opened(folder, kind) as (stored, weights):
        config = decoder_config(stored["network"])
        network = filled(with_experts(config, MoEConfig(**stored["experts"])) if stored["experts"] else Decoder(config), weights)
    return LanguageModel(f"moe/{kind}", network, shared_tokenizer())
