"""A GRU and a Transformer of one size on the same text: `python -m core.training rnn_vs_transformer --data DATA --out OUT`.

Same rows in the same order, same tokenizer, tokens seen and optimizer, parameters within 5 %; each has its own learning rate.
Minutes each on one GPU.
"""

import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from core.checkpoints.folder import load_tokenizer
from core.measure.gradient_reach import gradient_by_distance
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.recurrent import RecurrentConfig, RecurrentLM
from core.models.recurrent import initialise as initialise_recurrent
from core.training import curriculum, evaluate
from core.training.batches import plan_rows
from core.training.loop import Recipe, initialise, train
from core.training.recipes import DISTANCES, PASSES
from core.training.saving import parameters, save

TRANSFORMER = DecoderConfig(n_layers=4, d_model=192, n_heads=3, n_kv_heads=3, d_ff=512, dropout=0.1)
GRU = RecurrentConfig()
# The best of five settings by held-out loss (rates of 0.002 and 0.004, embeddings of 0.02 and 0.1, gates open or not, dropout or not),
# all trained to the end; the Transformer got no such search.
GRU_RATE, GRU_START = 4e-3, {"std": 0.1, "longest": 200}
KINDS = ("transformer", "gru")
# To try the recipe out.
TINY = replace(TRANSFORMER, n_layers=2, d_model=32, n_heads=2, n_kv_heads=2, d_ff=64, head_dim=16), RecurrentConfig(1, 32, 64)
RECIPE = Recipe(batch_rows=64, learning_rate=2e-3)
TOLD = (10, 20, 50, 100, 200, 400)  # tokens back that a name was told
REACH = 256  # tokens back that the gradient is followed


def networks(size: str = "small", vocab_size: int = 16_384) -> dict[str, nn.Module]:
    """The two untrained networks; ValueError where their parameters differ by more than 5 %."""
    transformer, gru = (TRANSFORMER, GRU) if size == "small" else TINY
    found = {"transformer": Decoder(replace(transformer, vocab_size=vocab_size)), "gru": RecurrentLM(replace(gru, vocab_size=vocab_size))}
    n = {name: parameters(network) for name, network in found.items()}
    if max(n.values()) > 1.05 * min(n.values()):
        raise ValueError(f"parameters differ by more than 5 %: {n}")
    return found


def run(
    data: Path, tokenizer_folder: Path, out: Path, size: str = "small", n_steps: int | None = None, recipe: Recipe = RECIPE,
    device: str | None = None, most_probes: int | None = None, kinds=KINDS,
) -> dict:  # fmt: skip
    """Train both, or one of KINDS, and evaluate them as saved (fp16); writes <name>.safetensors, .json, .csv and evaluation.json."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = load_tokenizer(tokenizer_folder)
    out.mkdir(parents=True, exist_ok=True)
    rows = plan_rows(data, PASSES, recipe.seed, device)
    n_steps = n_steps or len(rows.starts) // recipe.batch_rows
    result = {"command": "python -m core.training " + " ".join(sys.argv[1:]), "recipe": asdict(recipe), "steps": n_steps, "networks": {}}
    untrained = networks(size, tokenizer.n_vocab)
    for name in kinds:
        network = untrained[name]
        is_gru = name == "gru"
        fill = partial(initialise_recurrent, **GRU_START) if is_gru else initialise
        chosen = replace(recipe, learning_rate=GRU_RATE if is_gru else recipe.learning_rate)
        losses = partial(evaluate.held_out_losses, data=data, most_rows=16)
        records = train(network.to(device), rows, n_steps, chosen, out / f"{name}.csv", losses, fill)
        save(network, name, out, asdict(network.config))
        result["networks"][name] = measured(network, tokenizer, data, most_probes) | {
            "parameters": parameters(network), "tokens_seen": records[-1]["tokens"], "seconds": round(records[-1]["seconds"], 1),
            "learning_rate": chosen.learning_rate,
        }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


def measured(network: nn.Module, tokenizer, data: Path, most_probes: int | None = None) -> dict:
    """Held-out loss, new names that return, what is left of known ones after a while, and how far a gradient reaches back."""
    losses = evaluate.held_out_losses(network, data)
    names = {
        str(distance): evaluate.probe_scores(network, tokenizer, evaluate.thinned(curriculum.name_probes(distance), most_probes))["top1"]
        for distance in DISTANCES
    }
    device = next(network.parameters()).device
    ids = torch.cat(list(evaluate.held_out_rows(data, 16, REACH + 1).values())).to(device)
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN gives a recurrent network no gradient outside of training
        reach = gradient_by_distance(network, ids)
    memory = evaluate.memory_of_names(network, tokenizer, TOLD)
    return {"held_out_nats_per_token": losses, "names": names, "memory": memory, "gradient_by_distance": [float(f"{x:.4g}") for x in reach]}
