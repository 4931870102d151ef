"""An indexer: cheap scores that say which earlier tokens deserve attention (DeepSeek Sparse Attention, DeepSeek-V3.2-Exp).

DeepSeek trains its indexer: I(t, s) = Σ_j w_tj · ReLU(q_tj · k_s), with 64 small heads of width 128 of its own. A model that
was trained without one has none, so here it is made of what the model has: its own queries and keys, shortened. As nothing
is trained to weigh the heads, each head's scores are turned into weights first, and these are added up.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.models.attention import causal_mask
from core.models.language_model import LanguageModel
from core.models.trace import trace

INDEXES = ("projected", "heads", "own")
DIRECTIONS = 8  # numbers that are left of each query and key
FEW = 2  # heads that speak for all

# Scores (T, T) of a layer from its number, its queries (T, H, D) and its keys (T, Hkv, D).
Index = Callable[[int, Tensor, Tensor], Tensor]


def index_scores(q: Tensor, k: Tensor) -> Tensor:
    """What every key is worth to every query, (T, T): weights softmax(q · k) summed over the heads.

    q (T, H, r), k (T, H, r); the fewer heads and numbers, the cheaper: H · r multiplications a pair.
    """
    scores = q.transpose(0, 1) @ k.permute(1, 2, 0)  # (H, T, T)
    return scores.masked_fill(~causal_mask(len(q), len(k)), -torch.inf).softmax(-1).sum(0)


def make_index(kind: str, directions: Sequence[Tensor] = ()) -> Index:
    """One of INDEXES, for every layer.

    "projected": all heads, queries and keys shortened along `directions`, one (Hkv, D, r) a layer; "heads": the first FEW
    heads at full width; "own": all of both, the model's own scores, which saves nothing. ValueError for another kind.
    """
    if kind not in INDEXES or (kind == "projected" and not directions):
        raise ValueError(f"need one of {', '.join(INDEXES)}, and directions to project, got {kind!r}")

    def index(layer: int, q: Tensor, k: Tensor) -> Tensor:
        shared, width = q.shape[1] // k.shape[1], q.shape[-1]
        q, k = q.float(), k.float().repeat_interleave(shared, 1)  # a model in bf16 has them so; the directions are float32
        if kind == "projected":
            along = directions[layer].repeat_interleave(shared, 0)  # (H, D, r)
            q, k = (torch.einsum("thd,hdr->thr", x, along) for x in (q, k))
        elif kind == "heads":
            q, k = q[:, :FEW], k[:, :FEW]
        return index_scores(q / width**0.5, k)

    return index


def index_products(kind: str, n_heads: int, head_dim: int) -> int:
    """Multiplications that one pair of tokens costs the index in a layer; attention itself takes 2 · n_heads · head_dim."""
    return {"projected": n_heads * DIRECTIONS, "heads": min(FEW, n_heads) * head_dim, "own": n_heads * head_dim}[kind]


@torch.inference_mode()
def find_directions(lm: LanguageModel, ids, n_directions: int = DIRECTIONS) -> list[Tensor]:
    """Directions in which queries and keys of a calibration text `ids` (T,) are longest: one (Hkv, D, r) a layer.

    Eigenvectors of the sum of both second moments, each scaled to trace 1. All queries of a group count for its key head.
    """
    found = trace(lm, ids, keep=lambda name: name.endswith(("hook_rot_q", "hook_rot_k")), last_only=True)
    directions = []
    for layer in range(lm.config.n_layers):
        k = found[f"blocks.{layer}.attn.hook_rot_k"]  # (T, Hkv, D)
        q = found[f"blocks.{layer}.attn.hook_rot_q"].view(len(k), k.shape[1], -1, k.shape[2])  # (T, Hkv, group, D)
        moments = [torch.einsum("thgd,thge->hde", x, x) for x in (q, k[:, :, None])]
        both = sum(m / m.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None] for m in moments)
        directions.append(torch.linalg.eigh(both).eigenvectors[..., -min(n_directions, k.shape[2]) :])
    return directions
