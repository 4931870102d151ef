"""A text read by a network whose heads share keys and values: its loss, what the cache then holds, where the last token looks."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.kv_cache import Cache
from core.measure.perplexity import token_nll
from core.models.decoder import Decoder
from core.models.head_pooling import pooling
from core.models.language_model import LanguageModel, as_batch


@dataclass(frozen=True)
class SharedReading:
    """Read off one pass over T tokens. A layer's cache keeps, for each token and each of n_kv heads, two vectors."""

    n_heads: int  # that ask
    n_kv: int  # that are asked
    widths: tuple[int, int]  # of the two vectors: key and value, or latent vector and rotary key
    n_layers: int
    bytes_held: int  # by the cache, for all tokens and layers, in 32-bit numbers
    nll: Tensor  # (T-1,) nats
    probs: Tensor  # (V,) of the token after the text
    weights: np.ndarray  # (n_kv, T) attention of the last token in one layer, mean over the heads that share

    @property
    def loss(self) -> float:
        return float(self.nll.mean())

    @property
    def numbers(self) -> int:
        """That one more token adds to the cache, over all layers."""
        return self.n_layers * self.n_kv * sum(self.widths)


@torch.inference_mode()
def read_shared(lm: LanguageModel, ids, layer: int, n_kv_heads: int | None = None) -> SharedReading:
    """Read `ids` (T,), T >= 2, and keep the last token's attention in `layer`.

    With `n_kv_heads` the key and value heads are pooled first (`core.models.head_pooling`); of the equal heads of a group
    the cache then needs one, and `bytes_held` counts one.
    """
    ids, patterns = as_batch(ids, lm.config.vocab_size), []
    cache = Cache(lm.config, capacity=ids.shape[1])
    pool = pooling(n_kv_heads) if n_kv_heads else lambda name, value: value

    def tap(name: str, value: Tensor) -> Tensor:
        if name == f"blocks.{layer}.attn.hook_pattern":
            patterns.append(value[0, :, -1])  # (H, T)
        return pool(name, value)

    logits = lm.forward(ids, cache, tap)[0].float()  # (T, V)
    k, v = cache.read(layer)
    n_kv = n_kv_heads or k.shape[1]
    weights = patterns[0].view(n_kv, -1, ids.shape[1]).mean(1)
    return SharedReading(
        lm.config.n_heads, n_kv, (k.shape[-1], v.shape[-1]), lm.config.n_layers, cache.bytes_held * n_kv // k.shape[1],
        token_nll(logits[:-1], ids[0, 1:]), logits[-1].softmax(-1), weights.numpy(),
    )  # fmt: skip


@torch.inference_mode()
def absorbed_and_expanded(network: Decoder, ids) -> tuple[Tensor, Tensor]:
    """Scores (V,) of the token after `ids` (T,) from a network with latent attention, the last step computed in either way.

    The way is set on the network, which must be nobody else's.
    """
    ids, found = as_batch(ids, network.config.vocab_size), []
    for absorb in (True, False):
        for block in network.blocks:
            block.attn.absorb = absorb
        cache = Cache(network.config, capacity=ids.shape[1])
        network(ids[:, :-1], cache=cache, last_only=True)
        found.append(network(ids[:, -1:], cache=cache)[0, -1])
    return found[0], found[1]
