"""Folders in the layout of the Hugging Face hub: config.json, safetensors in one or several files, tokenizer.json."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from core.checkpoints.cache import is_plain
from core.checkpoints.chat import chat_card
from core.checkpoints.errors import DamagedCheckpoint, UnsupportedCheckpoint
from core.checkpoints.families import config_of, weights_of
from core.checkpoints.stored import Checkpoint, Stored
from core.checkpoints.vocabulary import PATTERNS, FileTokenizer, build_tokenizer

_LARGEST_JSON = 64 << 20
_FLOATS = ("F64", "F32", "F16", "BF16")
INDEX = "model.safetensors.index.json"


def open_huggingface(folder: Path, name: str | None = None) -> Checkpoint:
    """Open such a folder; raises UnsupportedCheckpoint and DamagedCheckpoint. Never reads pickles."""
    raw = read_json(folder / "config.json")
    config = config_of(raw)
    weights = weights_of(raw["model_type"], _tensors(folder), config)
    tokenizer = read_tokenizer(folder / "tokenizer.json", config.vocab_size, _first(raw.get("eos_token_id")))
    return Checkpoint(name or folder.name, folder, config, tokenizer, weights, chat_card(_chat_template(folder)))


def read_json(file: Path) -> dict:
    """A JSON object of at most 64 MiB; raises DamagedCheckpoint."""
    try:
        if file.stat().st_size > _LARGEST_JSON:
            raise DamagedCheckpoint(str(file), f"is larger than {_LARGEST_JSON >> 20} MiB", "downloading it")
        raw = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DamagedCheckpoint(str(file), "is missing", "downloading it") from error
    except (ValueError, RecursionError) as error:
        raise DamagedCheckpoint(str(file), "is damaged", "downloading it") from error
    if not isinstance(raw, dict):
        raise DamagedCheckpoint(str(file), "is damaged", "downloading it")
    return raw


def read_tokenizer(file: Path, n_vocab: int, eot: int | None = None) -> FileTokenizer:
    """The tokenizer of a tokenizer.json with byte-level BPE and one of the known ways to cut text."""
    raw = read_json(file)
    try:
        model = raw["model"]
        if model.get("type") != "BPE" or model.get("byte_fallback"):
            raise UnsupportedCheckpoint(f"a {model.get('type')} vocabulary{' with byte fallback' if model.get('byte_fallback') else ''}")
        normalizer = (raw.get("normalizer") or {}).get("type")
        if normalizer not in (None, "NFC"):
            raise UnsupportedCheckpoint(f"text normalisation {normalizer!r}")
        special = {token["content"]: token["id"] for token in raw.get("added_tokens") or ()}
        pattern = PATTERNS[_way_to_cut(raw.get("pre_tokenizer") or {})]
        return build_tokenizer(file.parent.name, model["vocab"], model["merges"], special, pattern, n_vocab, eot, normalizer == "NFC")
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedCheckpoint(str(file), f"is damaged ({type(error).__name__})", "downloading it") from error


def _way_to_cut(pre: dict) -> str:
    """Which of PATTERNS a pre_tokenizer is."""
    steps = pre["pretokenizers"] if pre.get("type") == "Sequence" else [pre]
    *before, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise UnsupportedCheckpoint(f"a pre-tokenizer that ends with {last.get('type')}")
    if not before and last.get("use_regex", True):
        return "gpt2"
    if len(before) == 1 and before[0].get("type") == "Digits" and before[0].get("individual_digits") and last.get("use_regex", True):
        return "smollm"
    if len(before) == 1 and before[0].get("type") == "Split" and not last.get("use_regex", True):
        plain = before[0].get("behavior") == "Isolated" and not before[0].get("invert")
        for name in ("qwen2", "llama3"):
            if plain and before[0]["pattern"].get("Regex") == PATTERNS[name]:
                return name
    kinds = ", ".join(str(step.get("type")) for step in steps)
    raise UnsupportedCheckpoint(f"a pre-tokenizer of {kinds}, unlike those of the known families")


def _tensors(folder: Path) -> dict[str, Stored]:
    """All tensors of the folder's safetensors files; the index may only name files beside it."""
    if (folder / "model.safetensors").is_file():
        return _file_tensors(folder / "model.safetensors")
    if not (folder / INDEX).is_file():
        if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
            raise UnsupportedCheckpoint("a folder with pickled weights (.bin, .pt) and no safetensors")
        raise DamagedCheckpoint(str(folder / "model.safetensors"), "is missing", "downloading it")
    listed = read_json(folder / INDEX).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) and is_plain(name) for name in listed.values()):
        raise DamagedCheckpoint(str(folder / INDEX), "names files outside its folder", "downloading it")
    tensors = {}
    for name in sorted(set(listed.values())):
        tensors |= _file_tensors(folder / name)
    lost = sorted(listed.keys() - tensors.keys())
    if lost:
        raise DamagedCheckpoint(str(folder), f"lacks {lost[0]}", "downloading it")
    return tensors


def _file_tensors(file: Path) -> dict[str, Stored]:
    """The tensors of one file; safetensors compares its header with the file's size before anything is believed."""
    if not file.is_file():
        raise DamagedCheckpoint(str(file), "is missing", "downloading it")
    try:
        opened = safe_open(file, framework="pt")
        tensors = {}
        for name in opened.keys():
            piece = opened.get_slice(name)
            if piece.get_dtype() not in _FLOATS and not name.endswith(".bias"):
                raise UnsupportedCheckpoint(f"weight format {piece.get_dtype()} (of {name})")
            shape = tuple(piece.get_shape())
            if not shape:
                raise UnsupportedCheckpoint(f"weight {name!r}, a single number")
            tensors[name] = Stored(shape, lambda start, stop, piece=piece: piece[start:stop])
        return tensors
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DamagedCheckpoint(str(file), "is damaged or incomplete", "downloading it") from error


def _chat_template(folder: Path) -> str | None:
    if (folder / "chat_template.jinja").is_file() and (folder / "chat_template.jinja").stat().st_size < 1 << 20:
        return (folder / "chat_template.jinja").read_text("utf-8", "replace")
    if (folder / "tokenizer_config.json").is_file():
        return read_json(folder / "tokenizer_config.json").get("chat_template")
    return None


def _first(ids) -> int | None:
    """The end-of-text token where a config names one, or the first of several."""
    return ids[0] if isinstance(ids, list) and ids else ids if isinstance(ids, int) else None
