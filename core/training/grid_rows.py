"""A small part of the grid's text that is shipped, so that a run of the grid can be trained anywhere: `python -m core.training grid_rows`.

It holds the first rows that every run of the grid sees, in their order, and all rows on which the grid's loss is
measured: a network trained on them stands in the same coordinates as the recorded ones.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.training.grid import CONTEXT, load_text

FILE = Path(__file__).resolve().parents[2] / "assets" / "corpora" / "grid_rows.npz"
ROWS = 1_500  # 384,000 tokens


def write_rows(data: Path, out: Path = FILE, rows: int = ROWS) -> tuple[int, int]:
    """Cut the rows out of what `grid.prepare` encoded; returns how many there are to train on and to measure."""
    text = load_text(data, rows * CONTEXT, "cpu")
    train = text.tokens[text.starts[:rows, None] + torch.arange(CONTEXT + 1)]
    np.savez_compressed(out, train=train.numpy().astype(np.uint16), held_out=text.held_out.numpy().astype(np.uint16))
    return len(train), len(text.held_out)


@cache  # one file
def read_rows(file: Path = FILE) -> tuple[Tensor, Tensor]:
    """Rows to train on (n, CONTEXT + 1) and to measure (k, CONTEXT + 1)."""
    with np.load(file) as parts:
        return tuple(torch.from_numpy(parts[name].astype(np.int64)) for name in ("train", "held_out"))
