"""Calibration of a model on held-out text: `python -m core.bench calibration --corpus DIR` writes assets/runs/calibration.json.

Half of the documents find the temperature with the least surprise; everything recorded is measured on the other half.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import torch

from core import load_model
from core.measure.calibration import at_temperature, reliability, right
from core.training.corpora import SOURCES, corpus_file, read_documents

OUT = Path("assets/runs/calibration.json")
TEMPERATURES = [round(0.5 + 0.05 * step, 2) for step in range(31)]  # 0.5 to 2
N_BINS = 10
PIECE = 256  # tokens read from a document; the first of them has nothing before it


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench calibration", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of SOURCE.val.txt(.xz) files")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--documents", type=int, default=24, help="documents a source")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    lm = load_model(args.model)
    result = {
        "command": f"python -m core.bench calibration --corpus DIR --model {args.model} --documents {args.documents}",
        "date": date.today().isoformat(), "model": args.model, "temperatures": TEMPERATURES, "bins": N_BINS, "languages": {},
    }  # fmt: skip
    for language in ("de", "en"):
        pieces = held_out(lm, args.corpus, language, args.documents)
        result["languages"][language] = measured(lm, pieces[0::2], pieces[1::2])
        print(language, {k: v for k, v in result["languages"][language].items() if isinstance(v, (int, float, str))})
    args.out.write_text(json.dumps(result) + "\n", "utf-8")


def held_out(lm, corpus: Path, language: str, n_documents: int) -> list[list[int]]:
    """The first tokens of documents of every held-out source of a language, sources taking turns."""
    files = [corpus_file(corpus, source, "val") for source in SOURCES if source.startswith(language)]
    by_source = [read_documents(file)[:n_documents] for file in files if file]
    texts = [documents[i] for i in range(n_documents) for documents in by_source if i < len(documents)]
    pieces = [lm.tokenizer.encode(text)[:PIECE] for text in texts]
    return [piece for piece in pieces if len(piece) > 1]


def measured(lm, fit: list[list[int]], held: list[list[int]]) -> dict:
    """The best temperature on `fit`, and reliability, error and surprise at every temperature on `held`."""
    fitted = sum(torch.stack([at_temperature(*pair, t)[1].sum() for t in TEMPERATURES]) for pair in each(lm, fit))
    confidence, nll, correct = [], [], []
    for logits, targets in each(lm, held):
        both = [at_temperature(logits, targets, t) for t in TEMPERATURES]
        confidence.append(torch.stack([sure for sure, _ in both]))
        nll.append(torch.stack([surprise for _, surprise in both]))
        correct.append(right(logits, targets))
    confidence, nll, correct = torch.cat(confidence, 1), torch.cat(nll, 1), torch.cat(correct)
    found = [reliability(row, correct, N_BINS) for row in confidence]
    return {
        "fit_tokens": sum(len(piece) - 1 for piece in fit), "tokens": len(correct), "accuracy": round(float(correct.double().mean()), 4),
        "best_temperature": TEMPERATURES[int(fitted.argmin())],
        "error": [round(one.error, 5) for one in found], "nll": [round(float(row.double().mean()), 4) for row in nll],
        "count": [one.count.long().tolist() for one in found],
        "confidence": [[round(x, 4) for x in one.confidence.tolist()] for one in found],
        "right": [[round(x, 4) for x in one.accuracy.tolist()] for one in found],
    }  # fmt: skip


def each(lm, pieces: list[list[int]]):
    """Logits (n, V) before every token but the first, and those tokens (n,), piece by piece."""
    for piece in pieces:
        yield lm.logits(piece)[:-1], torch.tensor(piece[1:])
