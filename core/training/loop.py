"""The training loop: the same on one processor, one GPU, or many processes under torchrun."""

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from core.models.decoder import Decoder


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are those of `mini`."""

    batch_rows: int = 128  # rows a step, over all processes
    learning_rate: float = 1.5e-3
    warmup_steps: int = 200
    decay_share: float = 0.5  # the last part of the run, in which the learning rate falls to 0 on a straight line
    weight_decay: float = 0.1
    clip: float = 1.0  # longest gradient, in norm
    seed: int = 0
    log_every: int = 20
    evaluate_every: int = 400


def learning_rate(step: int, n_steps: int, recipe: Recipe) -> float:
    """Straight up, constant, straight down to 0."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    left = (n_steps - step) / max(1, math.ceil(n_steps * recipe.decay_share))
    return recipe.learning_rate * min(warm, 1.0, left)


def initialise(network: Decoder, seed: int) -> None:
    """Normal weights of 0.02; what writes into the residual stream starts smaller, as there are many of them."""
    torch.manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            writes = name.endswith(("attn.o.weight", "mlp.down.weight"))
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * network.config.n_layers) if writes else 0.02)


def train(
    network: nn.Module, rows, n_steps: int, recipe: Recipe, log: Path | None = None, evaluate: Callable[[nn.Module], dict] | None = None,
    initialise: Callable[[nn.Module, int], None] = initialise,
) -> list[dict]:  # fmt: skip
    """Train `network` in place on `rows` (see batches.py); return the log, one dict every `log_every` steps.

    `initialise(network, seed)` fills the weights.

    Under torchrun each process takes its share of every batch and gradients are averaged by PyTorch's
    DistributedDataParallel; process 0 writes `log` (CSV) and evaluates.
    """
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = next(network.parameters()).device
    cuda = device.type == "cuda"
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    initialise(network, recipe.seed)
    torch.manual_seed(recipe.seed + rank)  # dropout differs between processes
    torch.set_float32_matmul_precision("high")
    optimizer = make_optimizer(network, recipe, fused=cuda)
    model, loss = (torch.compile(network), torch.compile(token_nll)) if cuda else (network, token_nll)
    if world > 1:
        model = DistributedDataParallel(model)
    network.train()
    records: list[dict] = []
    start = time.perf_counter()
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, n_steps, recipe)
        inputs, targets, is_curriculum = rows.batch(step, recipe.batch_rows, rank, world)
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
            logits = model(inputs)  # (B, T, V)
        nll = loss(logits, targets)  # (B, T)
        nll.mean().backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last = step == n_steps - 1
        if step % recipe.log_every == 0 or last:
            by_row = nll.detach().mean(-1)
            tokens = (step + 1) * recipe.batch_rows * inputs.shape[1]
            record = {
                "step": step, "tokens": tokens, "learning_rate": optimizer.param_groups[0]["lr"], "loss": average(by_row, world),
                "loss_natural": _mean(by_row[~is_curriculum]), "loss_curriculum": _mean(by_row[is_curriculum]),
                "gradient_norm": float(norm), "seconds": time.perf_counter() - start,
            }  # fmt: skip
            if evaluate and rank == 0 and (step % recipe.evaluate_every == 0 or last):
                network.eval()
                record |= evaluate(network)
                network.train()
            records.append(record)
            if rank == 0:
                print("  ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)
                if log:
                    write_csv(log, records)
    network.eval()
    if world > 1:
        dist.destroy_process_group()
    return records


def token_nll(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """-log p of every target, nats: (B, T, V), (B, T) -> (B, T)."""
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def make_optimizer(network: nn.Module, recipe: Recipe, fused: bool) -> torch.optim.AdamW:
    """AdamW; matrices decay towards zero, gains do not."""
    matrices = [p for p in network.parameters() if p.ndim == 2]
    gains = [p for p in network.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=fused)


def average(by_row: torch.Tensor, world: int) -> float:
    """Mean over the rows of all processes."""
    mean = by_row.mean()
    if world > 1:
        dist.all_reduce(mean)
        mean = mean / world
    return float(mean)


def write_csv(file: Path, records: list[dict]) -> None:
    fields = list(dict.fromkeys(k for r in records for k in r))
    with open(file, "w", newline="") as out:
        writer = csv.DictWriter(out, fields, restval="")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in r.items()} for r in records)


def _mean(values: torch.Tensor) -> float:
    return float(values.mean()) if len(values) else math.nan
