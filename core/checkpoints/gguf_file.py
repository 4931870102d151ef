"""The GGUF container: a header of named values, a list of tensors, their bytes.

Nothing the header says is believed before it is compared with the size of the file, so a damaged or hostile file costs
no more memory than its own size. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.checkpoints.errors import DamagedCheckpoint, UnsupportedCheckpoint
from core.checkpoints.gguf_blocks import FORMATS, OTHER_FORMATS, unpack
from core.checkpoints.stored import Stored

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_VALUES, _MOST_TENSORS, _MOST_ITEMS, _LONGEST_NAME = 4_096, 65_536, 2_000_000, 256


@dataclass(frozen=True)
class GgufFile:
    """What a GGUF file holds."""

    path: Path
    values: dict  # "llama.block_count" -> 30
    tensors: dict[str, Stored]
    sizes: dict[str, int]  # tensor -> bytes it takes in the file


def read_gguf(path: Path) -> GgufFile:
    """Read the header and find the tensors; their bytes stay in the file until they are asked for.

    Raises DamagedCheckpoint for a file that is cut off or contradicts itself, UnsupportedCheckpoint for a format of
    weights that `gguf_blocks` does not unpack.
    """
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise DamagedCheckpoint(str(path), "is missing or empty", "downloading it") from error
    try:
        return _parsed(path, _Reader(data))
    except (struct.error, UnicodeDecodeError, _Nonsense) as error:
        raise DamagedCheckpoint(str(path), f"is damaged ({str(error)[:100] or 'cut off'})", "downloading it") from error


class _Nonsense(Exception):
    """The header contradicts itself or the file's size."""


class _Reader:
    """Takes values from the front of the mapped file, never beyond its end."""

    def __init__(self, data: mmap.mmap):
        self.data, self.at = data, 0

    def scalar(self, kind: str):
        (value,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def count(self, most: int, what: str) -> int:
        n = self.scalar("Q")
        if n > most:
            raise _Nonsense(f"{n} {what}")
        return n

    def string(self) -> str:
        n = self.count(len(self.data) - self.at, "bytes in a text")
        self.at += n
        return self.data[self.at - n : self.at].decode("utf-8")

    def value(self, kind: int, in_array: bool = False):
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY or in_array:  # arrays of arrays are in no known file
            raise _Nonsense(f"a value of kind {kind}")
        kind, n = self.scalar("I"), self.count(_MOST_ITEMS, "items in a list")
        if kind not in _SCALARS:
            return [self.value(kind, in_array=True) for _ in range(n)]
        code = "<" + _SCALARS[kind]
        size = struct.calcsize(code) * n
        if self.at + size > len(self.data):
            raise _Nonsense(f"a list of {n} items")
        self.at += size
        return np.frombuffer(self.data, code, n, self.at - size).tolist()


def _parsed(path: Path, reader: _Reader) -> GgufFile:
    if reader.data[:4] != b"GGUF":
        raise _Nonsense("no GGUF file")
    reader.at = 4
    version = reader.scalar("I")
    if version not in (2, 3):
        raise UnsupportedCheckpoint(f"GGUF version {version}")
    n_tensors, n_values = reader.count(_MOST_TENSORS, "tensors"), reader.count(_MOST_VALUES, "values")
    values = {}
    for _ in range(n_values):
        name = reader.string()
        values[name] = reader.value(reader.scalar("I"))
    listed = [_listed(reader) for _ in range(n_tensors)]
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
        raise _Nonsense(f"alignment {alignment}")
    start = -(-reader.at // alignment) * alignment
    tensors, sizes = {}, {}
    for name, shape, number, offset in listed:
        if name in tensors:
            raise _Nonsense(f"two tensors called {name}")
        tensors[name], sizes[name] = _stored(reader.data, name, shape, number, start + offset)
    return GgufFile(path, values, tensors, sizes)


def _listed(reader: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    """One entry of the tensor list: name, shape (rows first; the file writes the last axis first), format, offset."""
    name = reader.string()
    n_axes = reader.scalar("I")
    if len(name) > _LONGEST_NAME or not 1 <= n_axes <= 4:
        raise _Nonsense(f"a tensor of {n_axes} axes")
    shape = tuple(reader.scalar("Q") for _ in range(n_axes))[::-1]
    return name, shape, reader.scalar("I"), reader.scalar("Q")


def _stored(data: mmap.mmap, name: str, shape: tuple[int, ...], number: int, start: int) -> tuple[Stored, int]:
    if number not in FORMATS:
        raise UnsupportedCheckpoint(f"weight format {OTHER_FORMATS.get(number, f'number {number}')} (of {name})")
    label, block, per_block, _ = FORMATS[number]
    *outer, width = shape
    n_rows = int(np.prod([int(n) for n in outer], dtype=object)) if outer else 1
    if min(shape) < 1 or width % per_block:
        raise _Nonsense(f"{name} with shape {shape} in {label}")
    row_bytes = width // per_block * block.itemsize
    if start + n_rows * row_bytes > len(data):
        raise _Nonsense(f"{name} reaches beyond the end of the file")

    def read(first: int, last: int) -> torch.Tensor:
        if not outer:  # a vector is one row of the file
            return torch.from_numpy(unpack(np.frombuffer(data, np.uint8, row_bytes, start).copy(), number))[first:last]
        rows = n_rows // shape[0]
        raw = np.frombuffer(data, np.uint8, (last - first) * rows * row_bytes, start + first * rows * row_bytes)
        unpacked = torch.from_numpy(unpack(raw, number)).view(last - first, *shape[1:])
        if hasattr(mmap, "MADV_DONTNEED"):  # what was read need not stay in memory; the file still has it
            data.madvise(mmap.MADV_DONTNEED)
        return unpacked

    return Stored(shape, read), n_rows * row_bytes
