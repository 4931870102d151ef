"""A small draft model for speculative decoding, distilled from `mini`: `python -m core.training draft --data DATA --out OUT`.

mini reads some text once; for every token its likeliest continuations, and a few drawn from all others, are kept
as targets. The draft then learns these in several passes. Half an hour on one processor core.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.checkpoints.folder import load_folder, load_weights
from core.decoding import generate
from core.measure.drift import top1_agreement, total_variation
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.quantization.packed import prepare
from core.training.batches import choose_rows, passes_over
from core.training.evaluate import SAMPLES, held_out_rows
from core.training.loop import Recipe, initialise, make_optimizer, write_csv
from core.training.recipes import save

CONFIG = DecoderConfig(n_layers=3, d_model=96, n_heads=3, n_kv_heads=3, d_ff=256, head_dim=32)
RECIPE = Recipe(batch_rows=2, learning_rate=3e-3, warmup_steps=100, decay_share=0.7, weight_decay=0.01, evaluate_every=800)


@dataclass(frozen=True)
class Distillation:
    """What mini is asked; the text is `n_rows` rows of `row` tokens."""

    n_rows: int = 1_024
    row: int = 512
    curriculum_share: float = 0.5
    passes: int = 5  # how often the draft sees every row
    likeliest: int = 12  # targets a token that carry mini's probability for them
    drawn: int = 4  # targets a token that share what is left, drawn from it
    negatives: int = 1_536  # tokens a batch that stand for all others in the softmax


def soft_targets(logits: Tensor, likeliest: int, drawn: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ids and weights (T, likeliest + drawn) that stand for softmax(logits (T, V)); the weights of a row sum to 1.

    The likeliest carry their probability. The rest is shared evenly by tokens drawn from it, so that the
    expected cross-entropy against these targets is the one against the whole distribution.
    """
    probs = logits.float().softmax(-1)
    top = probs.topk(likeliest, dim=-1)
    tail = probs.scatter(-1, top.indices, 0.0).clamp(min=1e-12)
    others = torch.multinomial(tail, drawn, replacement=True, generator=generator)
    left = (1 - top.values.sum(-1, keepdim=True)).clamp(min=0.0)  # (T, 1)
    return torch.cat((top.indices, others), -1), torch.cat((top.values, left.expand(-1, drawn) / drawn), -1)


def candidate_loss(
    hidden: Tensor, embedding: Tensor, ids: Tensor, weights: Tensor, negatives: int, generator: torch.Generator
) -> Tensor:  # fmt: skip
    """Cross-entropy (T,) of targets ids, weights (T, n) under softmax(hidden (T, C) · embedding (V, C)ᵀ), nats.

    Only the targets of the whole batch and `negatives` drawn from the other tokens get a score; each of
    these stands for several, so the logarithm of how many is added to it (sampled softmax, arXiv 1412.2007).
    """
    V = len(embedding)
    targets, place = ids.unique(return_inverse=True)
    others = torch.ones(V, dtype=torch.bool, device=ids.device).index_fill_(0, targets, False).nonzero()[:, 0]
    picked = others[torch.randperm(len(others), generator=generator)[:negatives].to(ids.device)]
    logits = hidden @ embedding[torch.cat((targets, picked))].T  # (T, S)
    if len(picked):
        logits[:, len(targets) :] += float(np.log(len(others) / len(picked)))
    return logits.logsumexp(-1) - (weights * logits.gather(-1, place)).sum(-1)


def ask(teacher: LanguageModel, rows: Tensor, chosen: Distillation, seed: int, kept: Path) -> tuple[Tensor, Tensor]:
    """mini's targets of every row: ids and weights (n, row, targets). Written to `kept`; found there, they are read."""
    asked = json.dumps([asdict(chosen) | {"passes": None, "negatives": None}, seed])
    if kept.exists():
        stored = np.load(kept)
        if str(stored["asked"]) == asked:
            return torch.from_numpy(stored["ids"].astype(np.int64)), torch.from_numpy(stored["weights"])
    generator, start = torch.Generator().manual_seed(seed), time.perf_counter()
    shape = (*rows.shape, chosen.likeliest + chosen.drawn)
    ids, weights = np.empty(shape, dtype=np.uint16), np.empty(shape, dtype=np.float16)
    device = next(iter(teacher.network.parameters())).device
    for i, row in enumerate(rows):
        logits = teacher.forward(row[None].to(device))[0].cpu()
        found = soft_targets(logits, chosen.likeliest, chosen.drawn, generator)
        ids[i], weights[i] = found[0].numpy(), found[1].numpy()
        if i % 100 == 0:
            print(f"mini has read {i + 1} of {len(rows)} rows, {time.perf_counter() - start:.0f} s", flush=True)
    np.savez(kept, asked=asked, ids=ids, weights=weights)
    return torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(weights)


def start_from(network: Decoder, teacher: Decoder) -> None:
    """Give the draft the strongest directions of mini's embedding: what tokens have in common need not be learned anew."""
    strongest = teacher.embed.weight.float() * teacher.ln_final.weight.float()  # as mini's last norm scales what it is compared with
    directions = torch.linalg.svd(strongest, full_matrices=False).Vh[: network.config.d_model]  # (C, mini's C)
    network.embed.weight.data.copy_(strongest @ directions.T)


def train(
    network: Decoder, rows: Tensor, ids: Tensor, weights: Tensor, chosen: Distillation, recipe: Recipe,
    log: Path | None = None, evaluate: Callable[[Decoder], dict] | None = None,
) -> list[dict]:  # fmt: skip
    """Train `network` in place on rows (n, T) and their targets (n, T, targets); return the log."""
    generator, device = torch.Generator().manual_seed(recipe.seed), network.embed.weight.device
    optimizer = make_optimizer(network, recipe, fused=True)
    head, network.unembed = network.unembed, nn.Identity()  # the network now ends with what would be compared with the embedding
    records, start = [], time.perf_counter()
    network.train()
    for step, batch, last in passes_over(len(rows), chosen.passes, recipe, optimizer, generator):
        hidden = network(rows[batch].to(device)).flatten(0, 1)  # (T, C)
        targets = ids[batch].flatten(0, 1).to(device), weights[batch].flatten(0, 1).float().to(device)
        loss = candidate_loss(hidden, network.embed.weight, *targets, chosen.negatives, generator).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % recipe.log_every == 0 or last:
            record = {
                "step": step, "tokens": (step + 1) * recipe.batch_rows * rows.shape[1], "loss": loss.item(),
                "learning_rate": optimizer.param_groups[0]["lr"], "gradient_norm": float(norm), "seconds": time.perf_counter() - start,
            }  # fmt: skip
            if evaluate and (step % recipe.evaluate_every == 0 or last):
                network.unembed = head
                record |= evaluate(network.eval())
                network.train().unembed = nn.Identity()
            records.append(record)
            print("  ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)
            if log:
                write_csv(log, records)
    network.unembed = head
    network.eval()
    return records


@torch.no_grad()
def agreement(teacher: Decoder, network: Decoder, rows: Tensor) -> dict[str, float]:
    """On rows (n, T): how often a token drawn from the draft would pass at temperature 1, and at temperature 0."""
    accepted, same = [], []
    for row in rows:
        p, q = (net(row[None].to(net.embed.weight.device))[0].float().cpu() for net in (teacher, network))  # (T, V)
        accepted.append(float((1 - total_variation(p, q)).mean()))
        same.append(top1_agreement(p, q))
    return {"accepted": float(np.mean(accepted)), "same_likeliest": float(np.mean(same))}


def run(
    data: Path, mini: Path, out: Path, chosen: Distillation = Distillation(), recipe: Recipe = RECIPE, device: str | None = None
) -> dict:  # fmt: skip
    """Ask mini, train, save, and evaluate the weights as they were saved, on held-out text and on text mini writes itself."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)
    exact = load_folder(mini)
    teacher = prepare(exact, "bf16") if device == "cpu" else exact
    teacher.network.to(device)
    rows = choose_rows(data, chosen.n_rows, chosen.row, chosen.curriculum_share, recipe.seed)
    ids, weights = ask(teacher, rows, chosen, recipe.seed, data / "draft_targets.npz")
    network = Decoder(CONFIG)
    initialise(network, recipe.seed)
    start_from(network, exact.network)
    network.to(device)
    few = held_out_rows(data, 1, chosen.row)
    watched = torch.cat(list(few.values()))
    records = train(network, rows, ids, weights, chosen, recipe, out / "training.csv", lambda n: agreement(teacher.network, n, watched))
    save(network, out, exact.tokenizer.eot)
    network = load_weights(out / "model.safetensors", CONFIG).eval().requires_grad_(False)
    exact.network.cpu()
    result = {
        "command": f"python -m core.training draft --data DATA --out OUT --rows {chosen.n_rows} --seed {recipe.seed}",
        "recipe": asdict(recipe), "distillation": asdict(chosen), "config": asdict(CONFIG),
        "parameters": sum(p.numel() for p in network.parameters()), "steps": records[-1]["step"] + 1,
        "tokens_seen": records[-1]["tokens"], "seconds": round(records[-1]["seconds"], 1),
        "machine": torch.cuda.get_device_name() if device.startswith("cuda") else "CPU, one thread", "torch": torch.__version__,
        "held_out": {name: agreement(exact.network, network, r) for name, r in held_out_rows(data, 6, chosen.row).items()},
        "own_text": own_text(exact, network),
    }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return result


def own_text(lm: LanguageModel, network: Decoder, n_tokens: int = 96) -> dict[str, dict[str, float]]:
    """Agreement on what mini itself writes, at temperature 1 and 0, after the beginnings of core/training/evaluate.py."""
    found = {}
    for temperature in (0.0, 1.0):
        scores = []
        for prompt in (p for prompts in SAMPLES.values() for p in prompts):
            ids = lm.tokenizer.encode(prompt)
            text = ids + [s.token for s in generate(lm, ids, n_tokens, temperature=temperature, seed=1)]
            p, q = (net(torch.tensor([text[:-1]]))[0, len(ids) - 1 :].float() for net in (lm.network, network))
            scores.append((float((1 - total_variation(p, q)).mean()), top1_agreement(p, q)))
        accepted, same = np.mean(scores, axis=0)
        found[f"temperature {temperature:g}"] = {"accepted": float(accepted), "same_likeliest": float(same)}
    return found
