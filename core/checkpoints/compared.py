"""What the loaders of the networks share that were trained to be compared: the tokens of `mini`, and what core.training.saving wrote."""

from functools import lru_cache
from typing import TypeVar

from torch import Tensor, nn

from core.checkpoints.folder import load_tokenizer
from core.checkpoints.registry import MODELS
from core.models.config import DecoderConfig
from core.tokenizers import Tokenizer

Network = TypeVar("Network", bound=nn.Module)


@lru_cache(maxsize=1)
def shared_tokenizer() -> Tokenizer:
    """The tokenizer of `mini`, with which all of them were trained; held once. Raises DamagedCheckpoint."""
    return load_tokenizer(MODELS / "mini")


def decoder_config(stored: dict) -> DecoderConfig:
    """A shape as JSON has it."""
    return DecoderConfig(**(stored | {"rope_divisors": tuple(stored["rope_divisors"])}))


def filled(network: Network, weights: dict[str, Tensor]) -> Network:
    """`network` with the stored weights, which hold the table of tokens once, ready to read."""
    network.load_state_dict(weights | {"unembed.weight": weights["embed.weight"]})
    return network.eval().requires_grad_(False)
