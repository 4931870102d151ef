"""python -m core.bench fidelity --corpus DIR: do the fast modes stay true? Written to assets/runs/fidelity.json.

DIR holds held-out texts NAME.val.txt.xz, documents separated by a line <|endoftext|>; which were used is recorded.
Each model reads the beginnings of documents of the languages it knows.
"""

import argparse
import json
import lzma
from dataclasses import asdict
from datetime import date
from pathlib import Path

import torch

from core import load_model
from core.bench._machine import processor
from core.measure.fidelity import LEAST_AGREEMENT, MOST_LOST, RECORD, exact_scores, fidelity
from core.quantization import MODES, prepare

MODELS = {"mini": ("de-", "en-"), "smollm2-135m": ("en-",)}  # and what the names of their texts begin with


def documents(file: Path, lm, n_tokens: int, length: int = 256) -> list[list[int]]:
    """Beginnings of the documents in a file, `length` tokens each, together at least n_tokens if the file has them."""
    found = []
    for document in lzma.decompress(file.read_bytes()).decode("utf-8").split("<|endoftext|>"):
        ids = lm.tokenizer.encode(document.strip()[: 8 * length])[:length]
        if len(ids) == length:
            found.append(ids)
        if len(found) * length >= n_tokens:
            break
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench fidelity", description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder with NAME.val.txt.xz")
    parser.add_argument("--tokens", type=int, default=2_048, help="of every file")
    parser.add_argument("--models", default=",".join(MODELS))
    chosen = parser.parse_args(arguments)
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.is_file() else {"models": {}}
    record |= {"command": f"python -m core.bench fidelity --corpus DIR --tokens {chosen.tokens}", "date": date.today().isoformat()}
    record |= {"gate": {"most_lost": MOST_LOST, "least_agreement": LEAST_AGREEMENT}, "torch": torch.__version__, "machine": processor()}
    for name in chosen.models.split(","):
        lm = load_model(name)
        files = [f for f in sorted(chosen.corpus.glob("*.val.txt.xz")) if f.name.startswith(MODELS.get(name, ("en-",)))]
        texts = [ids for file in files for ids in documents(file, lm, chosen.tokens)]
        exact = exact_scores(lm, texts)
        record["models"][name] = {}
        for mode in MODES[1:]:
            found = fidelity(exact, prepare(lm, mode), texts)
            record["models"][name][mode] = {**asdict(found), "true": found.true, "texts": [f.name.split(".")[0] for f in files]}
            verdict = "true" if found.true else "NOT true"
            print(f"{name:14} {mode:6} {found.lost:+.4f} nats, top-1 {found.top1:.2%} of {found.n_tokens}: {verdict}", flush=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record["models"]))
