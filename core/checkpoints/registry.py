"""The models by name."""

import threading
import tomllib
from functools import lru_cache
from pathlib import Path

from core.checkpoints.errors import UnknownModel
from core.checkpoints.folder import load_folder
from core.models.language_model import LanguageModel

MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"
_loading = threading.Lock()  # the first visitors come together; the file is read once


def model_names() -> list[str]:
    """Names that `load_model` knows."""
    return sorted(file.parent.name for file in MODELS.glob("*/tokenizer.tiktoken"))


def load_model(name: str = "mini") -> LanguageModel:
    """The model called `name`, or the one in the folder `name`; loaded once per process.

    Raises UnknownModel, whose message lists the names, and DamagedCheckpoint.
    """
    folder = MODELS / name if name in model_names() else Path(name)
    if not folder.is_dir():
        raise UnknownModel(f"no model {name!r}; there are: {', '.join(model_names())}, or a path to a model folder")
    with _loading:
        return _load(folder.resolve())


@lru_cache(maxsize=2)
def _load(folder: Path) -> LanguageModel:
    card_file = folder / "card.toml"
    card = tomllib.loads(card_file.read_text("utf-8")) if card_file.exists() else {}
    return load_folder(folder, card)
