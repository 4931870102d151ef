"""`python -m core.bench NAME [options]`: every module of this folder with a `main(arguments)` is a measurement."""

import importlib
import pkgutil
import sys
from pathlib import Path


def names() -> list[str]:
    """The measurements there are."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_"))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in names():
        sys.exit(f"python -m core.bench NAME [--help]; NAME is one of: {', '.join(names())}")
    importlib.import_module(f"core.bench.{sys.argv[1]}").main(sys.argv[2:])
