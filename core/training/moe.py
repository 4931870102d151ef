"""Small mixtures of experts beside a dense network of equal active size: `python -m core.training moe --data DATA --out OUT`.

Four networks are trained on the same rows: the dense one, and one each with no balancing, with the balancing
loss, and with DeepSeek's bias. Minutes each on one GPU.
"""

import json
import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.moe import MoEConfig, active_parameters, balanced_bias, balancing_loss, load, route, routers, routings, with_experts
from core.training import evaluate, saving
from core.training.batches import plan_rows
from core.training.loop import Recipe, learning_rate, make_optimizer, token_nll, write_csv
from core.training.recipes import PASSES

CONFIG = DecoderConfig(n_layers=4, d_model=128, n_heads=4, n_kv_heads=4, d_ff=384, head_dim=32, dropout=0.1)  # the dense one
EXPERTS = MoEConfig(n_experts=8, top_k=2, d_expert=192)  # two experts are as wide as the dense layer
TINY = replace(CONFIG, n_layers=2, d_model=32, n_heads=2, n_kv_heads=2, d_ff=64, head_dim=16), MoEConfig(4, 2, 32)  # to try the recipe out
KINDS = ("dense", "none", "loss", "bias")


@dataclass(frozen=True)
class Balance:
    """How the load is kept even."""

    loss_weight: float = 0.01  # of the balancing loss, in "loss"
    bias_step: float = 0.001  # of the bias after each training step, in "bias"


RECIPE = Recipe(batch_rows=32, learning_rate=3e-3, warmup_steps=100, evaluate_every=500)


def make_network(kind: str, config: DecoderConfig = CONFIG, experts: MoEConfig = EXPERTS, seed: int = 0) -> Decoder:
    """An untrained network: normal weights of 0.02, smaller where they write into the residual stream. ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; there are: {', '.join(KINDS)}")
    torch.manual_seed(seed)
    network = Decoder(config) if kind == "dense" else with_experts(config, experts)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            writes = name.endswith(("attn.o.weight", "down.weight"))
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.n_layers) if writes else 0.02)
    return network


def train(
    network: Decoder, kind: str, rows, n_steps: int, recipe: Recipe = RECIPE, balance: Balance = Balance(), log: Path | None = None,
    held_out=None,
) -> list[dict]:  # fmt: skip
    """Train in place; return the log, with the largest and smallest share of the tokens that an expert of each layer got."""
    device, layers = network.embed.weight.device, routers(network)
    torch.manual_seed(recipe.seed)  # dropout
    optimizer = make_optimizer(network, recipe, fused=device.type == "cuda")
    scores: list[Tensor] = []
    hooks = [layer.router.register_forward_hook(lambda module, inputs, output: scores.append(output)) for layer in layers]
    records, start = [], time.perf_counter()
    network.train()
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, n_steps, recipe)
        inputs, targets, _ = rows.batch(step, recipe.batch_rows)
        scores.clear()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(inputs)
        nll = token_nll(logits, targets).mean()
        routings = [route(s, layer.moe.top_k, layer.bias) for s, layer in zip(scores, layers)]
        uneven = torch.stack([balancing_loss(r) for r in routings]).mean() if routings else torch.zeros(())
        (nll + balance.loss_weight * uneven if kind == "loss" else nll).backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        shares = [load(r.experts, layer.moe.n_experts) for r, layer in zip(routings, layers)]
        if kind == "bias":
            for layer, share in zip(layers, shares):
                layer.bias.copy_(balanced_bias(layer.bias, share, balance.bias_step))
        last = step == n_steps - 1
        if step % recipe.log_every == 0 or last:
            record = {
                "kind": kind, "step": step, "tokens": (step + 1) * inputs.numel(), "loss": float(nll.detach()),
                "balancing_loss": float(uneven.detach()), "learning_rate": optimizer.param_groups[0]["lr"],
                "gradient_norm": float(norm), "seconds": time.perf_counter() - start,
            }  # fmt: skip
            for i, share in enumerate(shares):
                record |= {f"layer_{i}_most": float(share.max()), f"layer_{i}_least": float(share.min())}
            if held_out and (step % recipe.evaluate_every == 0 or last):
                record |= held_out(network.eval())
                network.train()
            records.append(record)
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items()), flush=True)
            if log:
                write_csv(log, records)
    for hook in hooks:
        hook.remove()
    network.eval()
    return records


def loads(network: Decoder, ids: Tensor) -> list[list[float]]:
    """Share of the tokens ids (B, T) that each expert gets, layer by layer."""
    return [load(r.experts, r.probs.shape[-1]).tolist() for r in routings(network, ids)]


def save(network: Decoder, kind: str, out: Path) -> None:
    """`saving.save` with the shape of the network and of its experts."""
    experts = None if kind == "dense" else asdict(routers(network)[0].moe)
    saving.save(network, kind, out, {"network": asdict(network.config), "experts": experts})


def run(
    data: Path, out: Path, kinds=KINDS, size: str = "small", n_steps: int = 1_500, recipe: Recipe = RECIPE, device: str | None = None
) -> dict:  # fmt: skip
    """Train the networks one after the other, save them, and evaluate the weights as they were saved."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    out.mkdir(parents=True, exist_ok=True)
    shape = (CONFIG, EXPERTS) if size == "small" else TINY
    rows = plan_rows(data, PASSES, recipe.seed, device)
    result = {
        "command": f"python -m core.training moe --data DATA --out OUT --size {size} --steps {n_steps} --batch-rows {recipe.batch_rows}",
        "recipe": asdict(recipe), "balance": asdict(Balance()), "steps": n_steps, "torch": torch.__version__,
        "machine": torch.cuda.get_device_name() if device.startswith("cuda") else "CPU", "networks": {},
    }  # fmt: skip
    for kind in kinds:
        network = make_network(kind, *shape, seed=recipe.seed).to(device)
        watched = partial(evaluate.held_out_losses, data=data, most_rows=16)
        records = train(network, kind, rows, n_steps, recipe, log=out / f"{kind}.csv", held_out=watched)
        save(network, kind, out)
        result["networks"][kind] = {
            "parameters": saving.parameters(network), "active_parameters": active_parameters(network),
            "tokens_seen": records[-1]["tokens"], "seconds": round(records[-1]["seconds"], 1),
            "held_out_nats_per_token": evaluate.held_out_losses(network, data),
            "loads": loads(network, rows.batch(n_steps, 4)[0]),
        }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result
