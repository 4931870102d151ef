"""Everything that is measured, one after the other: about forty minutes on an idle machine.

    python -m core.bench all [--only startup,load]

Each measurement writes its file in assets/runs, which the page Measurements shows.
"""

import argparse
import importlib

NAMES = ("startup", "interaction", "inference", "load", "memory")


def main(arguments: list[str]) -> None:
    """Run them in turn; what fails is named at the end, the others still run."""
    parser = argparse.ArgumentParser(prog="python -m core.bench all", description=__doc__.split("\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(NAMES), help=",".join(NAMES))
    options = parser.parse_args(arguments)
    unknown = set(options.only) - set(NAMES)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    failed = []
    for name in options.only:
        print(f"== {name}", flush=True)
        try:
            importlib.import_module(f"core.bench.{name}").main([])
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    if failed:
        raise SystemExit("\n".join(failed))
