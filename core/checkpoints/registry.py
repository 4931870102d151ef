"""The models by name."""

import tomllib
from dataclasses import replace
from pathlib import Path

from core.checkpoints.cache import cached_folder, is_cached, manifest
from core.checkpoints.errors import DamagedCheckpoint, UnknownModel, UnsupportedCheckpoint
from core.checkpoints.fetch import catalogue, download
from core.checkpoints.from_hub import REPOSITORY
from core.checkpoints.int8_file import find_int8, int8_reader, write_int8
from core.checkpoints.shelf import Shelf
from core.checkpoints.stored import Checkpoint, as_language_model, shares
from core.models.language_model import LanguageModel
from core.quantization.packed import pack

MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"
_shelf = Shelf()


def model_names() -> list[str]:
    """Names that `load_model` can load at once: the bundled models, then those of the catalogue that were downloaded."""
    return [*_bundled(), *(name for name in catalogue() if is_cached(name))]


def model_cards() -> dict[str, dict]:
    """Name -> card of every model that loads by name: title, licence, parameters, good_at, and for a picker

    `bundled`, `here` (no download needed), `bytes` (to download), `memory` (mode -> bytes it takes loaded).
    """
    cards = {}
    for name in [*_bundled(), *catalogue()]:
        bundled = name in _bundled()
        if bundled:
            card = tomllib.loads((MODELS / name / "card.toml").read_text("utf-8"))
        else:
            card = manifest(cached_folder(name))["card"] if is_cached(name) else catalogue()[name]
        parameters = card.get("parameters", 0)
        halves = bundled or 1.9 < card.get("bytes", 0) / (parameters or 1) < 2.6  # bytes a parameter
        memory = {mode: int(4 * parameters * share) for mode, share in shares(halves).items()}
        cards[name] = {**card, "bundled": bundled, "here": bundled or is_cached(name), "memory": memory}
    return cards


def load_model(name: str = "mini", mode: str = "fp32") -> LanguageModel:
    """The model called `name`: a bundled one, one of the catalogue, a folder or GGUF file, or a Hugging Face id.

    `mode` is one of `core.quantization.MODES`: fp32 is exact, the others are faster or smaller and nearly the same.
    Loaded once per process; what is not on this machine yet is downloaded first (`core.checkpoints.download` does that
    with progress). Raises UnknownModel, whose message lists the names, UnsupportedCheckpoint, DamagedCheckpoint,
    NotEnoughMemory, DownloadFailed.
    """
    return _shelf.get(name if mode == "fp32" else f"{name}@{mode}", lambda: _load(name, mode))


def memory_needed(name: str, mode: str = "fp32") -> int:
    """Bytes that a model of the list takes, loaded in `mode`; 0 where its card does not say how many parameters it has."""
    card = model_cards().get(name)
    return card["memory"][mode] if card else 0


def locate(name: str) -> Path:
    """The folder or file of a model, downloaded if need be; raises UnknownModel or DownloadFailed."""
    if name in _bundled():
        return MODELS / name
    if name in catalogue():
        return download(name)
    path = Path(name)
    if path.is_dir() or path.is_file():
        return path.resolve()
    if REPOSITORY.fullmatch(name):
        return download(name)
    names = ", ".join([*_bundled(), *catalogue()])
    raise UnknownModel(f"no model {name!r}; there are: {names}, a path to a model, or a repository id such as org/name")


def pack_model(name: str) -> Path:
    """Write the int8 weights of a downloaded model into the cache folder: `load_model(name, "int8")` then reads those.

    Returns the file. Raises UnknownModel for a model that is not downloaded, and what `open_checkpoint` raises.
    """
    if not is_cached(name):
        here = ", ".join(each for each in catalogue() if is_cached(each)) or "none"
        raise UnknownModel(f"{name!r} is no downloaded model; there are: {here}")
    return write_int8(name, open_checkpoint(name))


def _bundled() -> list[str]:
    """Language models in this repository: folders with a tokenizer."""
    return sorted(file.parent.name for file in MODELS.glob("*/tokenizer.tiktoken"))


def open_checkpoint(name: str) -> Checkpoint:
    """A model of the catalogue, a folder, a GGUF file or a repository id, opened without reading its weights."""
    from core.checkpoints.gguf import open_gguf
    from core.checkpoints.huggingface import open_huggingface

    place = locate(name)
    shown = place.stem if place.is_file() else place.name if place == Path(name).resolve() else name
    files = [place] if place.is_file() else sorted(place.glob("*.gguf"))
    if len(files) > 1:
        raise UnsupportedCheckpoint("a folder with several GGUF files (name one of them)")
    opened = open_gguf(files[0], shown) if files else open_huggingface(place, shown)
    return replace(opened, card={**opened.card, **_card(place)})


def _load(name: str, mode: str) -> LanguageModel:
    lm = _open(name, mode)
    pack(lm.network, mode)
    return lm if mode == "fp32" else replace(lm, name=f"{lm.name}-{mode}")


def _open(name: str, mode: str) -> LanguageModel:
    from core.checkpoints.folder import load_folder

    if name in _bundled() or (Path(name) / "tokenizer.tiktoken").is_file():
        place = locate(name)
        return load_folder(place, _card(place))
    opened = open_checkpoint(name)
    file = find_int8(name) if mode == "int8" else None
    return as_language_model(opened, mode, int8_reader(file, opened) if file else None)


def _card(place: Path) -> dict:
    if (place / "card.toml").exists():
        return tomllib.loads((place / "card.toml").read_text("utf-8"))
    try:
        return manifest(place)["card"]
    except DamagedCheckpoint:
        return {}
