"""Our AdamW moves weights as PyTorch's does."""

import subprocess
import sys

import pytest
import torch

from core.rl.adamw import AdamW


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_moves_as_pytorch_does(decay):
    generator = torch.Generator().manual_seed(0)
    shapes = ((7, 5), (11,), (3, 2))
    ours = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    optimizers = AdamW(ours, lr=0.01, weight_decay=decay), torch.optim.AdamW(theirs, lr=0.01, weight_decay=decay)
    for step in range(30):
        for optimizer in optimizers:
            optimizer.zero_grad()
        for mine, other in zip(ours, theirs):
            if mine is not ours[1]:  # one is never asked
                mine.grad = torch.randn(mine.shape, generator=generator) * 0.1**step
                other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
        for mine, other in zip(ours, theirs):
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_a_step_loads_no_compiler():
    code = (
        "import sys, torch; from core.rl.adamw import AdamW; p = torch.nn.Parameter(torch.ones(3)); p.sum().backward();"
        "torch.nn.utils.clip_grad_norm_([p], 1.0); AdamW([p], lr=0.1).step(); print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
