"""What experts get on held-out text: `python -m core.bench experts --corpus DIR` writes assets/runs/moe_experts.json."""

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np

from core.checkpoints.experts import load_experts
from core.measure.experts import KINDS, explained, kinds_of, routes, same_as_next, typical
from core.training.corpora import SOURCES, corpus_file, read_documents

OUT = Path("assets/runs/moe_experts.json")
NETWORKS = ("none", "loss", "bias")
TOKENS = 512  # read of each document, from its start
PLACES = 16  # parts of a document for the factor "position"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench experts", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of SOURCE.val.txt(.xz) files")
    parser.add_argument("--documents", type=int, default=34, help="documents a source")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    files = {source: corpus_file(args.corpus, source, "val") for source in SOURCES}
    texts = [(source, d) for source, file in files.items() if file for d in long_enough(read_documents(file))[: args.documents]]
    result = {
        "command": f"python -m core.bench experts --corpus DIR --documents {args.documents}", "date": date.today().isoformat(),
        "documents": len(texts), "tokens": len(texts) * TOKENS, "kinds": list(KINDS), "networks": {},
    }  # fmt: skip
    for network in NETWORKS:
        result["networks"][network] = measured(load_experts(network), texts)
        print(json.dumps({network: [layer["explained"] for layer in result["networks"][network]]}), flush=True)
    args.out.write_text(json.dumps(result) + "\n", "utf-8")


def long_enough(documents: list[str]) -> list[str]:
    """Those that have TOKENS tokens for certain."""
    return [d for d in documents if len(d) > 6 * TOKENS]


def measured(lm, texts: list[tuple[str, str]]) -> list[dict]:
    """One entry a layer, of all tokens' first expert."""
    rows = [lm.tokenizer.encode(text[: 8 * TOKENS])[:TOKENS] for _, text in texts]
    ids, n = np.concatenate(rows), len(rows)
    found = [routes(lm, row) for row in rows]
    names = np.array([KINDS.index(kind) for row in rows for kind in kinds_of([lm.tokenizer.token_bytes(i) for i in row])])
    document = np.repeat(np.arange(n), TOKENS)
    source = np.repeat([SOURCES.index(source) for source, _ in texts], TOKENS)
    language = np.repeat([source.startswith("de") for source, _ in texts], TOKENS)
    position = np.tile(np.arange(TOKENS) * PLACES // TOKENS, n)
    layers = []
    for layer in range(lm.config.n_layers):
        experts = np.concatenate([r.experts[layer, :, 0].numpy() for r in found])
        same, by_chance = np.mean([same_as_next(r.experts[layer, :, 0].numpy()) for r in found], 0).tolist()
        factors = {
            "token": explained(experts, ids), "kind": explained(experts, names), "language": explained(experts, language),
            "genre": explained(experts, source, language), "document": explained(experts, document, source),
            "position": explained(experts, position),
        }  # fmt: skip
        shares = [typical(experts, ids, expert) for expert in range(found[0].probs.shape[-1])]
        layers.append({
            "explained": {name: round(share, 4) for name, share in factors.items()},
            "loads": [round(x, 4) for x in np.mean([r.loads[layer].numpy() for r in found], 0).tolist()],
            "kinds": [[int(((experts == e) & (names == k)).sum()) for k in range(len(KINDS))] for e in range(len(shares))],
            "same_as_next": round(same, 4), "by_chance": round(by_chance, 4),  # each in its own document: languages differ
            "typical": [[[lm.tokenizer.label(i), round(share, 3)] for i, share in one] for one in shares],
        })  # fmt: skip
    return layers
