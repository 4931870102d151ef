"""The bundled draft model of speculative decoding: it has the tokenizer of `mini` and is no model of its own in the picker."""

import tomllib
from pathlib import Path

from core.checkpoints.compared import shared_tokenizer
from core.checkpoints.folder import load_config, load_weights
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.language_model import LanguageModel
from core.quantization.packed import pack

FOLDER = MODELS / "draft"


@shared
def load_draft(folder: Path = FOLDER) -> LanguageModel:
    """The draft in `folder`, loaded once per process. Raises DamagedCheckpoint."""
    network = load_weights(folder / "model.safetensors", load_config(folder / "config.json"))
    card = tomllib.loads((folder / "card.toml").read_text("utf-8"))
    return LanguageModel("draft", pack(network, "fp32"), shared_tokenizer(), card)


def fits(lm: LanguageModel) -> bool:
    """Whether the draft can write for `lm`: every number must mean the same token to both."""
    return lm.tokenizer.encoding._mergeable_ranks == load_draft().tokenizer.encoding._mergeable_ranks
