"""Loss beyond the longest text seen in training: `python -m core.bench long_texts --corpus DIR` writes assets/runs/long_texts.json.

Held-out documents of at least `--tokens` tokens are read once for every way of stretching the rotary positions.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import torch

from core import load_model
from core.measure.weight_drift import score
from core.models.repositioned import SCALINGS, rope_scaled
from core.training.corpora import corpus_file, read_documents

OUT = Path("assets/runs/long_texts.json")
TEXTS = {"de": "de-wikipedia", "en": "en-openstax"}  # the held-out sources with long documents
FACTORS = (2, 4)
BIN = 128  # tokens whose losses are averaged


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench long_texts", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of SOURCE.val.txt(.xz) files")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--documents", type=int, default=10, help="documents a language")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    lm = load_model(args.model)
    result = {
        "command": f"python -m core.bench long_texts --corpus DIR --model {args.model} --documents {args.documents} --tokens {args.tokens}",
        "date": date.today().isoformat(), "model": args.model, "trained": lm.config.context_length, "bin": BIN, "languages": {},
    }  # fmt: skip
    for language, source in TEXTS.items():
        pieces = long_documents(lm, args.corpus, source, args.documents, args.tokens)
        settings = [("none", 1), *((method, factor) for method in SCALINGS[1:] for factor in FACTORS)]
        rows = [measured(lm, method, factor, pieces) for method, factor in settings]
        result["languages"][language] = {"source": source, "documents": len(pieces), "tokens": args.tokens, "curves": rows}
    args.out.write_text(json.dumps(result) + "\n", "utf-8")


def long_documents(lm, corpus: Path, source: str, most: int, n_tokens: int) -> list[list[int]]:
    """The first `n_tokens` tokens of held-out documents that have so many."""
    pieces = (lm.tokenizer.encode(text)[:n_tokens] for text in read_documents(corpus_file(corpus, source, "val")))
    return [piece for piece in pieces if len(piece) == n_tokens][:most]


def measured(lm, method: str, factor: float, pieces: list[list[int]]) -> dict:
    """Mean loss over the documents, bin by bin; the first bin lacks the first token, which nothing predicts."""
    stretched = rope_scaled(lm, method, factor)
    losses = torch.stack([score(stretched, ids).nll for ids in pieces]).mean(0)  # (n_tokens - 1,)
    bins = [losses[: BIN - 1], *losses[BIN - 1 :].split(BIN)]
    row = {"method": method, "factor": factor, "nll": [round(float(b.mean()), 4) for b in bins]}
    print(json.dumps(row), flush=True)
    return row
