"""python -m core.checkpoints list | download NAME | pack NAME | verify [NAME]"""

import argparse
import sys

from core.checkpoints import DamagedCheckpoint, download, model_cards, pack_model
from core.checkpoints.cache import cache_folder, cached_folder, damaged_files, manifest


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 if all is well. What went wrong is one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m core.checkpoints", description="Models: list, download, pack, verify.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every model by name, its size and licence, and whether it is here")
    fetch = commands.add_parser("download", help="fetch a model")
    fetch.add_argument("name", help="a name of the list, or org/name of the hub")
    commands.add_parser("pack", help="store the int8 weights of a downloaded model beside it").add_argument("name")
    commands.add_parser("verify", help="compare downloaded files with their SHA-256").add_argument("name", nargs="?")
    asked = parser.parse_args(argv)
    try:
        return {"list": _list, "download": _download, "pack": _pack, "verify": _verify}[asked.command](asked)
    except (ValueError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _list(_) -> int:
    for name, card in model_cards().items():
        size = "bundled" if card["bundled"] else "here" if card["here"] else f"{card['bytes'] / 1e6:,.0f} MB"
        memory, use = f"{card['memory']['fp32'] / 1e6:,.0f} MB in memory", card.get("good_at", card["title"])
        print(f"{name:14} {size:>9}  {memory:>19}  {card['licence']:12}  {use}")
    return 0


def _download(asked) -> int:
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // total if total else 0
        if percent != shown:
            shown = percent
            print(f"\r{asked.name}: {percent} % of {total / 1e6:,.0f} MB", end="", file=sys.stderr, flush=True)

    folder = download(asked.name, progress)
    print(file=sys.stderr)
    print(f"{folder} from {manifest(folder)['source']}")
    return 0


def _pack(asked) -> int:
    file = pack_model(asked.name)
    print(f"{file} with {file.stat().st_size / 1e6:,.0f} MB")
    return 0


def _verify(asked) -> int:
    models = cache_folder() / "models"
    folders = [cached_folder(asked.name)] if asked.name else sorted(models.glob("[!.]*"))
    bad = 0
    for folder in folders:
        try:
            damaged = damaged_files(folder)
            print(f"{folder.name}: {'damaged: ' + ', '.join(damaged) if damaged else 'whole'}")
        except DamagedCheckpoint as error:
            damaged = [str(error)]
            print(error, file=sys.stderr)
        bad += bool(damaged)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
