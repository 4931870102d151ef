"""The grid's recipe on two tiny runs: it resumes, counts, keeps every curve, and its runs can be fitted."""

import json
import math

import numpy as np
import pytest
import torch

from core.checkpoints.folder import load_tokenizer
from core.checkpoints.registry import MODELS
from core.scaling import fit_parametric, published
from core.scaling.runs import CURVE, GridRun, append_run, columns, read_runs
from core.training import grid

BATCH = 4 * grid.CONTEXT  # tokens a step here


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two sources, one German and one English, each with a held-out part."""
    folder = tmp_path_factory.mktemp("corpus")
    german = "Die kleine Katze schläft im Garten, und der Hund bellt am Tor. "
    english = "The little cat sleeps in the garden, and the dog barks at the gate. "
    for source, line in (("de-novels", german), ("en-novels", english)):
        document = line * 60
        (folder / f"{source}.train.txt").write_text("\n<|endoftext|>\n".join([document] * 6), "utf-8")
        (folder / f"{source}.val.txt").write_text(document, "utf-8")
    return folder


@pytest.fixture(scope="module")
def done(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")

    def run(**options):
        return grid.run(corpus, MODELS / "mini", folder / "data", folder / "grid.jsonl", device="cpu", batch_rows=4, workers=1, **options)

    first = run(sizes=("0.1M",), tokens=(6 * BATCH,))
    return folder, first, run(sizes=("0.1M",), tokens=(6 * BATCH, 24 * BATCH)), run(sizes=("0.1M",), tokens=(6 * BATCH, 24 * BATCH))


def test_there_are_enough_runs_and_the_sizes_are_as_named():
    assert len(grid.SIZES) >= 6 and len(grid.TOKENS) >= 4 and len(grid.SIZES) * len(grid.TOKENS) >= 24
    sizes = [grid.counted(config, 1).parameters / 1e6 for config in grid.SIZES.values()]
    assert sizes == sorted(sizes) and sizes[0] < 0.11 and 20 < sizes[-1] < 25
    assert all(n == pytest.approx(float(name[:-1]), rel=0.12) for name, n in zip(grid.SIZES, sizes))


def test_what_is_done_is_not_done_again(done):
    folder, first, second, third = done
    assert [run.tokens for run in first] == [6 * BATCH] and [run.tokens for run in second] == [24 * BATCH] and third == []
    assert read_runs(folder / "grid.jsonl") == [*first, *second]


def test_a_run_is_counted_and_keeps_its_curve(done):
    _, _, (run,), _ = done
    network = grid.Decoder(grid.SIZES["0.1M"])
    assert run.parameters == sum(p.numel() for p in network.parameters()) and run.estimate == 6 * run.parameters * run.tokens
    assert 0.8 < run.estimate / run.flops < 1
    curve = [dict(zip(CURVE, row)) for row in run.curve]
    assert [row["tokens"] for row in curve] == [(i + 1) * BATCH for i in range(24)]
    assert curve[0]["loss"] == pytest.approx(math.log(grid.VOCABULARY), abs=0.5) and curve[-1]["loss"] < curve[0]["loss"] - 0.5
    assert curve[-1]["held_out"] == pytest.approx(run.held_out, rel=1e-4) and curve[1]["held_out"] is None
    rates = [row["learning_rate"] for row in curve]
    assert max(rates) == pytest.approx(run.learning_rate, rel=1e-4) and rates[-1] < 0.2 * max(rates)


def test_the_encoding_is_the_first_part_of_the_bundled_one(done, bundled):
    cut = load_tokenizer(done[0] / "data")
    assert cut.n_vocab == grid.VOCABULARY and cut.eot == grid.VOCABULARY - 1
    assert all(cut.token_bytes(i) == bundled.token_bytes(i) for i in range(0, grid.VOCABULARY - 1, 97))
    text = "Die Brücke über den Fluß ist 120 Meter lang. 🎵"
    assert cut.decode(cut.encode(text)) == text and len(cut.encode(text)) > len(bundled.encode(text))


def test_every_run_sees_the_same_text_in_the_same_order(done):
    one, other = (grid.load_text(done[0] / "data", n, "cpu") for n in (4 * BATCH, 40 * BATCH))
    assert all(torch.equal(a, b) for step in range(2) for a, b in zip(one.batch(step, 4), other.batch(step, 4)))
    inputs, targets, _ = other.batch(1, 4)
    assert torch.equal(inputs[:, 1:], targets[:, :-1]) and inputs.shape == (4, grid.CONTEXT)
    parts = [other.batch(1, 4, rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.stack(parts, 1).flatten(0, 1), inputs)
    passes = len(other.starts) * grid.CONTEXT / len(other.tokens)
    assert passes > 2 and len(other.starts) * grid.CONTEXT >= 40 * BATCH


def test_parts_share_the_runs_out(corpus, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(grid, "prepare", lambda *_: None)
    monkeypatch.setattr(grid, "load_text", lambda *_: None)
    monkeypatch.setattr(grid, "append_run", lambda file, run: None)
    monkeypatch.setattr(grid, "train_one", lambda size, n, *_: ran.append((size, n)))
    for k in range(3):
        grid.run(corpus, tmp_path, tmp_path, tmp_path / "none", part=(k, 3), device="cpu")
    assert sorted(ran) == sorted((size, n) for size in grid.SIZES for n in grid.TOKENS)
    ran.clear()
    grid.run(corpus, tmp_path, tmp_path, tmp_path / "none", minutes=0, device="cpu")
    assert ran == []


def test_a_line_cut_off_is_no_run_and_makes_room(done, tmp_path):
    run, file = done[1][0], tmp_path / "runs" / "grid.jsonl"
    append_run(file, run)
    file.write_text(file.read_text("utf-8") + '{"size": "0.1M", "par', "utf-8")
    assert read_runs(file) == [run]
    append_run(file, run)
    assert len(read_runs(file)) == 2 and all(json.loads(line) for line in file.read_text("utf-8").splitlines())
    assert read_runs(tmp_path / "none") == []


def test_runs_go_into_the_fits():
    law, runs = published.BESIROGLU, []
    for n in np.geomspace(1e5, 2e7, 6):
        for d in np.geomspace(4e6, 1.28e8, 4):
            runs.append(GridRun("made", n, n, d, 1.0, 6 * n * d, 6 * n * d, float(law(n, d)), 1e-3, 1.0, "none", ()))
    assert fit_parametric(*columns(runs)).alpha == pytest.approx(law.alpha, rel=1e-2)
