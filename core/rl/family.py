"""The trained tiny models: one shape, several upbringings."""

from dataclasses import dataclass
from pathlib import Path

from core.checkpoints.folder import opened
from core.checkpoints.shared import shared
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.rl.judge import Judge

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "reckoner"
STAGES = ("base", "tuned", "ppo", "grpo", "hacked")


@dataclass(frozen=True)
class Family:
    """Read-only networks by stage, and the reward model."""

    networks: dict[str, Decoder]
    judge: Judge


@shared
def load_family(folder: Path = FOLDER) -> Family:
    """All stages from `folder`, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder) as (stored, weights):
        config = DecoderConfig(**stored["network"])
        models = {name: Decoder(config) for name in STAGES} | {"judge": Judge(config)}
        for name, model in models.items():
            model.load_state_dict({key.removeprefix(f"{name}."): w for key, w in weights.items() if key.startswith(f"{name}.")})
            model.eval().requires_grad_(False)
    return Family({name: models[name] for name in STAGES}, models["judge"])
