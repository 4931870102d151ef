"""Which rows of text a training run sees, in which order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.training.corpora import ROW, SOURCES
from core.training.loop import Recipe, learning_rate


@dataclass(frozen=True)
class Rows:
    """All training text on one device and the starts of the rows in the order they are seen."""

    tokens: Tensor  # (n,) int32, all sources one after the other
    starts: Tensor  # (n_rows,) int64
    is_curriculum: Tensor  # (n_rows,) bool

    def batch(self, step: int, size: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs and targets (size / world, T) of one step for one of `world` processes, and which are curriculum."""
        mine = torch.arange(step * size + rank, (step + 1) * size, world, device=self.starts.device) % len(self.starts)
        rows = self.tokens[self.starts[mine][:, None] + torch.arange(ROW, device=self.tokens.device)].long()
        return rows[:, :-1], rows[:, 1:], self.is_curriculum[mine]


def plan_rows(data: Path, passes: dict[str, float], seed: int, device: str) -> Rows:
    """Read the encoded text and shuffle all rows of all passes.

    passes: source -> how often it is seen. Each pass over natural text cuts it at new places; curriculum
    rows are seen once, from document start to document start.
    """
    rng = np.random.default_rng(seed)
    pieces, starts, marks, offset = [], [], [], 0
    for source, times in passes.items():
        ids = np.load(data / f"{source}.train.npy")
        for k in range(int(np.ceil(times))):
            first = rng.integers(0, ROW - 1)
            cut = np.arange(first, len(ids) - ROW, ROW - 1)
            if times - k < 1:  # the last pass may be a part
                cut = rng.permutation(cut)[: int(len(cut) * (times - k))]
            starts.append(offset + cut)
            marks.append(np.zeros(len(cut), dtype=bool))
        pieces.append(ids)
        offset += len(ids)
    for file in sorted(data.glob("curriculum.*.npy")):
        ids = np.load(file)
        pieces.append(ids.reshape(-1))
        starts.append(offset + np.arange(len(ids)) * ROW)
        marks.append(np.ones(len(ids), dtype=bool))
        offset += ids.size
    start, mark = np.concatenate(starts), np.concatenate(marks)
    order = rng.permutation(len(start))
    tokens = torch.from_numpy(np.concatenate(pieces).astype(np.int32)).to(device)
    return Rows(tokens, torch.from_numpy(start[order]).to(device), torch.from_numpy(mark[order]).to(device))


def choose_rows(data: Path, n_rows: int, row: int, curriculum_share: float, seed: int) -> Tensor:
    """Rows (n_rows, row) of token ids for a recipe that needs few, the sources of natural text evenly, from what `encode` wrote."""
    rng = np.random.default_rng(seed)
    natural = [np.load(f, mmap_mode="r") for s in SOURCES if (f := data / f"{s}.train.npy").exists()]
    synthetic = [np.load(f, mmap_mode="r") for f in sorted(data.glob("curriculum.*.npy"))]
    rows = np.empty((n_rows, row), dtype=np.int64)
    for i in range(n_rows):
        if rng.random() < curriculum_share:
            part = synthetic[rng.integers(len(synthetic))]
            rows[i] = part[rng.integers(len(part)), :row]  # from the start of a document
        else:
            ids = natural[i % len(natural)]
            start = rng.integers(len(ids) - row)
            rows[i] = ids[start : start + row]
    return torch.from_numpy(rows)


def passes_over(
    n_rows: int, passes: int, recipe: Recipe, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> Iterator[tuple[int, Tensor, bool]]:  # fmt: skip
    """(step, places of its rows, whether it is the last) of several passes over all rows, each in an order of its own.

    The learning rate is set before every step; a batch that would not be full is left out.
    """
    per_pass = n_rows // recipe.batch_rows
    n_steps = passes * per_pass
    for step in range(n_steps):
        if step % per_pass == 0:
            order = torch.randperm(n_rows, generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, n_steps, recipe)
        yield step, order[step % per_pass * recipe.batch_rows :][: recipe.batch_rows], step == n_steps - 1
