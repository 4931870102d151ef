"""Runs of the grid as they were recorded: one line of JSON each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CURVE = ("tokens", "loss", "held_out", "gradient_norm", "learning_rate")  # what a row of a curve holds; None = not measured there


@dataclass(frozen=True)
class GridRun:
    """One training from start to end."""

    size: str  # name of the shape
    parameters: int  # all of them
    outside_embedding: int  # without the table of the vocabulary
    tokens: int  # seen in training
    passes: float  # over the text
    flops: float  # counted, see core.scaling.counting
    estimate: float  # 6 N D
    held_out: float  # loss at the end, nats a token of unseen text
    learning_rate: float  # the highest
    seconds: float
    machine: str
    curve: tuple[tuple[float | None, ...], ...]  # rows of CURVE


def read_runs(file: Path) -> list[GridRun]:
    """All runs in a file, smallest model and shortest run first; a last line that was cut off is no run. [] without a file."""
    if not file.exists():
        return []
    lines = file.read_text("utf-8").split("\n")
    found = [json.loads(line) for line in lines[:-1] if line]  # what has no line break behind it was not written to its end
    runs = [GridRun(**{**entry, "curve": tuple(map(tuple, entry["curve"]))}) for entry in found]
    return sorted(runs, key=lambda run: (run.parameters, run.tokens))


def append_run(file: Path, run: GridRun) -> None:
    """Write one more run; a cut-off line of an earlier attempt goes first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text("utf-8") if file.exists() else ""
    whole = before[: before.rfind("\n") + 1] + json.dumps(asdict(run), separators=(",", ":")) + "\n"
    beside = file.with_suffix(".new")
    beside.write_text(whole, "utf-8")
    beside.replace(file)


def columns(runs: Sequence[GridRun]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N, D and final held-out loss of runs, as the fits take them: (n,) each."""
    return tuple(np.array([getattr(run, name) for run in runs], float) for name in ("parameters", "tokens", "held_out"))
