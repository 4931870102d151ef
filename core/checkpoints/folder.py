"""A model folder: config.json, model.safetensors, tokenizer.tiktoken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from core.checkpoints.errors import DamagedCheckpoint
from core.checkpoints.llama import from_llama_config, weight_names
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.outline import WithoutStartValues, outline
from core.tokenizers import Tokenizer, load_ranks


def load_folder(folder: Path, card: dict | None = None) -> LanguageModel:
    """Read the model in `folder`, computing in float32 whatever the file stores.

    Raises DamagedCheckpoint when a file is missing, truncated, or holds other weights than the config says.
    """
    config = load_config(folder / "config.json")
    tokenizer = load_tokenizer(folder)
    if tokenizer.n_vocab != config.vocab_size:
        raise DamagedCheckpoint(_shown(folder / "tokenizer.tiktoken"), f"holds {tokenizer.n_vocab} tokens, not {config.vocab_size}")
    network = load_weights(folder / "model.safetensors", config)
    return LanguageModel(folder.name, network, tokenizer, card or {})


def load_config(file: Path) -> DecoderConfig:
    """The model's shape; raises DamagedCheckpoint."""
    try:
        return from_llama_config(json.loads(_read(file)))
    except (KeyError, ValueError) as error:
        raise DamagedCheckpoint(_shown(file), "is damaged") from error


def load_json(file: Path):
    """What a JSON file of a model folder holds; raises DamagedCheckpoint."""
    try:
        return json.loads(_read(file))
    except ValueError as error:
        raise DamagedCheckpoint(_shown(file), "is damaged") from error


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of the model in `folder`; raises DamagedCheckpoint."""
    file = folder / "tokenizer.tiktoken"
    _read(file)
    try:
        return Tokenizer.from_ranks(folder.name, load_ranks(file))
    except ValueError as error:
        raise DamagedCheckpoint(_shown(file), "is damaged") from error


def load_weights(file: Path, config: DecoderConfig) -> Decoder:
    """A decoder with the weights of a safetensors file, copied tensor by tensor to keep the memory peak low."""
    network = outline(config)
    if config.tied_embeddings:
        network.unembed.weight = network.embed.weight
    parameters = dict(network.named_parameters())
    _existing(file)
    try:
        with safe_open(file, framework="pt") as stored:
            for theirs, ours in weight_names(config).items():
                parameters[ours].data.copy_(stored.get_tensor(theirs))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DamagedCheckpoint(_shown(file), "is damaged or incomplete") from error
    return network


@contextmanager
def opened(folder: Path, kind: str = "") -> Iterator[tuple[dict, dict[str, Tensor]]]:
    """config.json and the weights of a folder, in float32, for networks of any kind: `with opened(folder) as (stored, weights):`.

    Of several networks in one folder, `kind` says which: <kind>.json and <kind>.safetensors, as core.training.saving writes them.
    What the body builds gets no start values: all weights come from the file.
    Raises DamagedCheckpoint, also where the body finds that something is missing or does not fit.
    """
    file = _existing(folder / f"{kind or 'model'}.safetensors")
    try:
        stored, weights = json.loads((folder / f"{kind or 'config'}.json").read_text("utf-8")), load_file(file)
        with WithoutStartValues():
            yield stored, {name: w.float() for name, w in weights.items()}
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpoint(_shown(file), "is damaged or incomplete") from error


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise DamagedCheckpoint(_shown(file), "is missing")
    return file


def _read(file: Path) -> str:
    try:
        return _existing(file).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedCheckpoint(_shown(file), "is damaged") from error


def _shown(file: Path) -> str:
    """The path as seen from the project's root, where it lies inside it."""
    root = Path(__file__).resolve().parents[2]
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
