"""A network that says a number about every place of a text: the reward model, and PPO's value model."""

import torch
from torch import Tensor, nn

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.rl.policy import CONFIG


class Judge(nn.Module):
    """The decoder with one number instead of scores for the next token."""

    def __init__(self, config: DecoderConfig = CONFIG):
        super().__init__()
        self.body = Decoder(config)
        self.head = nn.Linear(config.d_model, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """(n, T) -> (n, T): a number after each token."""
        x = self.body.embed(ids)
        angles = self.body.rotary_positions(torch.arange(ids.shape[1]))
        for layer, block in enumerate(self.body.blocks):
            x = block(x, angles, layer)
        return self.head(self.body.ln_final(x))[..., 0]


def judge_from(network: Decoder) -> Judge:
    """A judge that starts with the weights of a policy and says 0 to everything."""
    judge = Judge(network.config)
    judge.body.load_state_dict(network.state_dict())
    return judge.requires_grad_(True).train()


def scores(judge: Judge, prompts: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """The reward model's number for each answer (n,), said at its last token."""
    last = prompts.shape[1] + mask.sum(1) - 1
    return judge(torch.cat((prompts, ids), 1)).gather(1, last[:, None])[:, 0]
