"""What a trained model can do: held-out loss, facts, returning names, samples."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.decoding import generate
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.training.curriculum import Probe, stories

SAMPLES = {
    "de": ["Es war einmal", "Die Hauptstadt von Frankreich ist", "Der Himmel ist", "Ein Token ist", "Im Sommer",
           "Annas Hund heißt Bello. Annas Hund heißt"],
    "en": ["Once upon a time", "The capital of France is", "The sky is", "A token is", "In summer",
           "Anna's dog is called Bello. Anna's dog is called"],
}  # fmt: skip


@torch.no_grad()
def held_out_losses(network: Decoder, data: Path, most_rows: int | None = None, length: int = 1_024) -> dict[str, float]:
    """Nats a token on every source's held-out text, cut into windows of `length` tokens."""
    device = next(network.parameters()).device
    losses = {}
    for file in sorted(data.glob("*.val.npy")):
        ids = torch.from_numpy(np.load(file).astype(np.int64))
        rows = ids[: (len(ids) - 1) // length * length + 1]
        inputs, targets = rows[:-1].view(-1, length)[:most_rows], rows[1:].view(-1, length)[:most_rows]
        total = 0.0
        for x, y in zip(inputs.split(16), targets.split(16)):
            logits = _logits(network, x.to(device))
            total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten().to(device), reduction="sum"))
        losses[file.name.removesuffix(".val.npy")] = total / targets.numel()
    return losses


def held_out_rows(data: Path, most: int, row: int) -> dict[str, Tensor]:
    """Up to `most` rows (n, row) from the start of every held-out source that has one."""
    found = {}
    for file in sorted(data.glob("*.val.npy")):
        ids = torch.from_numpy(np.load(file).astype(np.int64))
        if n := min(most, len(ids) // row):
            found[file.name.removesuffix(".val.npy")] = ids[: n * row].view(n, row)
    return found


def bits_per_byte(losses: dict[str, float], data: Path, tokenizer) -> dict[str, float]:
    """The same losses for one byte of text instead of one token, comparable between tokenizers."""
    bits = {}
    for source, nats in losses.items():
        ids = np.load(data / f"{source}.val.npy")
        n_bytes = sum(len(tokenizer.token_bytes(i)) for i in ids if i != tokenizer.eot)
        bits[source] = nats / math.log(2) * len(ids) / n_bytes
    return bits


@torch.no_grad()
def answers_right(network: Decoder, tokenizer, probes: list[Probe], batch: int = 64) -> list[bool]:
    """Whether the likeliest continuation of each probe begins with its whole answer."""
    device = next(network.parameters()).device
    encoded = [(tokenizer.encode(p.prompt), tokenizer.encode(p.answer)) for p in probes]
    right: list[bool] = [False] * len(probes)
    order = sorted(range(len(probes)), key=lambda i: len(encoded[i][0]))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        longest = max(len(encoded[i][0]) + len(encoded[i][1]) for i in chosen)
        ids = torch.zeros(len(chosen), longest, dtype=torch.long)  # zeros behind the end change nothing before it
        for row, i in enumerate(chosen):
            text = encoded[i][0] + encoded[i][1]
            ids[row, : len(text)] = torch.tensor(text)
        best = _logits(network, ids.to(device)).argmax(-1).cpu()
        for row, i in enumerate(chosen):
            prompt, answer = encoded[i]
            right[i] = best[row, len(prompt) - 1 : len(prompt) + len(answer) - 1].tolist() == answer
    return right


@torch.no_grad()
def memory_of_names(network: torch.nn.Module, tokenizer, distances: Sequence[int], n: int = 100) -> dict[str, dict[str, dict[str, float]]]:
    """-ln p of a name that returns, language by language and distance by distance: where it was "told", and where "another" was."""
    device, found = next(network.parameters()).device, {}
    for language in ("de", "en"):
        for distance in distances:
            rng, totals = random.Random(f"{language} {distance}"), [0.0, 0.0]
            for _ in range(n):
                *prompts, answer = stories.heard_probe(rng, language, distance)
                right = tokenizer.encode(answer)
                for i, prompt in enumerate(prompts):
                    ids = torch.tensor([tokenizer.encode(prompt) + right], device=device)
                    log_probs = _logits(network, ids[:, :-1])[0, -len(right) :].log_softmax(-1)
                    totals[i] -= float(log_probs.gather(-1, ids[0, -len(right) :, None]).sum())
            found.setdefault(language, {})[str(distance)] = {"told": round(totals[0] / n, 4), "another": round(totals[1] / n, 4)}
    return found


def thinned(probes: list[Probe], most: int | None) -> list[Probe]:
    """At most `most` probes, evenly picked from the whole list; all of them without `most`."""
    if most is None or len(probes) <= most:
        return probes
    return [probes[i * len(probes) // most] for i in range(most)]


def probe_scores(network: Decoder, tokenizer, probes: list[Probe]) -> dict:
    """Share of right answers by language and by language and kind, and some of the wrong ones."""
    right = answers_right(network, tokenizer, probes)
    groups = defaultdict(list)
    for probe, ok in zip(probes, right):
        groups[probe.language].append(ok)
        groups[f"{probe.language}.{probe.kind}"].append(ok)
    wrong = [[p.prompt[-120:], p.answer] for p, ok in zip(probes, right) if not ok]
    return {
        "top1": {name: round(sum(oks) / len(oks), 4) for name, oks in sorted(groups.items())},
        "probes": {name: len(oks) for name, oks in sorted(groups.items()) if "." not in name},
        "wrong": wrong[:: max(1, len(wrong) // 60)][:60],
    }


def samples(lm: LanguageModel, n_tokens: int = 60) -> list[dict]:
    """Texts at temperature 0.7 from fixed beginnings and seeds, and the likeliest continuation beside them."""
    written = []
    for language, prompts in SAMPLES.items():
        for prompt in prompts:
            ids = lm.tokenizer.encode(prompt)
            drawn = [s.token for s in generate(lm, ids, n_tokens, temperature=0.7, seed=1)]
            likely = [s.token for s in generate(lm, ids, 12, temperature=0.0)]
            texts = {"sampled": lm.tokenizer.decode(drawn), "likeliest": lm.tokenizer.decode(likely)}
            written.append({"language": language, "prompt": prompt} | texts)
    return written


def _logits(network: Decoder, ids: Tensor) -> Tensor:
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=ids.device.type == "cuda"):
        return network(ids).float()
