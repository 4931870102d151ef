"""The pair of encoders for drawn pictures and their captions: `python -m core.training shapes --out DIR`.

Twelve hundred steps of 256 pairs, drawn anew each time: some minutes on one processor core.
"""

import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from core.multimodal.captions import LANGUAGES, any_caption, caption, vocabulary
from core.multimodal.contrastive import contrastive_loss, similarity
from core.multimodal.encoders import Pair, PairConfig
from core.multimodal.pair import ShapesPair
from core.multimodal.scenes import draw, held_out, scenes
from core.training.loop import write_csv


@dataclass(frozen=True)
class ShapesRecipe:
    steps: int = 1200
    pairs: int = 256  # a step; every other pair of the batch is a wrong one
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    most_scale: float = 100.0  # CLIP's upper bound of 1 / temperature
    seed: int = 0


def train(recipe: ShapesRecipe, config: PairConfig, log: Path | None = None, device: str = "cpu") -> tuple[ShapesPair, list[dict]]:
    """Train on scenes that are not held out; return the pair and the log, one dict every 50 steps."""
    torch.manual_seed(recipe.seed)
    rng, numbers = random.Random(recipe.seed), np.random.default_rng(recipe.seed)
    network = Pair(config).to(device)
    pair = ShapesPair(network, vocabulary(), {})
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, recipe.steps, pct_start=min(0.5, recipe.warmup_steps / recipe.steps)
    )
    seen = [scene for scene in scenes() if not held_out(scene)]
    records, start = [], time.perf_counter()
    for step in range(recipe.steps):
        shown = rng.sample(seen, recipe.pairs)  # no scene twice in a batch, so that no other pair is right by accident
        pictures = network.embed_pictures(torch.from_numpy(draw(shown, numbers)).to(device))
        captions = network.embed_captions(_ids(pair, [any_caption(scene, rng) for scene in shown]).to(device))
        loss = contrastive_loss(pictures, captions, network.log_scale.exp())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            network.log_scale.clamp_(max=float(np.log(recipe.most_scale)))
        if step % 50 == 0 or step == recipe.steps - 1:
            right = (similarity(pictures, captions).argmax(1) == torch.arange(recipe.pairs, device=device)).float().mean()
            record = {"step": step, "pairs": (step + 1) * recipe.pairs, "loss": float(loss.detach()), "batch_top1": float(right),
                      "temperature": network.temperature, "learning_rate": optimizer.param_groups[0]["lr"],
                      "seconds": time.perf_counter() - start}  # fmt: skip
            records.append(record)
            print("  ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)
            if log:
                write_csv(log, records)
    return ShapesPair(network.cpu().eval(), pair.words, {}), records


def evaluate(pair: ShapesPair, seed: int = 1, pictures_each: int = 4) -> dict:
    """How often a picture finds its caption among the captions of all 648 scenes, and a caption its picture.

    The pictures are new ones of scenes that training never saw, `pictures_each` of each.
    """
    everything = list(scenes())
    asked = [i for i, scene in enumerate(everything) if held_out(scene)]
    rng = np.random.default_rng(seed)
    result = {"scenes": len(everything), "held_out_scenes": len(asked), "pictures": len(asked) * pictures_each}
    pictures = pair.embed_pictures(np.concatenate([draw([everything[i] for i in asked], rng) for _ in range(pictures_each)]))
    gallery = pair.embed_pictures(draw(everything, rng))
    for language in LANGUAGES:
        captions = pair.embed_captions([caption(scene, language) for scene in everything])
        found = similarity(pictures, captions).argmax(1).view(pictures_each, -1)
        result[f"picture_finds_caption_{language}"] = float((found == torch.tensor(asked)).float().mean())
        back = similarity(captions[asked], gallery).argmax(1)
        result[f"caption_finds_picture_{language}"] = float((back == torch.tensor(asked)).float().mean())
    result["temperature"] = pair.network.temperature
    return result


def save(pair: ShapesPair, out: Path) -> None:
    """Weights in fp16 and the config with the words."""
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.half().contiguous() for name, weight in pair.network.state_dict().items()}, out / "model.safetensors")
    stored = {"network": asdict(pair.network.config), "words": list(pair.words)}
    (out / "config.json").write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")


def run(out: Path, steps: int | None = None, seed: int = 0, device: str | None = None) -> dict:
    """Train, save, and evaluate the weights as they were saved."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    recipe = ShapesRecipe(steps=steps or ShapesRecipe.steps, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    pair, records = train(recipe, PairConfig(n_words=len(vocabulary()) + 1), out / "training.csv", device)
    save(pair, out)
    for weight in pair.network.state_dict().values():
        weight.copy_(weight.half().float())
    result = {
        "command": f"python -m core.training shapes --out OUT --steps {recipe.steps} --seed {seed}",
        "recipe": asdict(recipe), "config": asdict(pair.network.config), "parameters": sum(p.numel() for p in pair.network.parameters()),
        "seconds": round(records[-1]["seconds"], 1), "machine": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__, **evaluate(pair),
    }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


def _ids(pair: ShapesPair, texts: list[str]) -> torch.Tensor:
    ids = torch.zeros(len(texts), pair.network.config.most_words, dtype=torch.long)
    for row, text in enumerate(texts):
        found, unknown = pair.read(text)
        assert not unknown, unknown
        ids[row, : len(found)] = torch.tensor(found)
    return ids
