"""Training: the plan of rows, the loop on one and on two processes, what it writes, how it is judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.checkpoints.folder import load_folder
from core.decoding import generate
from core.training import corpora, evaluate
from core.training.batches import plan_rows
from core.training.curriculum import Probe
from core.training.loop import Recipe, initialise, learning_rate
from core.training.recipes import join_files, split_file
from tests.model.two_processes import SHAPE, train_small

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "assets" / "models" / "mini"
TEXT = "Der Fuchs läuft durch den Wald und sieht den Mond über den Bäumen. The fox sees the moon above the trees. "


def write_corpus(folder: Path) -> Path:
    """Six sources of a few documents each; one has no held-out part, as in the real corpus."""
    folder.mkdir()
    for n, source in enumerate(corpora.SOURCES):
        documents = [f"{source} {i}. {TEXT * (40 + n)}" for i in range(3)]
        (folder / f"{source}.train.txt").write_text("\n<|endoftext|>\n".join(documents), "utf-8")
        if source != "en-onestop":
            (folder / f"{source}.val.txt").write_text(documents[0] + "\n<|endoftext|>\n" + documents[1], "utf-8")
    return folder


def run(*command: str, timeout: int = 300) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A tiny corpus and 30 rows of curriculum, encoded with the bundled tokenizer."""
    folder = tmp_path_factory.mktemp("encoded")
    corpus = write_corpus(folder / "corpus")
    corpora.encode_all(corpus, MINI, folder / "data", 30 * corpora.ROW, workers=2)
    return folder / "data"


@pytest.fixture
def bytes_data(tmp_path):
    """Rows over an alphabet of 257, for a network small enough to train here: text with a pattern to learn."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "de.train.npy", np.tile(rng.integers(0, 256, 37), 300).astype(np.uint16))
    np.save(tmp_path / "curriculum.00.npy", rng.integers(0, 256, (6, corpora.ROW)).astype(np.uint16))
    return tmp_path


# ---- encoding and the plan of rows


def test_encoding_does_not_depend_on_the_workers_and_leaves_no_old_files(encoded, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    again = tmp_path / "again"
    again.mkdir()
    np.save(again / "curriculum.99.npy", np.zeros((1, corpora.ROW), dtype=np.uint16))
    corpora.encode_all(corpus, MINI, again, 30 * corpora.ROW, workers=1)
    assert [f.name for f in sorted(again.glob("*.npy"))] == [f.name for f in sorted(encoded.glob("*.npy"))]
    for file in again.glob("*.npy"):
        assert file.read_bytes() == (encoded / file.name).read_bytes(), file.name


def test_encoded_text_decodes_to_the_documents(encoded, mini):
    text = mini.tokenizer.decode(np.load(encoded / "de-novels.train.npy"))
    documents = [d for d in text.split("<|endoftext|>") if d]
    assert len(documents) == 3 and documents[1].startswith("de-novels 1. Der Fuchs läuft")


def test_curriculum_rows_start_with_a_document(mini):
    documents = [f"Dokument {n}: " + TEXT * n for n in range(1, 30)]
    rows = corpora.pack_rows(iter(documents), mini.tokenizer, n_rows=3)
    assert rows.shape == (3, corpora.ROW)
    for row in rows:
        *whole, cut = mini.tokenizer.decode(row).split("<|endoftext|>")
        assert all(document in documents for document in whole)
        assert cut == "" or any(document.startswith(cut.rstrip("�")) for document in documents)


def test_a_pass_covers_its_source_once_and_half_a_pass_half_of_it(tmp_path):
    T = corpora.ROW - 1
    np.save(tmp_path / "de.train.npy", np.arange(40_000, dtype=np.uint16))  # every token says where it stands
    np.save(tmp_path / "curriculum.00.npy", np.full((5, corpora.ROW), 50_000, dtype=np.uint16))
    rows = plan_rows(tmp_path, {"de": 2.5}, 0, "cpu")
    inputs, targets, is_curriculum = rows.batch(0, len(rows.starts))
    assert is_curriculum.sum() == 5 and (inputs[is_curriculum] == 50_000).all()
    natural = inputs[~is_curriculum]
    assert torch.equal(natural[:, 1:], targets[~is_curriculum][:, :-1])
    seen = torch.bincount(natural.flatten(), minlength=40_000)
    assert seen.max() <= 3 and (seen[2 * T : -2 * T] >= 2).all()
    assert abs(len(natural) * T / 40_000 - 2.5) < 0.1
    assert not torch.equal(rows.starts, plan_rows(tmp_path, {"de": 2.5}, 1, "cpu").starts)


def test_processes_share_a_batch(bytes_data):
    rows = plan_rows(bytes_data, {"de": 2}, 0, "cpu")
    whole, halves = rows.batch(1, 4)[0], [rows.batch(1, 4, rank, 2)[0] for rank in (0, 1)]
    assert torch.equal(whole[0::2], halves[0]) and torch.equal(whole[1::2], halves[1])


# ---- the loop


def test_learning_rate_rises_stays_and_falls_to_zero():
    recipe = Recipe(learning_rate=1.0, warmup_steps=10, decay_share=0.5)
    rates = [learning_rate(step, 100, recipe) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert set(rates[9:51]) == {1.0}
    assert rates[75] == pytest.approx(0.5) and rates[99] == pytest.approx(0.02)


def test_two_processes_learn_what_one_does(bytes_data, tmp_path):
    """Half the batch each under torchrun (gloo): the same losses and weights as one process on the whole."""
    from core.models.decoder import Decoder

    network, records = train_small(bytes_data)
    run("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "tests.model.two_processes", str(bytes_data), str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    start = Decoder(SHAPE)
    initialise(start, 0)
    assert first["losses"] == pytest.approx([r["loss"] for r in records], abs=1e-4)
    assert first["losses"][-1] < first["losses"][0] - 0.1
    for name, weights in network.state_dict().items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        moved = (weights - start.state_dict()[name]).norm()
        assert (weights - first["weights"][name]).norm() < 0.01 * moved, name


def test_the_command_under_torchrun_writes_a_model_that_loads(encoded, tmp_path):
    """Log, evaluation and weights of a tiny run; transformers computes the same logits from the files."""
    import transformers

    out = tmp_path / "out"
    command = ["core.training", "mini", "--data", str(encoded), "--out", str(out), "--size", "tiny", "--device", "cpu",
               "--steps", "2", "--batch-rows", "2", "--probes", "4", "--split"]  # fmt: skip
    run("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", *command)
    log = (out / "training.csv").read_text().splitlines()
    assert log[0].startswith("step,tokens,learning_rate,loss,loss_natural,loss_curriculum") and len(log) == 3
    result = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert result["steps"] == 2 and result["tokens_seen"] == 2 * 2 * 1_024
    assert set(result["held_out_nats_per_token"]) == set(corpora.SOURCES) - {"en-onestop"}
    assert all(8 < nats < 11 for nats in result["held_out_nats_per_token"].values())  # about ln 16,384 = 9.7
    assert sum(result["facts"]["probes"].values()) == 4 and set(result["names"]) == {"20", "50", "100", "200", "400"}
    assert (out / "model.safetensors.00").exists()

    (out / "tokenizer.tiktoken").write_bytes((MINI / "tokenizer.tiktoken").read_bytes())
    ids = torch.arange(5, 25)
    reference = transformers.LlamaForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    with torch.inference_mode():
        torch.testing.assert_close(load_folder(out).logits(ids), reference(ids[None]).logits[0], atol=1e-4, rtol=1e-4)


def test_split_files_join_to_the_same_bytes(tmp_path):
    file, content = tmp_path / "model.safetensors", os.urandom(1_001)
    file.write_bytes(content)
    pieces = split_file(file, most=500)
    assert [p.stat().st_size for p in pieces] == [334, 334, 333]
    join_files(pieces[::-1], tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == content


# ---- evaluation


def test_an_answer_is_right_when_greedy_decoding_writes_all_of_it(mini):
    prompts = ["The capital of France is", "Die Hauptstadt von Frankreich ist", "Es war einmal", "Once upon a time there was a"]
    probes, expected = [], []
    for prompt in prompts:
        written = [s.token for s in generate(mini, mini.tokenizer.encode(prompt), 3, temperature=0)]
        answer = mini.tokenizer.decode(written)
        if mini.tokenizer.encode(answer) != written:  # the same text has other tokens: no probe can ask for it
            continue
        probes += [Probe("x", "y", prompt, answer), Probe("x", "y", prompt, answer + " Zebra")]
        fourth = [s.token for s in generate(mini, mini.tokenizer.encode(prompt + answer), 2, temperature=0)]
        expected += [True, mini.tokenizer.decode(fourth).startswith(" Zebra")]
    assert len(probes) >= 4
    assert evaluate.answers_right(mini.network, mini.tokenizer, probes) == expected
    scores = evaluate.probe_scores(mini.network, mini.tokenizer, probes)
    assert scores["top1"]["x"] == sum(expected) / len(expected) and scores["probes"] == {"x": len(probes)}


def test_held_out_loss_and_bits_per_byte(tiny, tmp_path):
    ids = np.frombuffer(("Größe " * 60).encode(), dtype=np.uint8).astype(np.uint16)
    np.save(tmp_path / "de.val.npy", ids)
    losses = evaluate.held_out_losses(tiny.network, tmp_path, length=64)
    windows = torch.from_numpy(ids[: (len(ids) - 1) // 64 * 64 + 1].astype(np.int64))
    nll = [F.cross_entropy(tiny.logits(windows[s : s + 64]), windows[s + 1 : s + 65]) for s in range(0, len(windows) - 1, 64)]
    assert losses["de"] == pytest.approx(float(torch.stack(nll).mean()), abs=1e-5)
    bits = evaluate.bits_per_byte(losses, tmp_path, tiny.tokenizer)
    assert bits["de"] == pytest.approx(losses["de"] / np.log(2))  # every token is one byte here


def test_thinned_probes_come_from_the_whole_list():
    assert evaluate.thinned(list(range(100)), 4) == [0, 25, 50, 75]
    assert evaluate.thinned([1, 2], 4) == evaluate.thinned([1, 2], None) == [1, 2]


def test_the_record_belongs_to_the_bundled_weights():
    """The evaluation in assets/runs is of the very file that is shipped."""
    from core.training.recipes import _sha256

    record = json.loads((ROOT / "assets/runs/mini_evaluation.json").read_text("utf-8"))
    assert record["weights_sha256"] == _sha256(MINI / "model.safetensors")
