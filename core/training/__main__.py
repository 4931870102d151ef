"""Train what this repository ships: the tokenizer, then encode all text, then the bundled model."""

import argparse
import random
from pathlib import Path

TOKENIZER = Path("assets/models/mini")
CURRICULUM_TOKENS = 110_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training", description=__doc__)
    encoded, sized, repeatable = (argparse.ArgumentParser(add_help=False) for _ in range(3))  # options that several recipes share
    encoded.add_argument("--data", type=Path, required=True, help="what encode wrote")
    sized.add_argument("--size", choices=("small", "tiny"), default="small", help="tiny: to try the recipe out")
    repeatable.add_argument("--seed", type=int, default=0)
    repeatable.add_argument("--device", help="default: a GPU where there is one")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("tokenizer", help="train the bilingual byte-pair encoding")
    add.add_argument("--corpus", type=Path, required=True, help="folder of SOURCE.train.txt(.xz) files")
    add.add_argument("--out", type=Path, default=TOKENIZER / "tokenizer.tiktoken")
    add.add_argument("--tokens", type=int, default=16_384, help="size of the vocabulary, end-of-text included")
    add.add_argument("--megabytes", type=float, default=6.0, help="text taken from each source")
    add = commands.add_parser("encode", help="turn corpus and curriculum into rows of token ids")
    add.add_argument("--corpus", type=Path, required=True, help="as above; the curriculum is generated")
    add.add_argument("--data", type=Path, required=True, help="where the ids go")
    add.add_argument("--tokenizer", type=Path, default=TOKENIZER, help="folder of tokenizer.tiktoken")
    add.add_argument("--curriculum-tokens", type=int, default=CURRICULUM_TOKENS)
    add.add_argument("--workers", type=int, default=2, help="processes; the files do not depend on their number")
    add = commands.add_parser("mini", parents=[encoded, repeatable], help="train the bundled model on encoded data; also under torchrun")
    add.add_argument("--out", type=Path, required=True, help="gets weights, config, log and evaluation")
    add.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    add.add_argument("--size", choices=("mini", "9M", "3M", "1M", "tiny"), default="mini", help="tiny: to try it out")
    add.add_argument("--steps", type=int, help="default: every row once")
    add.add_argument("--batch-rows", type=int, default=128)
    add.add_argument("--learning-rate", type=float, default=1.5e-3)
    add.add_argument("--probes", type=int, help="most questions of each sort in the evaluation; default: all")
    add.add_argument("--split", action="store_true", help="also write the weights in pieces under 16 MiB")
    add = commands.add_parser("shapes", parents=[repeatable], help="train the pair of encoders for drawn pictures and their captions")
    add.add_argument("--out", type=Path, required=True, help="gets weights, config, log and evaluation")
    add.add_argument("--steps", type=int, help="default: the recipe's")
    what = "distil the draft model of speculative decoding from mini, on encoded data"
    add = commands.add_parser("draft", parents=[repeatable], help=what)
    add.add_argument("--data", type=Path, required=True, help="what encode wrote; mini's targets are kept there")
    add.add_argument("--out", type=Path, required=True, help="gets weights, config, log and evaluation")
    add.add_argument("--mini", type=Path, default=TOKENIZER, help="folder of the model it learns from")
    add.add_argument("--rows", type=int, help="rows of text; default: the recipe's")
    what = "teach the indexer of sparse attention where mini looks, on encoded data"
    add = commands.add_parser("indexer", parents=[encoded, repeatable], help=what)
    add.add_argument("--out", type=Path, required=True, help="gets weights, shape, log and evaluation")
    add.add_argument("--mini", type=Path, default=TOKENIZER, help="folder of the model it learns from")
    add.add_argument("--rows", type=int, help="rows of text; default: the recipe's")
    add = commands.add_parser("live", help="the training that a class watches, run to its end on one text")
    add.add_argument("--text", type=Path, required=True)
    add.add_argument("--out", type=Path, required=True, help="CSV, one line a step")
    add.add_argument("--steps", type=int, default=300)
    add.add_argument("--characters", type=int, help="only the first so many of the text; default: all")
    what = "train small mixtures of experts beside a dense network of equal active size"
    add = commands.add_parser("moe", parents=[encoded, sized, repeatable], help=what)
    add.add_argument("--out", type=Path, required=True, help="gets weights, shapes, logs and evaluation")
    add.add_argument("--kinds", nargs="+", default=["dense", "none", "loss", "bias"], help="how the load is balanced; dense: no experts")
    add.add_argument("--steps", type=int, default=1_500)
    add.add_argument("--batch-rows", type=int, default=32)
    what = "train a GRU and a Transformer of one size on the same text"
    add = commands.add_parser("rnn_vs_transformer", parents=[encoded, sized, repeatable], help=what)
    add.add_argument("--out", type=Path, required=True, help="gets weights, shapes, logs and evaluation")
    add.add_argument("--kinds", nargs="+", default=["transformer", "gru"])
    add.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    add.add_argument("--steps", type=int, help="default: every row once")
    add.add_argument("--batch-rows", type=int, default=64)
    add.add_argument("--probes", type=int, help="most questions of each sort in the evaluation; default: all")
    what = "train four networks of equal size whose heads share keys and values differently"
    add = commands.add_parser("attention_variants", parents=[encoded, sized, repeatable], help=what)
    add.add_argument("--out", type=Path, required=True, help="gets weights, shapes, logs and evaluation; goes on where it stopped")
    add.add_argument("--kinds", nargs="+", default=["mha", "gqa", "mqa", "mla"])
    add.add_argument("--steps", type=int, default=3_000)
    add.add_argument("--batch-rows", type=int, default=32)
    what = "train an encoder, a decoder and a translator on the curriculum's sentence pairs"
    add = commands.add_parser("encoder_decoder", parents=[repeatable], help=what)
    add.add_argument("--out", type=Path, required=True, help="gets weights, shapes, words, logs and evaluation")
    add.add_argument("--kinds", nargs="+", default=["encoder", "decoder", "translator"])
    add.add_argument("--steps", type=int, default=4_000)
    add = commands.add_parser("grid", help="the runs behind the scaling laws, every size on every amount of text; resumable")
    add.add_argument("--corpus", type=Path, required=True, help="as above")
    add.add_argument("--data", type=Path, required=True, help="where the encoded text goes, or lies")
    add.add_argument("--out", type=Path, required=True, help="JSON lines, one a finished run")
    add.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    add.add_argument("--sizes", nargs="+", help="default: all")
    add.add_argument("--tokens", nargs="+", type=int, help="default: the recipe's")
    add.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("K", "N"), help="every Nth run, from the Kth on")
    add.add_argument("--minutes", type=float, default=float("inf"), help="no run is begun after so long")
    add.add_argument("--batch-rows", type=int, help="default: 64, fewer for runs on little text")
    add.add_argument("--workers", type=int, default=2, help="processes that encode")
    add.add_argument("--device", help="default: a GPU where there is one")
    add = commands.add_parser("grid_rows", help="the small part of the grid's text that is shipped, from what `grid` encoded")
    add.add_argument("--data", type=Path, required=True, help="as above")
    add = commands.add_parser("post_training", help="train the tiny model that reckons")
    add.add_argument("--out", type=Path, required=True, help="gets weights, curves, evaluations; goes on where it stopped")
    add = commands.add_parser("join", help="put pieces of a weights file together")
    add.add_argument("pieces", type=Path, nargs="+")
    add.add_argument("--out", type=Path, default=TOKENIZER / "model.safetensors")
    args = parser.parse_args()
    does = {"tokenizer": train_tokenizer, "encode": encode, "mini": mini, "shapes": shapes}
    does |= {"post_training": post_training, "draft": draft, "moe": moe, "live": live, "grid": grid, "grid_rows": grid_rows, "join": join}
    does |= {"indexer": indexer, "rnn_vs_transformer": rnn_vs_transformer, "attention_variants": attention_variants}
    does["encoder_decoder"] = encoder_decoder
    does[args.command](args)


def train_tokenizer(args) -> None:
    from core.training import bpe, curriculum
    from core.training.corpora import SOURCES, corpus_file, read_documents

    rng = random.Random(0)
    texts, most = [], int(args.megabytes * 1e6)
    for source in SOURCES:
        documents = read_documents(corpus_file(args.corpus, source, "train"))
        rng.shuffle(documents)
        texts += _up_to(documents, most)
    texts += _up_to(curriculum.documents(seed=1), most)
    words = bpe.count_words(texts)
    kept = type(words)({w: n for w, n in words.items() if n > 1})  # words seen once decide no merge
    merges = list(bpe.train(kept, args.tokens - 257))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    bpe.save_ranks(bpe.ranks(merges), args.out)
    print(f"{len(merges)} merges; last: {merges[-1].token!r}, {merges[-1].count} times; {args.out}")


def _up_to(documents, most: int) -> list[str]:
    """The first documents that together have about `most` signs."""
    kept, length = [], 0
    for document in documents:
        kept.append(document)
        length += len(document)
        if length >= most:
            break
    return kept


def encode(args) -> None:
    from core.training.corpora import encode_all

    for name, tokens in encode_all(args.corpus, args.tokenizer, args.data, args.curriculum_tokens, args.workers).items():
        print(f"{name}: {tokens:,} tokens")


def mini(args) -> None:
    from core.training.loop import Recipe
    from core.training.recipes import mini as run
    from core.training.recipes import split_file

    recipe = Recipe(batch_rows=args.batch_rows, learning_rate=args.learning_rate, seed=args.seed)
    result = run(args.data, args.tokenizer, args.out, args.size, args.steps, recipe, args.device, args.probes)
    for name in ("held_out_nats_per_token", "facts", "names", "samples"):
        if name in result:
            print(name, result[name])
    if args.split and result:
        split_file(args.out / "model.safetensors")


def shapes(args) -> None:
    from core.training.shapes import run

    for name, value in run(args.out, args.steps, args.seed, args.device).items():
        print(name, value)


def draft(args) -> None:
    from dataclasses import replace

    from core.training.draft import RECIPE, Distillation, run

    chosen = Distillation(n_rows=args.rows or Distillation.n_rows)
    result = run(args.data, args.mini, args.out, chosen, replace(RECIPE, seed=args.seed), args.device)
    for name in ("parameters", "held_out", "own_text"):
        print(name, result[name])


def indexer(args) -> None:
    from dataclasses import replace

    from core.training.indexer import RECIPE, Lessons, run

    chosen = Lessons(n_rows=args.rows or Lessons.n_rows)
    result = run(args.data, args.mini, args.out, chosen, replace(RECIPE, seed=args.seed), args.device)
    for name in ("parameters", "held_out_kl", "held_out_loss"):
        print(name, result[name])


def live(args) -> None:
    from core.training.live import LiveRecipe, Trainer
    from core.training.loop import write_csv

    trainer = Trainer(args.text.read_text("utf-8")[: args.characters], LiveRecipe(n_steps=args.steps))
    records = [trainer.describe() | trainer.record()]
    while not trainer.finished:
        records.append(trainer.step())
        if "sample" in records[-1]:
            print(records[-1]["step"], f"{records[-1]['loss']:.3f}", repr(records[-1]["sample"]), flush=True)
    shown = ("step", "tokens", "loss", "held_out", "gradient_norm", "learning_rate", "seconds")
    write_csv(args.out, [{name: record.get(name, "") for name in shown} for record in records])


def attention_variants(args) -> None:
    from dataclasses import replace

    from core.training.attention_variants import RECIPE, run

    recipe = replace(RECIPE, batch_rows=args.batch_rows, seed=args.seed)
    result = run(args.data, args.out, args.kinds, args.size, args.steps, recipe, args.device)
    for kind, found in result["networks"].items():
        print(kind, found["parameters"], found["cache_bytes_per_token"], found["held_out_nats_per_token"])


def moe(args) -> None:
    from dataclasses import replace

    from core.training.moe import RECIPE, run

    recipe = replace(RECIPE, batch_rows=args.batch_rows, seed=args.seed)
    result = run(args.data, args.out, args.kinds, args.size, args.steps, recipe, args.device)
    for kind, found in result["networks"].items():
        print(kind, found["parameters"], found["active_parameters"], found["held_out_nats_per_token"])


def rnn_vs_transformer(args) -> None:
    from dataclasses import replace

    from core.training.architectures import RECIPE, run

    recipe = replace(RECIPE, batch_rows=args.batch_rows, seed=args.seed)
    result = run(args.data, args.tokenizer, args.out, args.size, args.steps, recipe, args.device, args.probes, args.kinds)
    for name, found in result["networks"].items():
        print(name, found["parameters"], found["held_out_nats_per_token"], found["names"])


def encoder_decoder(args) -> None:
    from dataclasses import replace

    from core.training.encoder_decoder import RECIPE, run

    result = run(args.out, args.kinds, args.steps, replace(RECIPE, seed=args.seed), args.device)
    for kind, found in result["networks"].items():
        print(kind, found)


def grid(args) -> None:
    from core.training.grid import SIZES, TOKENS, run

    sizes, tokens = args.sizes or tuple(SIZES), args.tokens or TOKENS
    done = run(
        args.corpus, args.tokenizer, args.data, args.out, sizes, tokens, tuple(args.part), args.minutes, args.batch_rows, args.device,
        args.workers,
    )  # fmt: skip
    print(f"{len(done)} runs done now, {args.out}")


def grid_rows(args) -> None:
    from core.training.grid_rows import FILE, write_rows

    print("{} rows to train on, {} to measure, {}".format(*write_rows(args.data), FILE))


def post_training(args) -> None:
    import torch

    from core.training.post_training import run
    from core.training.thinking import measure

    torch.set_num_threads(1)
    for name, value in (run(args.out) | measure(args.out)).items():
        print(name, value)


def join(args) -> None:
    from core.training.recipes import join_files

    join_files(args.pieces, args.out)


if __name__ == "__main__":
    main()
