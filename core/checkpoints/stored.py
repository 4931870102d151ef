"""A checkpoint that is open but not in memory, and filling a network from it piece by piece."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from core.checkpoints.errors import DamagedCheckpoint, UnsupportedCheckpoint
from core.checkpoints.memory import require_memory
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.outline import outline
from core.quantization.kernels import supported
from core.quantization.packed import Read, pack
from core.tokenizers import Tokenizer

_PIECE = 4 << 20  # numbers read at once: 16 MiB in float32
SHARE = {"fp32": 1.25, "bf16": 0.65, "int8": 0.3, "mixed": 0.8}  # bytes of a packed model over those of its float32 weights


def shares(in_16_bits: bool) -> dict[str, float]:
    """`SHARE`, or what it is where the file holds 16-bit numbers: fp32 reads from those (`core.quantization.kernels.HalfLinear`)."""
    return SHARE | {"fp32": SHARE["bf16"]} if in_16_bits and supported("fp16") else SHARE


@dataclass(frozen=True)
class Stored:
    """One tensor in a file: `read(start, stop)` gives those of its rows, in any float format."""

    shape: tuple[int, ...]
    read: Callable[[int, int], Tensor]

    def whole(self) -> Tensor:
        return self.read(0, self.shape[0])

    def changed(self, change: Callable[[Tensor], Tensor], shape: tuple[int, ...] | None = None) -> "Stored":
        """The same tensor seen through `change`, which wants all rows at once."""
        return Stored(shape or self.shape, lambda start, stop: change(self.whole())[start:stop])


@dataclass(frozen=True)
class Checkpoint:
    """A model in files: what it is, and where its weights are, by the names of `core.models.Decoder`."""

    name: str
    file: Path
    config: DecoderConfig
    tokenizer: Tokenizer
    weights: dict[str, Stored]
    card: dict = field(default_factory=dict)

    @property
    def bytes_in_memory(self) -> int:
        """What the weights take as float32."""
        return 4 * sum(torch.Size(stored.shape).numel() for stored in self.weights.values())


def as_language_model(checkpoint: Checkpoint, mode: str | None = None, read: Read | None = None) -> LanguageModel:
    """Read the weights into a network, float32 whatever the file stores; the peak is the network and one piece.

    With a `mode` of `core.quantization.MODES` each matrix is packed as it is read, so that the whole model never
    stands in float32; the peak is the packed model and one matrix. `read` gives the weights where they are stored in
    that mode already (`core.checkpoints.int8_file`).

    Raises DamagedCheckpoint, UnsupportedCheckpoint or NotEnoughMemory before anything big is reserved.
    """
    if mode is not None:
        return LanguageModel(checkpoint.name, _packed_network(checkpoint, mode, read), checkpoint.tokenizer, checkpoint.card)
    network = empty_network(checkpoint)
    parameters = dict(network.named_parameters())
    try:
        for name, stored in checkpoint.weights.items():
            _read_into(parameters[name].data, stored)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, DamagedCheckpoint):
            raise
        raise DamagedCheckpoint(str(checkpoint.file), f"is damaged at {name}", "downloading it") from error
    return LanguageModel(checkpoint.name, network, checkpoint.tokenizer, checkpoint.card)


def empty_network(checkpoint: Checkpoint) -> Decoder:
    """A decoder of the checkpoint's shape with memory reserved and not yet filled, after all names and shapes agree."""
    config = checkpoint.config
    network = _outline(checkpoint)
    require_memory(checkpoint.name, checkpoint.bytes_in_memory)
    if config.tied_embeddings:
        network.unembed.weight = network.embed.weight
    return network


def _packed_network(checkpoint: Checkpoint, mode: str, read: Read | None) -> Decoder:
    network = _outline(checkpoint)
    require_memory(checkpoint.name, int(checkpoint.bytes_in_memory * shares(_in_16_bits(checkpoint))[mode]))
    reading = ""

    def from_checkpoint(name: str) -> Tensor:
        nonlocal reading
        reading = name
        stored = checkpoint.weights[name]
        return _read_into(torch.empty(stored.shape), stored)

    try:
        return pack(network, mode, read or from_checkpoint)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, DamagedCheckpoint):
            raise
        raise DamagedCheckpoint(str(checkpoint.file), f"is damaged at {reading}", "downloading it") from error


def _in_16_bits(checkpoint: Checkpoint) -> bool:
    """Whether all matrices of the file are; a file that cannot be read is not."""
    try:
        return all(stored.read(0, 1).dtype.itemsize == 2 for stored in checkpoint.weights.values() if len(stored.shape) == 2)
    except (OSError, RuntimeError, ValueError):
        return False  # reading it says what is wrong


def _read_into(ours: Tensor, stored: Stored) -> Tensor:
    """Fill a tensor piece by piece."""
    rows = stored.shape[0]
    step = max(1, _PIECE // (ours[0].numel() or 1))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        ours[start:stop].copy_(stored.read(start, stop))
    return ours


def _outline(checkpoint: Checkpoint) -> Decoder:
    """A decoder of the checkpoint's shape that takes no room yet, after all names and shapes agree."""
    try:
        network = outline(checkpoint.config)
    except RuntimeError as error:  # more than this machine could ever reserve
        raise DamagedCheckpoint(str(checkpoint.file), "declares a network of impossible size", "downloading it") from error
    _compare(checkpoint, {name: tuple(p.shape) for name, p in network.named_parameters()})
    return network


def _compare(checkpoint: Checkpoint, ours: dict[str, tuple[int, ...]]) -> None:
    theirs = checkpoint.weights
    extra = sorted(theirs.keys() - ours.keys())
    if extra:
        raise UnsupportedCheckpoint(f"weight {extra[0]!r} (a part this network does not have)")
    file = str(checkpoint.file)
    missing = sorted(ours.keys() - theirs.keys())
    if missing:
        raise DamagedCheckpoint(file, f"lacks {len(missing)} weights, the first is {missing[0]}", "downloading it")
    for name, shape in ours.items():
        if theirs[name].shape != shape:
            raise DamagedCheckpoint(file, f"holds {name} as {theirs[name].shape}, not {shape}", "downloading it")
