"""A cache that is cut down every so many tokens, with and without sliding the survivors together."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.kv_cache.heavy_hitters import heaviest
from core.kv_cache.paged import PagedCache
from core.models.language_model import LanguageModel, as_batch


@dataclass(frozen=True)
class Reading:
    """A text read with a budget of tokens."""

    logits: Tensor  # (V,) of the token after the text
    points: list[tuple[int, int, int]] = field(default_factory=list)  # tokens read, tokens held, blocks held; two at every cut
    moved: int = 0  # tokens that were slid to another slot
    freed: int = 0  # blocks that came back at the cuts


@torch.inference_mode()
def read_with_budget(
    lm: LanguageModel, ids, every: int = 128, budget: int | None = 64, compact: bool = True, block_size: int = 16
) -> Reading:
    """Read `ids` (T,), and after every `every` tokens keep only `budget`: the newest half, and those with the most attention.

    Attention is added up over all layers, heads and queries so far (H2O, arXiv 2306.14048); TriAttention compacts every
    128 tokens, too, but scores keys without it (arXiv 2604.04921). budget None: nothing is ever dropped.
    Raises ValueError for a budget below 1 or above `every`.
    """
    if every < 1 or (budget is not None and not 1 <= budget <= every):
        raise ValueError(f"need 1 <= budget <= every, got {budget} and {every}")
    ids = as_batch(ids, lm.config.vocab_size)[:1]
    cache = PagedCache(lm.config, block_size, pool_blocks=-(-ids.shape[1] // block_size))
    scores, points, moved, freed = torch.zeros(0), [(0, 0, 0)], 0, 0

    def tap(name: str, value: Tensor) -> Tensor:
        if name.endswith("hook_pattern"):
            scores.add_(value.sum((0, 1, 2)).float())
        return value

    for chunk in ids.split(every, dim=1):
        scores = torch.cat((scores, torch.zeros(chunk.shape[1])))
        logits = lm.forward(chunk, cache, tap=tap, last_only=True)[0, -1].float()
        points.append((cache.seen[0], len(scores), len(cache.blocks)))
        if budget is None or chunk.shape[1] < every or len(scores) <= budget:
            continue
        kept = heaviest(scores, budget, recent=budget // 2)
        gone = torch.ones(len(scores), dtype=torch.bool).index_fill_(0, kept, False)
        before = len(cache.blocks)
        cache.drop(cache.positions(0)[gone].tolist())
        moved += cache.compact() if compact else 0
        freed += before - len(cache.blocks)
        scores = scores[kept]
        points.append((cache.seen[0], len(scores), len(cache.blocks)))
    return Reading(logits, points, moved, freed)
