"""Four networks of equal size that differ in what their heads share: `python -m core.training attention_variants --data DATA --out OUT`.

mha: every head has keys and values of its own; gqa: three heads share them; mqa: all six do; mla: they are made of one latent
vector a token. The feed-forward layers are made as wide as it takes for all four to have the same number of parameters.
Minutes each on one GPU; a network that is finished is not trained again.
"""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from core.checkpoints.variants import KINDS, load
from core.measure.decode_cost import cache_bytes_per_token, seconds_per_token
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.latent_attention import LatentConfig, with_latent_attention
from core.training import evaluate
from core.training.batches import plan_rows
from core.training.loop import Recipe, train
from core.training.recipes import PASSES
from core.training.saving import parameters, save

CONFIG = DecoderConfig(n_layers=4, d_model=192, n_heads=6, n_kv_heads=6, d_ff=480, head_dim=32, dropout=0.1)  # mha
LATENT = LatentConfig(latent=128, rope_dim=16)  # 4 and a half times head_dim, as DeepSeek has it
TINY = replace(CONFIG, n_layers=2, d_model=48, d_ff=96, head_dim=16), LatentConfig(latent=64, rope_dim=8)  # to try the recipe out
GROUP = 3  # heads that share keys and values in gqa
RECIPE = Recipe(batch_rows=32, learning_rate=3e-3, warmup_steps=100, evaluate_every=500)
SPEED_AT = 1_000  # tokens in the cache when the speed of writing is measured


def make_network(kind: str, config: DecoderConfig = CONFIG, latent: LatentConfig = LATENT) -> Decoder:
    """An untrained network of one of KINDS with as many parameters as "mha" has, nearly. ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; there are: {', '.join(KINDS)}")
    wanted = parameters(_build("mha", config, latent))
    each = 3 * config.d_model * config.n_layers  # parameters that one more hidden unit costs
    missing = wanted - parameters(_build(kind, config, latent))
    return _build(kind, replace(config, d_ff=config.d_ff + round(missing / each)), latent)


def _build(kind: str, config: DecoderConfig, latent: LatentConfig) -> Decoder:
    if kind == "mla":
        return with_latent_attention(config, latent)
    shared = {"mha": 1, "gqa": GROUP, "mqa": config.n_heads}[kind]
    return Decoder(replace(config, n_kv_heads=config.n_heads // shared))


def run(
    data: Path, out: Path, kinds=KINDS, size: str = "small", n_steps: int = 3_000, recipe: Recipe = RECIPE, device: str | None = None
) -> dict:  # fmt: skip
    """Train what is not there yet, save it, and evaluate the weights as they were saved; evaluation.json grows network by network."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)
    config, latent = (CONFIG, LATENT) if size == "small" else TINY
    rows, report = None, out / "evaluation.json"
    result = {
        "command": f"python -m core.training attention_variants --data DATA --out OUT --steps {n_steps} --seed {recipe.seed}",
        "recipe": asdict(recipe), "steps": n_steps, "speed_at": SPEED_AT, "torch": torch.__version__,
        "machine": torch.cuda.get_device_name() if device.startswith("cuda") else "CPU", "networks": {},
    }  # fmt: skip
    if report.exists():
        before = json.loads(report.read_text("utf-8"))
        if any(before[key] != result[key] for key in ("recipe", "steps")):
            raise ValueError(f"{out} holds networks of another recipe; choose another folder")
        result["networks"] = before["networks"]
    for kind in kinds:
        if kind in result["networks"]:
            continue
        rows = rows or plan_rows(data, PASSES, recipe.seed, device)
        network = make_network(kind, config, latent).to(device)
        watched = partial(evaluate.held_out_losses, data=data, most_rows=16)
        records = train(network, rows, n_steps, recipe, out / f"{kind}.csv", watched)
        save(network, kind, out, {"network": asdict(network.config), "latent": asdict(latent) if kind == "mla" else None})
        network = load(kind, out)  # on the processor, as a viewer has it
        result["networks"][kind] = {
            "parameters": parameters(network), "d_ff": network.config.d_ff, "tokens_seen": records[-1]["tokens"],
            "seconds": round(records[-1]["seconds"], 1), "cache_bytes_per_token": cache_bytes_per_token(network),
            "seconds_per_token": seconds_per_token(network, SPEED_AT),
            "held_out_nats_per_token": evaluate.held_out_losses(network.to(device), data),
        }  # fmt: skip
        report.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result
