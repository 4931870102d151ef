"""How small networks that are trained for comparison are kept: weights in fp16 under our own names, and their shape."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn


def save(network: nn.Module, name: str, out: Path, shape: dict) -> None:
    """Write <name>.safetensors (tied embeddings once) and `shape` as <name>.json; the network goes on with the rounded weights."""
    network.half().float()
    state = {key: value.half().cpu().contiguous() for key, value in network.state_dict().items() if key != "unembed.weight"}
    save_file(state, out / f"{name}.safetensors", metadata={"format": "pt"})
    (out / f"{name}.json").write_text(json.dumps(shape, indent=1) + "\n", "utf-8")


def parameters(network: nn.Module) -> int:
    """Trained numbers, tied ones once."""
    return sum(p.numel() for p in network.parameters())
