"""The bundled indexer of sparse attention, trained by core.training.indexer to foretell where `mini` looks."""

from pathlib import Path

from core.checkpoints.folder import opened
from core.checkpoints.registry import MODELS
from core.checkpoints.shared import shared
from core.models.indexer import Indexer
from core.models.language_model import LanguageModel

FOLDER = MODELS / "indexer"
MODEL = "mini"  # whose stream it reads


@shared
def load_indexer(folder: Path = FOLDER) -> Indexer:
    """The indexer in `folder`, in 32-bit numbers, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder, "indexer") as (shape, weights):
        network = Indexer(**shape)
        network.load_state_dict(weights)
        return network.float().eval().requires_grad_(False)


def fits(lm: LanguageModel) -> bool:
    """Whether it was trained on this model, however its numbers are stored."""
    return lm.name.partition("-")[0] == MODEL and (FOLDER / "indexer.safetensors").exists()
