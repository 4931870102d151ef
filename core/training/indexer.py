"""An indexer for sparse attention, taught where `mini` looks: `python -m core.training indexer --data DATA --out OUT`.

This is the first stage of DeepSeek Sparse Attention's training (report of DeepSeek-V3.2-Exp, section 2.1, "dense warm-up"): the model
stays as it is, and in every layer the indexer's softmax(I) learns to be the attention weights, added up over the heads. The
second stage, in which the model itself learns to live with few tokens, is left out.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.checkpoints.folder import load_folder
from core.measure.sparse_drift import sparse_drift, usual_directions
from core.models.attention import causal_mask
from core.models.decoder import Decoder
from core.models.indexer import N_HEADS, WIDTH, Index, Indexer, make_index
from core.models.language_model import LanguageModel
from core.models.sparse_attention import rule_of
from core.training.batches import choose_rows, passes_over
from core.training.evaluate import held_out_rows
from core.training.loop import Recipe, make_optimizer, write_csv
from core.training.saving import parameters, save

RECIPE = Recipe(batch_rows=16, learning_rate=2e-3, warmup_steps=100, weight_decay=0.0, log_every=20, evaluate_every=400)
WIDTHS = (8, 16, 32)  # tokens that a look may see in the evaluation
READ = 320  # tokens of each text there


@dataclass(frozen=True)
class Lessons:
    """What the indexer is shown: `n_rows` rows of `row` tokens, a part of them curriculum, `passes` times."""

    n_rows: int = 16_384
    row: int = 384
    curriculum_share: float = 0.5
    passes: int = 3
    n_heads: int = N_HEADS
    width: int = WIDTH


def rows_of(data: Path, chosen: Lessons, seed: int) -> Tensor:
    """The rows (n, row). Drawn once and written to `data`; found there, they are read."""
    kept = data / "indexer_rows.npz"
    asked = json.dumps([chosen.n_rows, chosen.row, chosen.curriculum_share, seed])
    if kept.exists():
        stored = np.load(kept)
        if str(stored["asked"]) == asked:
            return torch.from_numpy(stored["rows"].astype(np.int64))
    rows = choose_rows(data, chosen.n_rows, chosen.row, chosen.curriculum_share, seed)
    np.savez(kept, asked=asked, rows=rows.numpy().astype(np.uint16))
    return rows


@torch.no_grad()
def looks(network: Decoder, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For every layer, of rows ids (B, T): the stream (B, T, C) it reads and the mean of its heads' attention weights (B, T, T)."""
    streams, weights = [], []

    def watch(name: str, value: Tensor) -> Tensor:
        if name.endswith("hook_resid_pre"):
            streams.append(value.float())
        elif name.endswith("hook_pattern"):
            weights.append(value.float().mean(1))
        return value

    network(ids, tap=watch, last_only=True)
    return list(zip(streams, weights))


def missed(scores: Tensor, weights: Tensor) -> Tensor:
    """KL(weights ‖ softmax(scores)) over the past, mean of all looks, nats: scores and weights (B, T, T)."""
    past = causal_mask(*scores.shape[-2:], device=scores.device)
    expected = scores.masked_fill(~past, -torch.inf).log_softmax(-1).masked_fill(~past, 0.0)
    return (torch.special.xlogy(weights, weights) - weights * expected).sum(-1).mean()


def train(
    indexer: Indexer, network: Decoder, rows: Tensor, passes: int, recipe: Recipe, log: Path | None = None,
    evaluate: Callable[[Indexer], dict] | None = None,
) -> list[dict]:  # fmt: skip
    """Train `indexer` in place on what `network` looks at in rows (n, T); return the log."""
    generator, device = torch.Generator().manual_seed(recipe.seed), next(indexer.parameters()).device
    optimizer = make_optimizer(indexer, recipe, fused=device.type == "cuda")
    records, start = [], time.perf_counter()
    for step, batch, last in passes_over(len(rows), passes, recipe, optimizer, generator):
        total = 0.0
        for layer, (stream, weights) in enumerate(looks(network, rows[batch].to(device))):  # the layers know nothing of each other
            loss = missed(indexer(layer, stream), weights)
            loss.backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(indexer.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % recipe.log_every == 0 or last:
            record = {
                "step": step, "tokens": (step + 1) * recipe.batch_rows * rows.shape[1], "kl": float(total) / network.config.n_layers,
                "learning_rate": optimizer.param_groups[0]["lr"], "gradient_norm": float(norm), "seconds": time.perf_counter() - start,
            }  # fmt: skip
            if evaluate and (step % recipe.evaluate_every == 0 or last):
                record |= evaluate(indexer)
            records.append(record)
            print("  ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)
            if log:
                write_csv(log, records)
    return records


@torch.no_grad()
def held_out_kl(indexer: Indexer, network: Decoder, rows: Tensor) -> dict[str, float]:
    """Mean over layers and rows (n, T) of what it misses."""
    found = [float(missed(indexer(layer, x), w)) for row in rows for layer, (x, w) in enumerate(looks(network, row[None]))]
    return {"held_out_kl": float(np.mean(found))}


def sparse_losses(lm: LanguageModel, texts: Tensor, indexes: dict[str, Index]) -> dict[str, dict[str, float]]:
    """Loss of texts (n, T) read with the best so many tokens of each index, in nats: name -> width -> loss; "full" and a window beside."""
    found: dict[str, dict[str, list[float]]] = {"full": {"all": []}}
    for text in texts:
        full = lm.logits(text)
        for width in WIDTHS:
            rules = {"window": rule_of("window", width)} | {name: rule_of("top_k", width, index) for name, index in indexes.items()}
            for name, rule in rules.items():
                drift = sparse_drift(lm, text, rule, full)
                found.setdefault(name, {}).setdefault(str(width), []).append(drift.numbers["loss"])
        found["full"]["all"].append(drift.numbers["full_loss"])
    return {name: {width: round(float(np.mean(losses)), 4) for width, losses in by.items()} for name, by in found.items()}


def run(
    data: Path, mini: Path, out: Path, chosen: Lessons = Lessons(), recipe: Recipe = RECIPE, device: str | None = None
) -> dict:  # fmt: skip
    """Train, save, and evaluate the weights as they were saved on held-out text, beside the indexes that need no training."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)
    lm = load_folder(mini)
    network, rows = lm.network.to(device), rows_of(data, chosen, recipe.seed)
    held_out = held_out_rows(data, 3, READ)
    watched = torch.cat([few[:1] for few in held_out.values()]).to(device)
    torch.manual_seed(recipe.seed)
    shape = {"n_layers": lm.config.n_layers, "d_model": lm.config.d_model, "n_heads": chosen.n_heads, "width": chosen.width}
    indexer = Indexer(**shape).to(device)
    records = train(indexer, network, rows, chosen.passes, recipe, out / "training.csv", lambda one: held_out_kl(one, network, watched))
    save(indexer, "indexer", out, shape)
    network.cpu(), indexer.cpu()
    indexes = {"trained": indexer.index, "projected": make_index("projected", usual_directions(lm))}
    indexes |= {name: make_index(name) for name in ("heads", "own")}
    result = {
        "command": f"python -m core.training indexer --data DATA --out OUT --seed {recipe.seed}",
        "recipe": asdict(recipe), "lessons": asdict(chosen), "parameters": parameters(indexer),
        "steps": records[-1]["step"] + 1, "tokens_seen": records[-1]["tokens"], "seconds": round(records[-1]["seconds"], 1),
        "machine": torch.cuda.get_device_name() if device.startswith("cuda") else "CPU", "torch": torch.__version__,
        "held_out_kl": records[-1]["held_out_kl"],
        "held_out_loss": {name: sparse_losses(lm, texts, indexes) for name, texts in held_out.items()},
    }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return result
