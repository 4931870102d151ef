"""A model's int8 weights in a file of their own: a quarter of the bytes to read, and nothing to convert.

It lies in the cache folder beside the model that it was made from, as NAME@int8. A matrix stands there as its codes,
under the name it has in `core.models.Decoder`, and its scales, NAME.scale; norms and biases stay float32.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.checkpoints.cache import cached_folder, is_cached, manifest, new_folder, write_manifest
from core.checkpoints.errors import DamagedCheckpoint
from core.checkpoints.stored import Checkpoint, Stored
from core.quantization.kernels import Codes, int8_codes
from core.quantization.packed import Read

FILE, SCALE, LAYOUT = "int8.safetensors", ".scale", 1


def write_int8(name: str, checkpoint: Checkpoint) -> Path:
    """Write the int8 weights of the downloaded model `name`, whole or not at all; returns the file."""
    tensors: dict[str, Tensor] = {}
    for weight, stored in checkpoint.weights.items():
        if _is_matrix(weight, stored):
            tensors[weight], tensors[weight + SCALE] = int8_codes(stored.whole())
        else:
            tensors[weight] = stored.whole().float().contiguous()
    with new_folder(_named(name)) as folder:
        save_file(tensors, folder / FILE)
        write_manifest(folder, _named(name), f"int8 weights of {name}", {"layout": LAYOUT, "made_from": _files(name)})
    return cached_folder(_named(name)) / FILE


def find_int8(name: str) -> Path | None:
    """The file, if it is there, whole by its size, and made from the model that is in the cache now."""
    if not is_cached(name) or not is_cached(_named(name)):
        return None
    folder = cached_folder(_named(name))
    made = manifest(folder)["card"]
    return folder / FILE if made == {"layout": LAYOUT, "made_from": _files(name)} else None


def int8_reader(file: Path, checkpoint: Checkpoint) -> Read:
    """What `core.quantization.packed.pack` reads its layers with; raises DamagedCheckpoint where something does not fit.

    The file is opened anew for each layer, so that what was read does not stay mapped in memory.
    """

    def read(name: str) -> Tensor | Codes:
        stored = checkpoint.weights[name]
        try:
            with safe_open(file, framework="pt") as opened:
                found = opened.get_tensor(name).clone()
                scale = opened.get_tensor(name + SCALE).clone() if _is_matrix(name, stored) else None
        except (SafetensorError, OSError, RuntimeError) as error:
            raise _damaged(file, f"is damaged at {name}", checkpoint) from error
        expected = (stored.shape, torch.float32, None) if scale is None else (stored.shape, torch.int8, stored.shape[:1])
        if (tuple(found.shape), found.dtype, None if scale is None else tuple(scale.shape)) != expected:
            raise _damaged(file, f"holds another {name}", checkpoint)
        return found if scale is None else Codes(found, scale.bfloat16())

    return read


def _is_matrix(name: str, stored: Stored) -> bool:
    return name.endswith(".weight") and len(stored.shape) == 2


def _damaged(file: Path, reason: str, checkpoint: Checkpoint) -> DamagedCheckpoint:
    return DamagedCheckpoint(str(file), reason, f"python -m core.checkpoints pack {checkpoint.name}")


def _named(name: str) -> str:
    return f"{name}@int8"  # no model's own name can have that sign


def _files(name: str) -> dict[str, str]:
    """SHA-256 of the files of a downloaded model."""
    return {file: stated["sha256"] for file, stated in manifest(cached_folder(name))["files"].items()}
