"""The shipped mixtures of experts and the dense network beside them: they have the tokenizer of `mini` and are not in the picker."""

from functools import lru_cache
from pathlib import Path

from core.checkpoints.folder import load_tokenizer, opened
from core.checkpoints.registry import MODELS
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.moe import MoEConfig, with_experts

FOLDER = MODELS / "moe"


@lru_cache(maxsize=3)  # 19 MB each
def load_experts(kind: str, folder: Path = FOLDER) -> LanguageModel:
    """One network of the recipe `moe`: "dense", "none", "loss" or "bias". Raises DamagedCheckpoint."""
    with opened(folder, kind) as (stored, weights):
        stored["network"]["rope_divisors"] = tuple(stored["network"]["rope_divisors"])
        config = DecoderConfig(**stored["network"])
        network = with_experts(config, MoEConfig(**stored["experts"])) if stored["experts"] else Decoder(config)
        network.load_state_dict(weights | {"unembed.weight": weights["embed.weight"]})
    return LanguageModel(f"moe/{kind}", network, load_tokenizer(MODELS / "mini"))
