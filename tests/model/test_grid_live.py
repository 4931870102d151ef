"""A run of the grid trained live: the shipped rows, the grid's own loop as its reference, its process."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from core.training import grid
from core.training.grid import Text, held_out_loss
from core.training.grid_live import GridRecipe, GridTrainer
from core.training.grid_rows import FILE, read_rows, write_rows
from core.training.live_process import trainer_for


def test_the_shipped_rows_are_of_the_grids_vocabulary_and_small():
    train, held_out = read_rows()
    assert train.shape == (1500, grid.CONTEXT + 1) and held_out.shape[1] == grid.CONTEXT + 1 and len(held_out) == 5 * grid.HELD_OUT_ROWS
    assert 0 <= int(train.min()) and int(max(train.max(), held_out.max())) < grid.VOCABULARY and FILE.stat().st_size < 1_000_000
    seen = {row.numpy().tobytes() for row in train}
    assert not any(row.numpy().tobytes() in seen for row in held_out)


def test_rows_are_the_first_that_the_grid_sees(tmp_path):
    for source in grid.SOURCES:
        for split in ("train", "val"):
            ids = np.random.default_rng(len(source)).integers(0, grid.VOCABULARY, 20_000).astype(np.uint16)
            np.save(tmp_path / f"{source}.{split}.npy", ids)
    write_rows(tmp_path, tmp_path / "rows.npz", rows=12)
    train, held_out = read_rows(tmp_path / "rows.npz")
    text = grid.load_text(tmp_path, 100 * grid.CONTEXT, "cpu")
    inputs, targets, _ = text.batch(1, 6)
    assert torch.equal(train[6:12, :-1], inputs) and torch.equal(train[6:12, 1:], targets) and torch.equal(held_out, text.held_out)


def test_it_learns_as_the_grids_own_loop_does(monkeypatch):
    """The same shape, rows and recipe through `grid.train_one`: the same losses."""
    train, held_out = read_rows()
    monkeypatch.setattr(grid, "rows_a_step", lambda tokens: 2)
    monkeypatch.setattr("core.training.grid_live.rows_a_step", lambda tokens: 2)
    tokens = train[:40].flatten().to(torch.int32)
    text = Text(tokens, torch.arange(40) * (grid.CONTEXT + 1), held_out[:16])
    reference = grid.train_one("0.1M", 20 * 2 * grid.CONTEXT, text)
    trainer = GridTrainer(GridRecipe.of("0.1M", 20 * 2 * grid.CONTEXT))
    trainer.held_out = held_out[:16]
    rows = [trainer.record()]
    while not trainer.finished:
        rows.append(trainer.step())
    assert rows[-1]["last"] and rows[-1]["held_out"] == pytest.approx(reference.held_out, rel=1e-3)
    assert rows[-1]["tokens"] == reference.tokens and rows[-1]["flops"] == pytest.approx(reference.flops)
    assert [row["loss"] for row in rows[1:]] == pytest.approx([row[1] for row in reference.curve], rel=1e-3)
    assert trainer.describe()["parameters"] == reference.parameters
    assert held_out_loss(trainer.network, held_out[:16]) == pytest.approx(rows[-1]["held_out"])


def test_more_text_than_there_is_comes_again():
    trainer = GridTrainer(GridRecipe.of("0.1M", 768_000))
    first = trainer.batch()
    trainer.done = len(trainer.train) // trainer.rows
    assert torch.equal(trainer.batch(), first) and trainer._place()["passes"] == pytest.approx(1)


def test_the_process_trains_either():
    assert isinstance(trainer_for("", {"kind": "grid", "size": "0.1M", "tokens": 512, "n_steps": 2, "seed": 0}), GridTrainer)
    assert trainer_for("abc " * 100, {"n_steps": 5}).characters.n_vocab == 4
    request = {"text": "", "recipe": {"kind": "grid", "size": "0.1M", "tokens": 512, "n_steps": 1, "seed": 1}, "going": True}
    process = subprocess.Popen([sys.executable, "-m", "core.training.live_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    rows = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert process.wait(60) == 0 and rows[0]["parameters"] == 90_784 and rows[1]["last"] and 7 < rows[1]["held_out"] < 8
