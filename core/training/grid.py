"""The grid behind the scaling laws: `python -m core.training grid --corpus DIR --data DIR --out FILE.jsonl`.

Every size is trained on every amount of text: the same text in the same order, cut by the same tokenizer, with the
learning rate falling to 0 at the end of each run. A finished run is one line in FILE; runs that stand there are not done
again, so the recipe may be stopped and started at will. `--part 0 4` does every fourth run, for several processes on one
GPU; their files are put together with `cat`.
"""

import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.scaling.counting import counted
from core.scaling.runs import CURVE, GridRun, append_run, read_runs
from core.training.corpora import SOURCES, encode_source
from core.training.loop import Recipe, token_nll, train

VOCABULARY = 2_048  # the first merges of the bundled encoding: a small table, so that small models are not all table
CONTEXT = 256
BATCH_ROWS = 64  # 16,384 tokens a step, at most
LEAST_STEPS = 900  # a run on little text takes smaller batches instead of fewer steps
TOKENS = tuple(4_000_000 * 2**k for k in range(6))  # 4 to 128 million
HELD_OUT_ROWS = 160  # of each source
RECORDS = 60  # rows of a loss curve, about


def shape(d_model: int, n_layers: int) -> DecoderConfig:
    """A decoder of the grid: heads of 32, feed-forward 8/3 as wide as the stream."""
    heads, d_ff = d_model // 32, 8 * round(d_model / 3)
    return DecoderConfig(
        n_layers=n_layers, d_model=d_model, n_heads=heads, n_kv_heads=heads, head_dim=32, d_ff=d_ff,
        vocab_size=VOCABULARY, context_length=CONTEXT,
    )  # fmt: skip


SIZES = {
    "0.1M": shape(32, 2), "0.3M": shape(64, 3), "0.6M": shape(96, 4), "1.9M": shape(160, 5),
    "4M": shape(224, 6), "11M": shape(320, 8), "23M": shape(448, 9),
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """The training text on one device with the starts of its rows in the order they are seen, and the held-out rows."""

    tokens: Tensor  # (n,) int32
    starts: Tensor  # (m,) int64
    held_out: Tensor  # (k, CONTEXT + 1)

    def batch(self, step: int, size: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs and targets (size, CONTEXT) of one step; the third says that none is of a curriculum (see loop.train)."""
        mine = self.starts[step * size + rank : (step + 1) * size : world]
        rows = self.tokens[mine[:, None] + torch.arange(CONTEXT + 1, device=mine.device)].long()
        return rows[:, :-1], rows[:, 1:], torch.zeros(len(rows), dtype=torch.bool, device=mine.device)


def learning_rate_of(config: DecoderConfig) -> float:
    """The highest learning rate of a size: narrower models bear more."""
    return 4e-3 * (64 / config.d_model) ** 0.5


def rows_a_step(tokens: int) -> int:
    """Rows of a batch: BATCH_ROWS, halved until a run over `tokens` takes LEAST_STEPS steps."""
    rows = BATCH_ROWS
    while rows > 1 and tokens < LEAST_STEPS * rows * CONTEXT:
        rows //= 2
    return rows


def prepare(corpus: Path, tokenizer_folder: Path, data: Path, workers: int = 2) -> None:
    """Cut the encoding to its first VOCABULARY tokens and encode all sources with it; what is there already is kept."""
    data.mkdir(parents=True, exist_ok=True)
    lines = (tokenizer_folder / "tokenizer.tiktoken").read_bytes().splitlines(keepends=True)
    (data / "tokenizer.tiktoken").write_bytes(b"".join(lines[: VOCABULARY - 1]))  # ranks in order, end-of-text comes last
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(encode_source, corpus, source, split, data, data)
            for source in SOURCES
            for split in ("train", "val")
            if not (data / f"{source}.{split}.npy").exists()
        ]
        for job in jobs:
            job.result()


def load_text(data: Path, most_tokens: int, device: str, seed: int = 0) -> Text:
    """Everything that `prepare` wrote; rows for `most_tokens`, each pass cut at new places and in a new order."""
    rng, length = np.random.default_rng(seed), CONTEXT + 1
    parts = [np.load(file) for source in SOURCES if (file := data / f"{source}.train.npy").exists()]
    tokens = np.concatenate(parts)
    starts, rows = [], 0
    while rows * CONTEXT < most_tokens:
        cut = np.arange(rng.integers(0, CONTEXT), len(tokens) - length + 1, CONTEXT)
        starts.append(rng.permutation(cut))
        rows += len(cut)
    held_out = []
    for source in SOURCES:
        if (file := data / f"{source}.val.npy").exists():
            ids = np.load(file)
            places = np.linspace(0, len(ids) - length, min(HELD_OUT_ROWS, len(ids) // length)).astype(int)
            held_out += [ids[place : place + length] for place in places]
    made = (tokens.astype(np.int32), np.concatenate(starts), np.stack(held_out).astype(np.int64))
    return Text(*(torch.from_numpy(part).to(device) for part in made))


@torch.no_grad()
def held_out_loss(network: torch.nn.Module, rows: Tensor) -> float:
    """Mean loss on rows (k, T + 1), nats a token."""
    losses = []
    for part in rows.split(64):
        with torch.autocast(part.device.type, torch.bfloat16, enabled=part.device.type == "cuda"):
            logits = network(part[:, :-1])
        losses.append(token_nll(logits, part[:, 1:]).mean(1))
    return float(torch.cat(losses).mean())


def train_one(size: str, tokens: int, text: Text, batch_rows: int | None = None, seed: int = 0) -> GridRun:
    """One run of the grid from start to end."""
    config, device, batch_rows = SIZES[size], text.tokens.device, batch_rows or rows_a_step(tokens)
    n_steps = max(1, round(tokens / (batch_rows * CONTEXT)))
    every = max(1, n_steps // RECORDS)
    recipe = Recipe(
        batch_rows=batch_rows, learning_rate=learning_rate_of(config), warmup_steps=min(100, max(1, n_steps // 10)),
        seed=seed, log_every=every, evaluate_every=3 * every,
    )  # fmt: skip
    network, start = Decoder(config).to(device), time.perf_counter()
    records = train(network, text, n_steps, recipe, evaluate=lambda n: {"held_out": held_out_loss(n, text.held_out)})
    seen = n_steps * batch_rows * CONTEXT
    found = counted(config, seen)
    return GridRun(
        size=size, parameters=found.parameters, outside_embedding=found.outside_embedding, tokens=seen,
        passes=seen / len(text.tokens), flops=found.flops, estimate=found.estimate, held_out=records[-1]["held_out"],
        learning_rate=recipe.learning_rate, seconds=round(time.perf_counter() - start, 1),
        machine=torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        curve=tuple(tuple(_short(record.get(name)) for name in CURVE) for record in records),
    )  # fmt: skip


def run(
    corpus: Path, tokenizer_folder: Path, data: Path, out: Path, sizes: Sequence[str] = tuple(SIZES), tokens: Sequence[int] = TOKENS,
    part: tuple[int, int] = (0, 1), minutes: float = float("inf"), batch_rows: int | None = None,
    device: str | None = None, workers: int = 2,
) -> list[GridRun]:  # fmt: skip
    """All runs that `out` does not hold yet, the dearest first; none is begun after `minutes`. Returns those done now."""
    begun, done = time.perf_counter(), []
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    prepare(corpus, tokenizer_folder, data, workers)
    wanted = sorted(((size, n) for size in sizes for n in tokens), key=lambda one: -counted(SIZES[one[0]], one[1]).flops)
    held = {(one.size, one.tokens) for one in read_runs(out)}
    text = load_text(data, max(tokens) + (batch_rows or BATCH_ROWS) * CONTEXT, device)
    for size, n in wanted[part[0] :: part[1]]:
        a_step = (batch_rows or rows_a_step(n)) * CONTEXT
        rounded = max(1, round(n / a_step)) * a_step
        if (size, rounded) in held:
            continue
        if time.perf_counter() - begun > 60 * minutes:
            break
        if device.startswith("cuda"):
            torch.compiler.reset()  # each shape is compiled anew; PyTorch keeps only a few
        done.append(train_one(size, n, text, batch_rows))
        append_run(out, done[-1])
    return done


def _short(value: float | None) -> float | None:
    return float(f"{value:.5g}") if isinstance(value, float) else value
