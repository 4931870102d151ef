"""int8 weights in a file of their own: the same model, a quarter of the bytes, and never a half file that loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.checkpoints import DamagedCheckpoint, UnknownModel, int8_file, load_model, pack_model, registry
from core.checkpoints import __main__ as command
from core.checkpoints.cache import cached_folder, new_folder, write_manifest
from core.checkpoints.int8_file import find_int8, int8_reader, write_int8
from core.checkpoints.shelf import Shelf
from core.checkpoints.stored import Checkpoint, Stored, as_language_model
from core.quantization import prepare, quantize
from tests.model.reference import random_ids
from tests.model.test_packed import FAMILIES, LLAMA, random_model

ROOT = Path(__file__).resolve().parents[2]
NAME = "org/small"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSBOX_CACHE", str(tmp_path))
    return tmp_path / "models"


def downloaded(lm, what=b"weights"):
    """`lm` as if it had been downloaded: a folder with a manifest, and its weights to be read piece by piece."""
    with new_folder(NAME) as folder:
        (folder / "model.bin").write_bytes(what)
        write_manifest(folder, NAME, "a test", {})
    kept = {name: p.detach() for name, p in lm.network.named_parameters()}
    stored = {name: Stored(tuple(p.shape), lambda start, stop, p=p: p[start:stop]) for name, p in kept.items()}
    return Checkpoint(NAME, cached_folder(NAME), lm.config, lm.tokenizer, stored)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_stored_computes_what_packing_the_original_does(family, cache):
    lm = random_model(FAMILIES[family])
    checkpoint = downloaded(lm)
    file = write_int8(NAME, checkpoint)
    assert file == find_int8(NAME) and file.parent == cache / "org--small@int8"
    loaded = as_language_model(checkpoint, "int8", int8_reader(file, checkpoint))
    for rows in (1, 3, 30):
        ids = random_ids(lm, rows, seed=rows)[0]
        assert torch.equal(loaded.logits(ids), prepare(lm, "int8").logits(ids))
    assert loaded.network.state_dict().keys() == lm.network.state_dict().keys()


def test_the_file_holds_int8_by_channel(cache):
    lm = random_model(LLAMA)
    held = load_file(write_int8(NAME, downloaded(lm)))
    assert {name for name in held if not name.endswith(".scale")} == {name for name, _ in lm.network.named_parameters()}
    weight = lm.network.blocks[1].mlp.down.weight
    codes, ours = held["blocks.1.mlp.down.weight"], quantize(weight, "int8", "channel")
    assert codes.dtype == torch.int8 and (codes.int() - ours.codes.int()).abs().max() <= 1
    assert held["blocks.1.mlp.down.weight.scale"].dtype == torch.bfloat16 and torch.equal(held["ln_final.weight"], lm.network.ln_final.weight)


def test_a_file_that_is_cut_off_or_of_another_download_is_not_used(cache):
    checkpoint = downloaded(random_model(LLAMA))
    assert find_int8(NAME) is None
    file = write_int8(NAME, checkpoint)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert find_int8(NAME) is None and command.main(["verify", "org/small@int8"]) == 1
    file.write_bytes(whole)
    assert find_int8(NAME) == file
    downloaded(random_model(LLAMA), b"others!")  # of the same size
    assert find_int8(NAME) is None


def test_a_file_that_does_not_fit_is_one_sentence_with_the_remedy(cache):
    checkpoint = downloaded(random_model(LLAMA))
    file = write_int8(NAME, checkpoint)
    whole, held = file.read_bytes(), load_file(file)

    def refused(what):
        with pytest.raises(DamagedCheckpoint, match=f"int8.safetensors {what}.*core.checkpoints pack org/small"):
            as_language_model(checkpoint, "int8", int8_reader(file, checkpoint))

    file.write_bytes(b"\xff" * len(whole))
    refused("is damaged at embed.weight")
    for name, other in (("blocks.0.attn.q.weight", torch.zeros(3, 3, dtype=torch.int8)), ("embed.weight", torch.zeros(257, 64))):
        save_file(held | {name: other}, file)
        refused(f"holds another {name}")
    save_file({name: value for name, value in held.items() if name != "embed.weight.scale"}, file)
    refused("is damaged at embed.weight")


def test_writing_that_breaks_off_leaves_nothing(cache, monkeypatch):
    def full(tensors, file):
        Path(file).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(int8_file, "save_file", full)
    with pytest.raises(OSError, match="no space"):
        write_int8(NAME, downloaded(random_model(LLAMA)))
    assert [folder.name for folder in cache.iterdir()] == ["org--small"]


def test_what_is_not_downloaded_cannot_be_packed(cache, capsys):
    for name in ("gpt2", "mini", "../../etc", "org/absent"):
        with pytest.raises(UnknownModel, match="no downloaded model"):
            pack_model(name)
    assert command.main(["pack", "gpt2"]) == 1 and "gpt2" in capsys.readouterr().err


MEASURED = """
import json
from core import load_model
lm = load_model("smollm2-135m", "int8")
lm.logits(lm.tokenizer.encode("The capital of France is"))
lines = dict(line.split(":") for line in open("/proc/self/status") if line.startswith(("VmRSS", "VmHWM")))
print(json.dumps({name: int(value.split()[0]) / 1024 for name, value in lines.items()}))
"""


def test_smollm2_in_a_process_of_its_own_takes_what_it_may(smollm2_file, cache, monkeypatch, capsys):
    """With torch at most 550 MiB, and while it is loaded at most 15 % more; it is the model that packing the original gives."""
    packed = load_model(str(smollm2_file), "int8")
    cache.mkdir()
    (cache / "smollm2-135m").symlink_to(smollm2_file.parent)
    assert command.main(["pack", "smollm2-135m"]) == 0 and "135 MB" in capsys.readouterr().out
    run = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True)
    taken = json.loads(run.stdout)
    assert taken["VmRSS"] <= 550 and taken["VmHWM"] <= 1.15 * taken["VmRSS"], taken
    monkeypatch.setattr(registry, "_shelf", Shelf())
    monkeypatch.setattr("core.checkpoints.stored._read_into", None)  # nothing of the original is read
    loaded = load_model("smollm2-135m", "int8")
    ids = loaded.tokenizer.encode("The capital of France is")
    assert torch.equal(loaded.logits(ids), packed.logits(ids)) and loaded.tokenizer.decode([int(loaded.logits(ids)[-1].argmax())]) == " Paris"
