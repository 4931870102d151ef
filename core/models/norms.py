"""Norms: every token's vector brought to one size, then stretched by learned gains."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.config import DecoderConfig


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight, https://arxiv.org/abs/1910.07467."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:  # (..., width) -> (..., width)
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) · weight + bias, https://arxiv.org/abs/1607.06450."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:  # (..., width) -> (..., width)
        return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, self.eps)


def make_norm(config: DecoderConfig) -> nn.Module:
    """The norm on the residual stream that the config asks for."""
    return (LayerNorm if config.layer_norm else RMSNorm)(config.d_model, config.norm_eps)
