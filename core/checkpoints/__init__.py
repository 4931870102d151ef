"""What can be loaded, where it comes from, and loading it."""

from core.checkpoints.errors import (
    DamagedCheckpoint,
    DownloadCancelled,
    DownloadFailed,
    NotEnoughMemory,
    UnknownModel,
    UnsupportedCheckpoint,
)
from core.checkpoints.fetch import download
from core.checkpoints.registry import load_model, memory_needed, model_cards, model_names, open_checkpoint, pack_model

__all__ = [
    "DamagedCheckpoint",
    "DownloadCancelled",
    "DownloadFailed",
    "NotEnoughMemory",
    "UnknownModel",
    "UnsupportedCheckpoint",
    "download",
    "load_model",
    "memory_needed",
    "model_cards",
    "model_names",
    "open_checkpoint",
    "pack_model",
]
