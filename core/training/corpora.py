"""From text files to rows of token ids on disk."""

import lzma
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from core.checkpoints.folder import load_tokenizer
from core.tokenizers import END_OF_TEXT
from core.training import curriculum

SOURCES = ("de-klexikon", "de-wikipedia", "de-novels", "en-openstax", "en-onestop", "en-novels")
ROW = 1_024 + 1  # tokens of a curriculum row: inputs and, one further, targets
PARTS = 15  # files of the curriculum, each with a seed of its own, so that the text depends on no number of workers


def read_documents(file: Path) -> list[str]:
    """Documents of one corpus file (.txt or .txt.xz), which are separated by lines `<|endoftext|>`."""
    open_text = lzma.open if file.suffix == ".xz" else open
    with open_text(file, "rt", encoding="utf-8") as text:
        documents = text.read().split(END_OF_TEXT)
    return [d.strip("\n") for d in documents if d.strip()]


def corpus_file(folder: Path, source: str, split: str) -> Path | None:
    """Where a source's text lies, packed or not; None if it is not there (some have no held-out part)."""
    files = [folder / f"{source}.{split}.txt{end}" for end in ("", ".xz")]
    return next((f for f in files if f.exists()), None)


def paragraphs(folder: Path, n: int, seed: int = 0) -> dict[str, list[str]]:
    """About `n` short paragraphs of each language's training text, to put between a name and its return."""
    rng = random.Random(seed)
    found: dict[str, list[str]] = {"de": [], "en": []}
    for source in SOURCES:
        file = corpus_file(folder, source, "train")
        if file is None or source == "en-onestop":
            continue
        pieces = [p.strip() for d in read_documents(file) for p in d.split("\n") if 80 <= len(p.strip()) <= 900]
        found[source[:2]] += rng.sample(pieces, min(n // 3, len(pieces)))
    return found


def encode_source(corpus: Path, source: str, split: str, tokenizer_folder: Path, out: Path) -> int:
    """Write one source as a stream of ids (uint16), every document ended by end-of-text; return its length."""
    file = corpus_file(corpus, source, split)
    if file is None:
        return 0
    tokenizer = load_tokenizer(tokenizer_folder)
    ids: list[int] = []
    for document in read_documents(file):
        ids += tokenizer.encode(document) + [tokenizer.eot]
    np.save(out / f"{source}.{split}.npy", np.array(ids, dtype=np.uint16))
    return len(ids)


def pack_rows(documents: Iterator[str], tokenizer, n_rows: int, row: int = ROW) -> np.ndarray:
    """(n_rows, row) ids: every row starts with the beginning of a document; the last document is cut."""
    rows = np.empty((n_rows, row), dtype=np.uint16)
    for i in range(n_rows):
        ids: list[int] = []
        while len(ids) < row:
            ids += tokenizer.encode(next(documents)) + [tokenizer.eot]
        rows[i] = ids[:row]
    return rows


def encode_curriculum(part: int, n_rows: int, filler: dict[str, list[str]], tokenizer_folder: Path, out: Path) -> int:
    """Write one part of the curriculum as packed rows."""
    curriculum.use_filler(filler)
    rows = pack_rows(curriculum.documents(seed=1_000 + part), load_tokenizer(tokenizer_folder), n_rows)
    np.save(out / f"curriculum.{part:02}.npy", rows)
    return rows.size


def encode_all(corpus: Path, tokenizer_folder: Path, out: Path, curriculum_tokens: int, workers: int) -> dict[str, int]:
    """Encode all sources and the curriculum in parallel; return tokens by name.

    The files are the same for any number of workers; those of an earlier run are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.npy"):
        old.unlink()
    filler = paragraphs(corpus, 12_000)
    rows = curriculum_tokens // ROW
    with ProcessPoolExecutor(workers) as pool:
        jobs = {
            f"{source}.{split}": pool.submit(encode_source, corpus, source, split, tokenizer_folder, out)
            for source in SOURCES
            for split in ("train", "val")
        }
        for part in range(PARTS):
            jobs[f"curriculum.{part:02}"] = pool.submit(encode_curriculum, part, -(-rows // PARTS), filler, tokenizer_folder, out)
        return {name: job.result() for name, job in jobs.items()}
