"""A language model that reads one token after another and keeps a state: gated recurrent units (GRU).

Cho et al. 2014, https://arxiv.org/abs/1406.1078, in the form of cuDNN and torch.nn.GRU (the reset gate comes after the product).

Shapes: B sequences, T tokens, C = d_model, R = d_state, V = vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class RecurrentConfig:
    """The defaults are about as large as `DecoderConfig(n_layers=4, d_model=192, n_heads=3, d_ff=512)`."""

    n_layers: int = 2
    d_model: int = 192  # width of the embeddings
    d_state: int = 400  # R, numbers a layer remembers
    vocab_size: int = 16_384
    context_length: int = 1_024  # longest sequence seen in training; there is no limit afterwards
    dropout: float = 0.0  # used in training only


def gru_step(x: Tensor, state: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> Tensor:
    """The next state (B, R) from an input x (B, C) and the state so far (B, R).

    Weights (3R, C) and (3R, R), biases (3R,): reset gate, update gate and candidate, one below the other, as torch.nn.GRU keeps
    them. Where the update gate is 1 the old state stays as it is: that is how something is remembered.
    """
    in_reset, in_update, in_candidate = (x @ w_in.T + b_in).chunk(3, dim=-1)
    old_reset, old_update, old_candidate = (state @ w_state.T + b_state).chunk(3, dim=-1)
    reset = (in_reset + old_reset).sigmoid()
    update = (in_update + old_update).sigmoid()
    candidate = (in_candidate + reset * old_candidate).tanh()
    return update * state + (1 - update) * candidate


def gru_layers(gru: nn.GRU, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """All layers of `gru`, token by token: x (B, T, C) and state (layers, B, R) -> outputs (B, T, R) and the last state.

    The same numbers as `gru(x, state)`, which does it in one fused call; no token can be read before the one before it.
    """
    states = list(torch.zeros(gru.num_layers, len(x), gru.hidden_size) if state is None else state)
    outputs = []
    for t in range(x.shape[1]):
        value = x[:, t]
        for layer in range(gru.num_layers):
            weights = (getattr(gru, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            value = states[layer] = gru_step(value, states[layer], *weights)
        outputs.append(value)
    return torch.stack(outputs, dim=1), torch.stack(states)


class RecurrentLM(nn.Module):
    """Token ids in, a score for every possible next token out; what was read before is in the state alone."""

    def __init__(self, config: RecurrentConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        between = config.dropout if config.n_layers > 1 else 0.0
        self.gru = nn.GRU(config.d_model, config.d_state, config.n_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(config.d_state, config.d_model, bias=False)  # back to the width of the embeddings
        self.unembed = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.unembed.weight = self.embed.weight

    def forward(self, ids: Tensor, tap: Callable[[str, Tensor], Tensor] | None = None) -> Tensor:
        """Logits (B, T, V) for ids (B, T). `tap("hook_embed", x)` may replace the embeddings, as in `Decoder`."""
        return self.read(ids, tap=tap)[0]

    def read(
        self, ids: Tensor, state: Tensor | None = None, tap: Callable[[str, Tensor], Tensor] | None = None, last_only: bool = False
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Logits (B, T, V), or just the last ones (B, 1, V), and the state (layers, B, R) after ids (B, T), going on from `state`."""
        x = self.embed(ids)
        if tap:
            x = tap("hook_embed", x)
        outputs, state = self.gru(self.dropout(x), state)
        outputs = outputs[:, -1:] if last_only else outputs
        return self.unembed(self.project(self.dropout(outputs))), state


def initialise(network: RecurrentLM, seed: int, std: float = 0.02, longest: int = 0) -> None:
    """Embeddings normal with `std`; the recurrent weights uniform within 1 / sqrt(R), torch's own choice.

    `longest`: units start out keeping what they hold for 2 to `longest` tokens: the bias of the update gate is the logarithm of how
    many (Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188); 0: no such bias.
    """
    torch.manual_seed(seed)
    nn.init.normal_(network.embed.weight, std=std)
    R = network.config.d_state
    for name, parameter in network.gru.named_parameters():
        nn.init.uniform_(parameter, -1 / math.sqrt(R), 1 / math.sqrt(R))
        if longest and name.startswith("bias_ih"):
            with torch.no_grad():
                parameter[R : 2 * R].uniform_(1, longest - 1).log_()
    nn.init.normal_(network.project.weight, std=0.02)
