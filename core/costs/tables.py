"""Models and machines by name."""

import tomllib
from functools import cache
from pathlib import Path

from core.costs.specs import Gpu, ModelSpec

_HERE = Path(__file__).parent


@cache
def models() -> dict[str, ModelSpec]:
    """Name -> shape, each with its source (models.toml)."""
    return {name: ModelSpec(name, **row) for name, row in _rows("models.toml")}


@cache
def gpus() -> dict[str, Gpu]:
    """Name -> machine, each with its source (gpus.toml)."""
    return {name: Gpu(name, **row) for name, row in _rows("gpus.toml")}


def _rows(file: str):
    return tomllib.loads((_HERE / file).read_text("utf-8")).items()
