"""The trained tiny models: one shape, several upbringings."""

import json
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from core.checkpoints.errors import DamagedCheckpoint
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.rl.judge import Judge

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "reckoner"
STAGES = ("base", "tuned", "ppo", "grpo", "hacked")


@dataclass(frozen=True)
class Family:
    """Read-only networks by stage, the reward model, and the model card."""

    networks: dict[str, Decoder]
    judge: Judge
    card: dict


@lru_cache(maxsize=1)
def load_family(folder: Path = FOLDER) -> Family:
    """All stages from `folder`, loaded once per process. Raises DamagedCheckpoint."""
    file = folder / "model.safetensors"
    shown = f"assets/models/{folder.name}/{file.name}"
    if not file.is_file():
        raise DamagedCheckpoint(shown, "is missing")
    try:
        config = DecoderConfig(**json.loads((folder / "config.json").read_text("utf-8"))["network"])
        weights = load_file(file)
        models = {name: Decoder(config) for name in STAGES} | {"judge": Judge(config)}
        for name, model in models.items():
            model.load_state_dict({key.removeprefix(f"{name}."): w.float() for key, w in weights.items() if key.startswith(f"{name}.")})
            model.eval().requires_grad_(False)
        card = folder / "card.toml"  # there is none before the weights are shipped
        card = tomllib.loads(card.read_text("utf-8")) if card.exists() else {}
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpoint(shown, "is damaged or incomplete") from error
    return Family({name: models[name] for name in STAGES}, models["judge"], card)
