"""All attention heads on one text: their maps, small pictures of them, and what is missing without some."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.kv_cache import Cache
from core.models.attention import attention_pattern, attention_scores, causal_mask
from core.models.language_model import LanguageModel
from core.models.trace import trace

_KEPT = ("hook_rot_q", "hook_rot_k", "hook_v")


@dataclass(frozen=True)
class HeadsReading:
    """What all heads made of a text: queries, keys and values; the maps follow from them and are far larger."""

    activations: dict[str, Tensor]  # blocks.i.attn.hook_rot_q (T, H, D), hook_rot_k and hook_v (T, Hkv, D)
    logits: Tensor  # (V,) of the token after the text
    n_layers: int

    @property
    def nbytes(self) -> int:
        """Bytes of what it holds."""
        return self.logits.nbytes + sum(value.nbytes for value in self.activations.values())

    def patterns(self, layer: int) -> Tensor:
        """The maps of a layer's heads (H, T, T): row = the token that looks, column = the token it looks at."""
        q, k = (self.activations[f"blocks.{layer}.attn.{name}"].transpose(0, 1)[None] for name in _KEPT[:2])  # (1, H, T, D)
        return attention_pattern(attention_scores(q, k, causal_mask(q.shape[2], k.shape[2])))[0]


def read_heads(lm: LanguageModel, ids, known: HeadsReading | None = None, same: int = 0) -> HeadsReading:
    """Read `ids` (T,) once and keep every head's queries and keys, turned to their positions, and values.

    No token sees a later one: where a text that is `known` begins with the same `same` tokens, only what follows them is read.
    """
    same = min(same, len(ids) - 1)  # the last token is always read: it says what comes next
    old = {name: value[:same] for name, value in known.activations.items()} if same > 0 else {}
    cache = _filled(lm, old, room=len(ids)) if old else None
    new = trace(lm, ids[same:], keep=lambda name: name.endswith(_KEPT), last_only=True, cache=cache)
    logits = new.pop("logits")[-1]
    return HeadsReading({name: torch.cat([old[name], value]) if old else value for name, value in new.items()}, logits, lm.config.n_layers)


def _filled(lm: LanguageModel, activations: dict[str, Tensor], room: int) -> Cache:
    """A cache that holds the keys and values of a reading's tokens, with room for `room` in all."""
    cache = Cache(lm.config, capacity=room)
    for layer in range(lm.config.n_layers):
        k, v = (activations[f"blocks.{layer}.attn.{name}"].transpose(0, 1)[None] for name in _KEPT[1:])
        cache.append(k.to(lm.network.dtype), v.to(lm.network.dtype), layer)
    return cache


def logits_without(lm: LanguageModel, ids, heads: Iterable[tuple[int, int]]) -> Tensor:
    """Scores (V,) of the token after `ids` when each (layer, head) of `heads` brings back nothing (zero)."""
    return trace(lm, ids, ablate=heads, keep=lambda name: False, last_only=True)["logits"][-1]


def other_heads(lm: LanguageModel, heads: Iterable[tuple[int, int]], seed: int = 0) -> list[tuple[int, int]]:
    """As many heads as `heads` holds, drawn from all the others: what switching off just any would do."""
    taken = set(heads)
    others = [(layer, head) for layer in range(lm.config.n_layers) for head in range(lm.config.n_heads) if (layer, head) not in taken]
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed)).tolist()
    return sorted(others[i] for i in order[: len(taken)])


def keys_to_show(weights: Tensor, query: int, most: int = 7, later: int = 1) -> list[int]:
    """Positions worth a line, in the text's order: the largest weights (T,), the first token, itself, `later` masked ones."""
    shown = {0, query}
    for key in weights[: query + 1].argsort(descending=True).tolist():
        if len(shown) >= most:
            break
        shown.add(key)
    return sorted(shown | set(range(query + 1, min(query + 1 + later, len(weights)))))


def small_maps(patterns: Tensor, size: int = 40) -> np.ndarray:
    """Maps (H, T, T) as pictures (H, s, s), uint8, s <= size; in a long text neighbours share a pixel, the largest weight counts.

    The shade is the square root of the weight, so that small ones can be seen.
    """
    H, T, _ = patterns.shape
    step = math.ceil(T / size)
    side = math.ceil(T / step)
    room = side * step - T
    pooled = F.max_pool2d(F.pad(patterns, (0, room, 0, room)), step)
    return (pooled.sqrt() * 255).round().to(torch.uint8).numpy()
