"""Three shapes on the curriculum's sentence pairs: `python -m core.training encoder_decoder --out OUT`.

    encoder     fills a gap from both sides, in both languages
    decoder     goes on with a sentence, in both languages
    translator  encoder and decoder: German to English and back

Same sentences, words, steps and optimizer, parameters within 5 %. Minutes each on one GPU. One sentence in ten is never trained on.
"""

import json
import random
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.seq2seq import Seq2Seq, Seq2SeqConfig, translate
from core.training.loop import Recipe, learning_rate, make_optimizer, write_csv
from core.training.saving import parameters, save
from core.translation.words import END, GAP, PAD, START, TO_DE, TO_EN, Words, pairs, vocabulary

CONFIG = Seq2SeqConfig(dropout=0.1)
# Layers of encoder and decoder, and the width that makes up for the cross-attention one has and the others lack.
KINDS = {
    "encoder": {"n_encoder_layers": 6, "n_decoder_layers": 0, "d_ff": 512},
    "decoder": {"n_encoder_layers": 0, "n_decoder_layers": 6, "d_ff": 512},
    "translator": {"n_encoder_layers": 3, "n_decoder_layers": 3, "d_ff": 384},
}
RECIPE = Recipe(batch_rows=256, learning_rate=1e-3, warmup_steps=200, weight_decay=0.01, log_every=50)


@dataclass(frozen=True)
class Batch:
    """Rows of words, filled up with PAD; what is to be predicted is PAD where nothing is asked."""

    source: Tensor  # (B, S)
    target: Tensor | None  # (B, T) what the decoder has written so far
    asked: Tensor  # (B, S) of the encoder alone, else (B, T)

    @property
    def seen(self) -> Tensor:
        """Where the source has a word."""
        return self.source != PAD


def make_network(kind: str, words: Words, seed: int = 0, config: Seq2SeqConfig = CONFIG) -> Seq2Seq:
    """An untrained network of one of KINDS; ValueError for another."""
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; there are: {', '.join(KINDS)}")
    torch.manual_seed(seed)
    network = Seq2Seq(replace(config, n_words=len(words), **KINDS[kind]))
    nn.init.normal_(network.embed.weight, std=config.d_model**-0.5)
    return network


def make_batch(kind: str, words: Words, sentences: list[tuple[str, str]], rng: random.Random) -> Batch:
    """What one kind of network is asked about some sentence pairs."""
    sources, targets, asked = [], [], []
    for de, en in sentences:
        a, b, to = rng.choice(((de, en, TO_EN), (en, de, TO_DE)))
        a, b = words.encode(a), words.encode(b)
        if kind == "encoder":
            gaps = rng.sample(range(len(a)), rng.randint(1, 2))
            sources.append([GAP if i in gaps else word for i, word in enumerate(a)])
            asked.append([word if i in gaps else PAD for i, word in enumerate(a)])
        else:
            written = a if kind == "decoder" else b
            sources.append([to, *a])
            targets.append([START, *written])
            asked.append([*written, END])
    return Batch(_filled(sources), _filled(targets) if targets else None, _filled(asked))


def loss_of(network: Seq2Seq, batch: Batch) -> Tensor:
    """Mean -ln p (nats) of the words asked for."""
    if batch.target is None:
        logits = network.fill(batch.source, batch.seen)
    elif network.encoder:
        logits = network(batch.source, batch.seen, batch.target)
    else:
        logits = network.decode(batch.target)
    return F.cross_entropy(logits.float().flatten(0, 1), batch.asked.flatten(), ignore_index=PAD)


def train(network: Seq2Seq, kind: str, words: Words, n_steps: int, recipe: Recipe = RECIPE, log: Path | None = None) -> list[dict]:
    """Train in place on sentences drawn anew for every step; return the log."""
    device = network.embed.weight.device
    rng, records, start = random.Random(recipe.seed), [], time.perf_counter()
    torch.manual_seed(recipe.seed)  # dropout
    optimizer = make_optimizer(network, recipe, fused=device.type == "cuda")
    network.train()
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, n_steps, recipe)
        batch = make_batch(kind, words, pairs(rng, recipe.batch_rows), rng)
        target = None if batch.target is None else batch.target.to(device)
        loss = loss_of(network, Batch(batch.source.to(device), target, batch.asked.to(device)))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % recipe.log_every == 0 or step == n_steps - 1:
            record = {"kind": kind, "step": step, "sentences": (step + 1) * recipe.batch_rows, "loss": float(loss.detach()),
                      "gradient_norm": float(norm), "seconds": time.perf_counter() - start}  # fmt: skip
            records.append(record)
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items()), flush=True)
            if log:
                write_csv(log, records)
    network.eval()
    return records


def evaluate(network: Seq2Seq, kind: str, words: Words, n: int = 500, seed: int = 1) -> dict:
    """On held-out sentences: mean loss, and for the translator the share of whole sentences that are exactly right, each way."""
    rng = random.Random(seed)
    sentences = pairs(rng, n, kept_out=True)
    with torch.inference_mode():
        result = {"sentences": n, "loss": float(loss_of(network, make_batch(kind, words, sentences, rng)))}
    if kind == "translator":
        for name, to in (("de_to_en", TO_EN), ("en_to_de", TO_DE)):
            asked = [pair if to == TO_EN else pair[::-1] for pair in sentences]
            written = [words.decode(translate(network, [to, *words.encode(a)], START, END)[0]) for a, _ in asked]
            result[name] = sum(text == b for text, (_, b) in zip(written, asked)) / n
    return result


def run(
    out: Path, kinds=tuple(KINDS), n_steps: int = 4_000, recipe: Recipe = RECIPE, device: str | None = None, n_held_out: int = 500
) -> dict:  # fmt: skip
    """Train the kinds one after the other, save them (fp16), and evaluate them as saved."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)
    words = vocabulary()
    result = {"command": "python -m core.training " + " ".join(sys.argv[1:]), "recipe": asdict(recipe), "steps": n_steps, "networks": {}}
    for kind in kinds:
        network = make_network(kind, words, recipe.seed).to(device)
        records = train(network, kind, words, n_steps, recipe, out / f"{kind}.csv")
        save(network.cpu(), kind, out, {**asdict(network.config), "dropout": 0.0})
        result["networks"][kind] = evaluate(network, kind, words, n_held_out) | {
            "parameters": parameters(network), "seconds": round(records[-1]["seconds"], 1),
        }  # fmt: skip
    (out / "words.json").write_text(json.dumps(words.words, ensure_ascii=False) + "\n", "utf-8")
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


def _filled(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
