"""AdamW for the tiny networks that learn while a class looks on."""

from collections.abc import Iterable

import torch
from torch import nn


class AdamW:
    """Moves each weight by the mean of its gradients over their size: m̂ / (√v̂ + eps). Loshchilov & Hutter 2019, arXiv 1711.05101.

    The numbers are those of `torch.optim.AdamW`, whose first step takes 70 MB: it loads PyTorch's compiler to tell it to keep out.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):  # fmt: skip
        self.parameters, self.lr, self.weight_decay, self.betas, self.eps = list(parameters), lr, weight_decay, betas, eps
        self.steps = 0
        self.means = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters}  # of the gradients and of their squares

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        self.steps += 1
        b1, b2 = self.betas
        grown = 1 - b1**self.steps, (1 - b2**self.steps) ** 0.5  # the means started at 0: early ones are too small
        for p in self.parameters:
            if p.grad is None:
                continue
            m, v = self.means[p]
            m.lerp_(p.grad, 1 - b1)
            v.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
            p.mul_(1 - self.lr * self.weight_decay)
            p.addcdiv_(m, (v.sqrt() / grown[1]).add_(self.eps), value=-self.lr / grown[0])
