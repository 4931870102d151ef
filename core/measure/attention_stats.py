"""What an attention head does, measured on its pattern."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.language_model import LanguageModel
from core.models.trace import trace

KINDS = ("previous", "first", "induction", "same", "local", "diffuse")
LOCAL = 4  # tokens that count as near
# From which score on a head is called so; the more specific names come first.
THRESHOLDS = {"previous": 0.35, "induction": 0.3, "same": 0.35, "first": 0.35, "local": 0.65, "diffuse": 0.5}


@dataclass(frozen=True)
class HeadProfile:
    """Scores (H,) of one layer's heads, each between 0 and 1."""

    previous: Tensor  # mean weight on the token just before
    first: Tensor  # mean weight on the first token (the sink), from the third token on
    induction: Tensor  # mean weight on tokens that followed an earlier copy of the query token, where there is one
    same: Tensor  # mean weight on earlier copies of the query token, where there is one
    local: Tensor  # mean weight on the last LOCAL tokens, itself included, from token LOCAL + 2 on
    diffuse: Tensor  # tokens it effectively looks at (exp of a row's entropy) over those there are, all rows from the third together


def head_profile(pattern: Tensor, ids) -> HeadProfile:
    """Measure the heads of one layer: pattern (H, T, T) with rows that sum to 1, ids (T,).

    The tests of TransformerLens' head detector (previous token, duplicate token, induction), averaged over
    the queries to which they apply; a score with no such query is 0. Raises ValueError for other shapes.
    """
    ids = torch.as_tensor(ids)
    H, T, S = pattern.shape
    if T != S or T != len(ids):
        raise ValueError(f"pattern must have shape (H, {len(ids)}, {len(ids)}), got {tuple(pattern.shape)}")
    query, key = torch.arange(T)[:, None], torch.arange(T)[None]
    earlier = key < query
    copies = (ids[:, None] == ids[None]) & earlier  # (T, T): the key is an earlier copy of the query
    after_copy = torch.zeros_like(copies)
    after_copy[:, 1:] = copies[:, :-1]
    after_copy &= earlier
    near = (query - key < LOCAL) & (key <= query)
    looked_at = torch.special.entr(pattern).sum(-1).exp()  # (H, T): 1 = a single token, t = all t evenly
    return HeadProfile(
        previous=_mean_weight(pattern, key == query - 1, query[:, 0] >= 1),
        first=_mean_weight(pattern, (key == 0) & (query >= 0), query[:, 0] >= 2),
        induction=_mean_weight(pattern, after_copy, after_copy.any(-1)),
        same=_mean_weight(pattern, copies, copies.any(-1)),
        local=_mean_weight(pattern, near, query[:, 0] > LOCAL),
        diffuse=looked_at[:, 2:].sum(-1) / torch.arange(3, T + 1).sum() if T > 2 else torch.zeros(H),
    )


def profiles_on_repeats(lm: LanguageModel, n_tokens: int = 50, seed: int = 0) -> list[HeadProfile]:
    """Every layer's heads on random tokens read twice: what they do where a text has no meaning.

    The standard test for induction heads (Olsson et al. 2022, arXiv 2209.11895): only the repetition itself can
    be followed. One `HeadProfile` a layer, on n_tokens · 2 <= context_length tokens.
    """
    if not 1 <= n_tokens <= lm.config.context_length // 2:
        raise ValueError(f"n_tokens must be in 1..{lm.config.context_length // 2}, got {n_tokens}")
    ids = random_twice(lm, n_tokens, seed)
    activations = trace(lm, ids)
    return [head_profile(activations[f"blocks.{layer}.attn.hook_pattern"], ids) for layer in range(lm.config.n_layers)]


def random_twice(lm: LanguageModel, n_tokens: int, seed: int = 0) -> list[int]:
    """Random tokens and the same ones again."""
    once = torch.randint(0, lm.config.vocab_size, (n_tokens,), generator=torch.Generator().manual_seed(seed)).tolist()
    return once + once


def head_kind(profile: HeadProfile, head: int) -> str:
    """The one word for a head: the first of THRESHOLDS that its scores reach, else "mixed"."""
    for kind, threshold in THRESHOLDS.items():
        if float(getattr(profile, kind)[head]) >= threshold:
            return kind
    return "mixed"


def without_first(pattern: Tensor) -> Tensor:
    """The pattern with the first token hidden: its column is 0 and the rest of every row sums to 1 again."""
    rest = pattern.clone()
    rest[..., 1:, 0] = 0
    return rest / rest.sum(-1, keepdim=True).clamp(min=1e-9)


def _mean_weight(pattern: Tensor, where: Tensor, queries: Tensor) -> Tensor:
    """Mean over the queries (T,) of the weight on the keys marked in `where` (T, T): (H,)."""
    if not queries.any():
        return torch.zeros(pattern.shape[0])
    return (pattern * where).sum(-1)[:, queries].mean(-1)
