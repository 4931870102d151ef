"""How far a gradient travels: how much a prediction hangs on a token so many places back."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gradient_by_distance(network: nn.Module, ids: Tensor) -> Tensor:
    """Length of the gradient of the last token's loss at the embedding of every token before it: ids (B, T) -> (T - 1,), mean over B.

    Entry d is the token d + 1 places before the one predicted. In a recurrent network the gradient passes through every
    state between the two; attention reaches each token in one step. `network` has an `embed` and takes a tap.
    """
    if ids.ndim != 2 or ids.shape[1] < 2:
        raise ValueError(f"ids must have shape (B, T) with T >= 2, got {tuple(ids.shape)}")
    embedded: list[Tensor] = []

    def tap(name: str, value: Tensor) -> Tensor:
        if name == "hook_embed":
            value = value.detach().requires_grad_()
            embedded.append(value)
        return value

    with torch.enable_grad():
        logits = network(ids[:, :-1], tap=tap)[:, -1].float()
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, ids[:, -1], reduction="sum"), embedded[0])
    return gradient.norm(dim=-1).mean(0).flip(0)  # nearest first
