"""Loss along held-out texts, one entry a model: `python -m core.bench in_context --corpus DIR` writes assets/runs/in_context.json.

Models are added to the file or replaced in it: `--models NAME ...`. A model reads the languages its card names.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import torch

from core import load_model
from core.measure.in_context import bits_by_place, in_context_score, induction_scores
from core.measure.weight_drift import score
from core.training.corpora import SOURCES, corpus_file, read_documents

OUT = Path("assets/runs/in_context.json")
BIN = 128  # bytes whose bits are averaged
SKIPPED = 1_000  # bytes at the start of a document: beginnings are easier than what follows, whatever was read before
BYTES = 3_072  # read after that: within 1,024 tokens for all models here
LATE = 540  # tokens that the score needs


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench in_context", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of SOURCE.val.txt(.xz) files")
    parser.add_argument("--models", nargs="+", default=["mini"])
    parser.add_argument("--documents", type=int, default=40, help="documents a language")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    known = json.loads(args.out.read_text("utf-8"))["models"] if args.out.exists() else []
    for name in args.models:
        lm = load_model(name)
        entry = {
            "name": lm.card.get("name", name), "title": lm.card.get("title", name), "parameters": lm.card.get("parameters", 0),
            "command": f"python -m core.bench in_context --corpus DIR --models {name} --documents {args.documents}",
            "date": date.today().isoformat(), "strongest_induction": round(float(induction_scores(lm).max()), 4), "languages": {},
        }  # fmt: skip
        for language in ("de", "en"):
            if language in lm.card.get("languages", ["de", "en"]):
                entry["languages"][language] = measured(lm, held_out(args.corpus, language, args.documents))
        known = [one for one in known if one["name"] != entry["name"]] + [entry]
        args.out.write_text(json.dumps({"bin": BIN, "models": known}) + "\n", "utf-8")
        print(json.dumps({key: value for key, value in entry.items() if key != "languages"}), flush=True)


def held_out(corpus: Path, language: str, most: int) -> list[str]:
    """A piece from the middle of held-out documents that are long enough, sources taking turns; it begins and ends with whole words."""
    files = [corpus_file(corpus, source, "val") for source in SOURCES if source.startswith(language)]
    by_source = [[piece for document in read_documents(file) if (piece := middle(document))] for file in files if file]
    turns = [pieces[i] for i in range(most) for pieces in by_source if i < len(pieces)]
    return turns[:most]


def middle(document: str) -> str:
    """Rather more than BYTES bytes after the first SKIPPED; empty where the document has fewer."""
    piece = document.encode()[SKIPPED : SKIPPED + BYTES + 200].decode("utf-8", "ignore")
    return piece.partition(" ")[2].rpartition(" ")[0] if len(piece.encode()) >= BYTES + 150 else ""


def measured(lm, texts: list[str]) -> dict:
    """Bits per byte by place; the mean score over the texts that are long enough for it, and that mean's standard error."""
    bits, n_bytes, scores = torch.zeros(BYTES // BIN), torch.zeros(BYTES // BIN), []
    for text in texts:
        ids = lm.tokenizer.encode(text)
        nll = score(lm, ids).nll
        some = bits_by_place(nll, [len(lm.tokenizer.token_bytes(i)) for i in ids], BIN)
        for total, part in zip((bits, n_bytes), some):
            total[: len(part)] += part[: len(total)]
        if len(nll) >= LATE:
            scores.append(in_context_score(nll))
    mean = sum(scores) / len(scores)
    return {
        "documents": len(texts), "bits_per_byte": [round(x, 4) for x in (bits / n_bytes).tolist()],
        "score": round(mean, 4), "score_error": round(float(torch.tensor(scores).std()) / len(scores) ** 0.5, 4), "scored": len(scores),
    }  # fmt: skip
