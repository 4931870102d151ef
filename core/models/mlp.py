"""Feed-forward layers: each token's vector goes through a wider hidden layer and back."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from core.models.config import DecoderConfig

ACTIVATIONS = {
    "silu": F.silu,  # x · sigmoid(x)
    "gelu": F.gelu,  # x · Φ(x), https://arxiv.org/abs/1606.08415
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # the same with tanh for Φ, as GPT-2 was trained
}


class SwiGLU(nn.Module):
    """silu(gate(x)) · up(x), projected down again, https://arxiv.org/abs/2002.05202."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=config.biases)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=config.biases)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.biases)
        self.activation = ACTIVATIONS[config.activation]
        self.gate_up: nn.Module | None = None  # both in one product, where that is faster: core.quantization.packed

    def forward(self, x: Tensor, tap=None) -> Tensor:
        gate, up = self.gate_up(x) if self.gate_up else (self.gate(x), self.up(x))  # (B, T, d_ff)
        if tap:
            gate = tap("mlp.hook_pre", gate)
        hidden = self.activation(gate) * up
        if tap:
            hidden = tap("mlp.hook_post", hidden)
        return self.down(hidden)


class MLP(nn.Module):
    """activation(up(x)), projected down again: the layer of the first transformer and of GPT-2."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff, bias=config.biases)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.biases)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor, tap=None) -> Tensor:
        hidden = self.up(x)  # (B, T, d_ff)
        if tap:
            hidden = tap("mlp.hook_pre", hidden)
        hidden = self.activation(hidden)
        if tap:
            hidden = tap("mlp.hook_post", hidden)
        return self.down(hidden)
