"""An indexer: cheap scores that say which earlier tokens deserve attention (DeepSeek Sparse Attention, DeepSeek-V3.2-Exp).

DeepSeek trains it: small heads of its own learn to foretell where attention will look (`Indexer`). For a model that has none
it can only be made of what the model has: its own queries and keys, shortened. As nothing is trained to weigh the heads then,
each head's scores are turned into weights first, and these are added up.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.attention import causal_mask
from core.models.language_model import LanguageModel
from core.models.positions import rope_angles, rotate
from core.models.trace import trace

INDEXES = ("trained", "projected", "heads", "own")
DIRECTIONS = 8  # numbers that are left of each query and key
FEW = 2  # heads that speak for all
N_HEADS, WIDTH = 4, 16  # of the one that is trained here

# Scores (T, T) of a layer from its number, its queries (T, H, D), its keys (T, Hkv, D) and the stream x (T, C) it reads.
Index = Callable[[int, Tensor, Tensor, Tensor], Tensor]


class Indexer(nn.Module):
    """I(t, s) = Σ_j w_tj · ReLU(q_tj · k_s) in every layer: few small heads, one key for all of them (equation 1 of the report).

    It reads the same stream as the layer's attention, brought to one size, and turns its queries and keys by their positions.
    """

    def __init__(self, n_layers: int, d_model: int, n_heads: int = N_HEADS, width: int = WIDTH):
        super().__init__()
        self.n_heads, self.width = n_heads, width
        self.q = nn.ModuleList(nn.Linear(d_model, n_heads * width, bias=False) for _ in range(n_layers))
        self.k = nn.ModuleList(nn.Linear(d_model, width, bias=False) for _ in range(n_layers))
        self.w = nn.ModuleList(nn.Linear(d_model, n_heads, bias=False) for _ in range(n_layers))

    def forward(self, layer: int, x: Tensor) -> Tensor:
        """What every token is worth to every token, the future included: (B, T, C) -> (B, T, T)."""
        x = F.rms_norm(x, x.shape[-1:])
        angles = rope_angles(torch.arange(x.shape[1], device=x.device), self.width, dtype=x.dtype)
        q = rotate(self.q[layer](x).unflatten(-1, (self.n_heads, self.width)), *angles)  # (B, T, n, d)
        k = rotate(self.k[layer](x)[:, :, None], *angles)[:, :, 0]  # (B, T, d)
        matches = torch.einsum("btjd,bsd->btjs", q, k).relu()
        return torch.einsum("btj,btjs->bts", self.w[layer](x), matches)

    def index(self, layer: int, q: Tensor, k: Tensor, x: Tensor) -> Tensor:
        """It as an `Index`: of what the model computed it needs x (T, C) alone."""
        return self(layer, x[None].float())[0]


def index_scores(q: Tensor, k: Tensor) -> Tensor:
    """What every key is worth to every query, (T, T): weights softmax(q · k) summed over the heads.

    q (T, H, r), k (T, H, r); the fewer heads and numbers, the cheaper: H · r multiplications a pair.
    """
    scores = q.transpose(0, 1) @ k.permute(1, 2, 0)  # (H, T, T)
    return scores.masked_fill(~causal_mask(len(q), len(k)), -torch.inf).softmax(-1).sum(0)


def make_index(kind: str, directions: Sequence[Tensor] = ()) -> Index:
    """One of INDEXES that needs no training, for every layer.

    "projected": all heads, queries and keys shortened along `directions`, one (Hkv, D, r) a layer; "heads": the first FEW
    heads at full width; "own": all of both, the model's own scores, which saves nothing. ValueError for another kind.
    """
    if kind not in INDEXES[1:] or (kind == "projected" and not directions):
        raise ValueError(f"need one of {', '.join(INDEXES[1:])}, and directions to project, got {kind!r}")

    def index(layer: int, q: Tensor, k: Tensor, x: Tensor) -> Tensor:
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
    """Multiplications that one pair of tokens costs the index in a layer; attention itself takes 2 · n_heads · head_dim.

    The heads of the trained one are weighed by one multiplication each.
    """
    products = {"projected": n_heads * DIRECTIONS, "heads": min(FEW, n_heads) * head_dim, "own": n_heads * head_dim}
    return (products | {"trained": N_HEADS * (WIDTH + 1)})[kind]


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
