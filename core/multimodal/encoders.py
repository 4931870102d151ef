"""Two small networks, one for pictures and one for captions, that end in the same space.

Shapes: B pairs, T tokens (patches or words), C = width, E = dimensions of the shared space.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.multimodal.scenes import SIDE


@dataclass(frozen=True)
class PairConfig:
    n_layers: int = 3
    d_model: int = 96
    n_heads: int = 4
    d_ff: int = 192
    d_shared: int = 48  # E
    patch: int = 8  # pixels; a picture becomes (32 / 8)² = 16 patches
    n_words: int = 64  # vocabulary of the captions, 0 is "no word"
    most_words: int = 16


class Block(nn.Module):
    """Self-attention in which everything sees everything, then a feed-forward layer."""

    def __init__(self, config: PairConfig):
        super().__init__()
        C = config.d_model
        self.n_heads = config.n_heads
        self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv, self.o = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.up, self.down = nn.Linear(C, config.d_ff), nn.Linear(config.d_ff, C)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:  # (B, T, C), (B, T) -> (B, T, C)
        B, T, C = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(B, T, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
        mask = None if seen is None else seen[:, None, None, :]
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o(z.transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Tower(nn.Module):
    """Blocks over a row of tokens, their mean, and the way into the shared space."""

    def __init__(self, config: PairConfig, n_positions: int):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(n_positions, config.d_model) * 0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.ln = nn.LayerNorm(config.d_model)
        self.project = nn.Linear(config.d_model, config.d_shared, bias=False)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:  # (B, T, C) -> (B, E) of length 1
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x, seen)
        x = self.ln(x)
        weights = torch.ones_like(x[..., :1]) if seen is None else seen[..., None].to(x.dtype)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1)
        return F.normalize(self.project(mean), dim=-1)


class Pair(nn.Module):
    """The two encoders and the learned temperature, after CLIP (https://arxiv.org/abs/2103.00020)."""

    def __init__(self, config: PairConfig):
        super().__init__()
        self.config = config
        self.patches = nn.Linear(3 * config.patch**2, config.d_model)
        self.pictures = Tower(config, (SIDE // config.patch) ** 2)
        self.words = nn.Embedding(config.n_words, config.d_model)
        self.captions = Tower(config, config.most_words)
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())  # starts at temperature 0.07, as CLIP did

    def embed_pictures(self, pixels: Tensor) -> Tensor:
        """Pictures (B, SIDE, SIDE, 3) with values 0 to 255 -> unit vectors (B, E)."""
        return self.pictures(self.patches(cut(pixels, self.config.patch)))

    def embed_captions(self, ids: Tensor) -> Tensor:
        """Word ids (B, T), 0 where there is no word -> unit vectors (B, E)."""
        return self.captions(self.words(ids), ids > 0)

    @property
    def temperature(self) -> float:
        return float((-self.log_scale.detach()).exp())


def cut(pixels: Tensor, patch: int) -> Tensor:
    """Pictures (B, S, S, 3) as rows of square patches (B, (S / patch)², 3 · patch²), values from -1 to 1."""
    B, S = pixels.shape[:2]
    x = pixels.float() / 127.5 - 1
    x = x.view(B, S // patch, patch, S // patch, patch, 3).transpose(2, 3)
    return x.reshape(B, (S // patch) ** 2, -1)
