"""What can be loaded, and loading it."""

from core.checkpoints.errors import DamagedCheckpoint, UnknownModel
from core.checkpoints.registry import load_model, model_names

__all__ = ["DamagedCheckpoint", "UnknownModel", "load_model", "model_names"]
