"""Sparse attention: which earlier tokens each token may look at, and a model that reads so in every layer.

Masks are (T, T) bool, True where a query (row) may look at a key (column); none reaches into the future. `width` is the
same kind of number everywhere: the most tokens that one token looks at, itself included.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core.models.attention import causal_mask
from core.models.indexer import Index
from core.models.language_model import LanguageModel, as_batch

PATTERNS = ("full", "window", "local_global", "block", "dilated", "top_k")
GLOBAL = 4  # first tokens that everybody sees
GAP = 2  # of the dilated window: every second token

GIVEN = ("hook_rot_q", "hook_rot_k", "hook_resid_pre")  # activations that a rule is told

# What a layer may look at, from its number, its queries (T, H, D), its keys (T, Hkv, D) and the stream x (T, C) it reads.
Rule = Callable[[int, Tensor, Tensor, Tensor], Tensor]


def window_mask(n: int, width: int) -> Tensor:
    """The last `width` tokens (Longformer 2020, arXiv 2004.05150, section 3.1; Mistral 7B 2023, arXiv 2310.06825)."""
    return causal_mask(n, n) & (_distance(n) < width)


def local_global_mask(n: int, width: int) -> Tensor:
    """The first GLOBAL tokens, which everybody sees, and a window for the rest (arXiv 2004.05150; StreamingLLM, 2309.17453)."""
    first = min(GLOBAL, width // 2)
    return window_mask(n, width - first) | (causal_mask(n, n) & (torch.arange(n) < first))


def block_mask(n: int, width: int) -> Tensor:
    """Only tokens of one's own block of `width`; the next block knows nothing of it (the local layers of Llama 4)."""
    block = torch.arange(n) // width
    return causal_mask(n, n) & (block[:, None] == block)


def dilated_mask(n: int, width: int, gap: int = GAP) -> Tensor:
    """A window with holes: every `gap`-th token back, `width` of them (arXiv 2004.05150, section 3.1)."""
    distance = _distance(n)
    return causal_mask(n, n) & (distance % gap == 0) & (distance // gap < width)


def top_k_mask(scores: Tensor, width: int) -> Tensor:
    """The `width` keys with the highest score in each row of `scores` (T, T), among those not in the future."""
    n = len(scores)
    allowed = causal_mask(n, n)
    best = scores.masked_fill(~allowed, -torch.inf).topk(min(width, n), dim=-1).indices
    return torch.zeros(n, n, dtype=torch.bool).scatter_(1, best, True) & allowed


def rule_of(pattern: str, width: int, index: Index | None = None) -> Rule:
    """The rule of one of PATTERNS; "top_k" takes the scores of `index`. Raises ValueError for another pattern or a width below 1."""
    if pattern not in PATTERNS or width < 1 or (pattern == "top_k" and index is None):
        raise ValueError(f"need one of {', '.join(PATTERNS)}, a width >= 1 and an index for top_k, got {pattern!r}, {width}")
    if pattern == "top_k":
        return lambda layer, q, k, x: top_k_mask(index(layer, q, k, x), width)
    if pattern == "full":
        return lambda layer, q, k, x: causal_mask(len(x), len(x))
    make = {"window": window_mask, "local_global": local_global_mask, "block": block_mask, "dilated": dilated_mask}[pattern]
    return lambda layer, q, k, x: make(len(x), width)


@torch.inference_mode()
def sparse_logits(lm: LanguageModel, ids, rule: Rule, masks: list[Tensor] | None = None) -> Tensor:
    """Logits (T, V) of `ids` (T,) when every layer looks only where `rule` allows; the masks are added to `masks`.

    A score outside the mask becomes minus infinity, so its weight is 0. Later layers build on what earlier ones could see.
    """
    seen: dict[str, Tensor] = {}

    def tap(name: str, value: Tensor) -> Tensor:
        _, layer, *_, hook = name.split(".") if name.startswith("blocks.") else ("", "", name)
        if hook in GIVEN:
            seen[hook] = value[0]
        if hook != "hook_attn_scores":
            return value
        mask = rule(int(layer), *(seen[name] for name in GIVEN))
        if masks is not None:
            masks.append(mask)
        return value.masked_fill(~mask, -torch.inf)

    return lm.forward(as_batch(ids, lm.config.vocab_size)[:1], tap=tap)[0].float()


def _distance(n: int) -> Tensor:
    """How far back the key stands: (T, T), below 0 in the future."""
    position = torch.arange(n)
    return position[:, None] - position
