"""The models this repository trains."""

import hashlib
import json
import math
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from core.checkpoints.folder import load_tokenizer, load_weights
from core.checkpoints.llama import to_llama_config, weight_names
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.training import curriculum, evaluate
from core.training.batches import plan_rows
from core.training.loop import Recipe, train

MINI = DecoderConfig(dropout=0.1)
SIZES = {
    "mini": MINI,
    # Not shipped: what mini would be if it were smaller.
    "9M": replace(MINI, n_layers=6, d_model=256, n_heads=4, n_kv_heads=4, d_ff=688),
    "3M": replace(MINI, n_layers=4, d_model=128, n_heads=2, n_kv_heads=2, d_ff=344),
    "1M": replace(MINI, n_layers=2, d_model=64, n_heads=1, n_kv_heads=1, d_ff=176),
    # To try the recipe out.
    "tiny": DecoderConfig(n_layers=2, d_model=64, n_heads=2, n_kv_heads=2, d_ff=128, head_dim=32),
}
# How often each source is seen; small sources stop helping after about six passes.
PASSES = {"de-klexikon": 6, "de-wikipedia": 6, "en-openstax": 6, "de-novels": 4, "en-novels": 4, "en-onestop": 2}
DISTANCES = (20, 50, 100, 200, 400)  # tokens between a name and its return


def mini(data: Path, tokenizer_folder: Path, out: Path, size: str = "mini", n_steps: int | None = None, recipe: Recipe = Recipe(),
         device: str | None = None, most_probes: int | None = None) -> dict:  # fmt: skip
    """Train, evaluate and save the bundled model; return the evaluation.

    Writes model.safetensors (fp16, Hugging Face's names), config.json, training.csv and evaluation.json
    to `out`. The weights evaluated are the ones saved, rounded to fp16. `most_probes` shortens the
    evaluation of a trial run. Under torchrun every process but the first returns {}.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    tokenizer = load_tokenizer(tokenizer_folder)
    config = replace(SIZES[size], vocab_size=tokenizer.n_vocab)
    rows = plan_rows(data, PASSES, recipe.seed, device)
    n_steps = n_steps or len(rows.starts) // recipe.batch_rows
    out.mkdir(parents=True, exist_ok=True)
    network = Decoder(config).to(device)
    records = train(network, rows, n_steps, recipe, out / "training.csv", lambda n: evaluate.held_out_losses(n, data, most_rows=48))
    if int(os.environ.get("RANK", 0)):
        return {}
    save(network, out, tokenizer.eot)
    network = load_weights(out / "model.safetensors", replace(config, dropout=0.0)).eval().to(device)
    losses = evaluate.held_out_losses(network, data)

    def scored(probes):
        return evaluate.probe_scores(network, tokenizer, evaluate.thinned(probes, most_probes))

    result = {
        "command": "python -m core.training " + " ".join(sys.argv[1:]),
        "recipe": asdict(recipe), "config": asdict(config), "passes": PASSES, "steps": n_steps,
        "parameters": sum(p.numel() for p in network.parameters()),
        "tokens_seen": records[-1]["tokens"], "seconds": round(records[-1]["seconds"], 1),
        "curriculum_share": float(rows.is_curriculum.float().mean()),
        "machine": torch.cuda.get_device_name() if device.startswith("cuda") else "CPU", "torch": torch.__version__,
        "held_out_nats_per_token": losses,
        "held_out_bits_per_byte": evaluate.bits_per_byte(losses, data, tokenizer),
        "facts": scored(curriculum.probes("facts")),
        "names": {str(d): scored(curriculum.name_probes(d))["top1"] for d in DISTANCES},
        "samples": evaluate.samples(LanguageModel("mini", network.cpu(), tokenizer)),
        "data_sha256": {f.name: _sha256(f) for f in sorted(data.glob("*.npy"))},
        "weights_sha256": _sha256(out / "model.safetensors"),
    }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return result


def save(network: Decoder, out: Path, eot: int) -> None:
    """Write weights in fp16 under Hugging Face's names, and the config that transformers reads."""
    ours = network.state_dict()
    weights = {theirs: ours[name].half().cpu().contiguous() for theirs, name in weight_names(network.config).items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(to_llama_config(network.config, eot), indent=1) + "\n", "utf-8")


def split_file(file: Path, most: int = (16 << 20) - 4096) -> list[Path]:
    """Cut a file into the fewest pieces of at most `most` bytes, of one size: model.safetensors.00, .01, ..."""
    content, pieces = file.read_bytes(), []
    n_pieces = math.ceil(len(content) / most)
    size = math.ceil(len(content) / n_pieces)
    for i in range(n_pieces):
        pieces.append(file.with_name(f"{file.name}.{i:02}"))
        pieces[-1].write_bytes(content[i * size : (i + 1) * size])
    return pieces


def join_files(pieces: list[Path], out: Path) -> None:
    """Put the pieces of `split_file` together."""
    out.write_bytes(b"".join(p.read_bytes() for p in sorted(pieces)))


def _sha256(file: Path) -> str:
    return hashlib.sha256(np.fromfile(file, dtype=np.uint8)).hexdigest()
