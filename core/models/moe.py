"""Mixture of experts: a router sends every token to a few of many feed-forward layers.

Shapes: N tokens (all sequences one after the other), E experts, K chosen for each token, C = d_model.
Switch Transformer: arXiv 2101.03961; Mixtral: arXiv 2401.04088; balancing without a loss: DeepSeek-V3, arXiv 2412.19437.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.mlp import SwiGLU


@dataclass(frozen=True)
class MoEConfig:
    """The numbers that define the experts of one layer."""

    n_experts: int = 8
    top_k: int = 2  # experts a token
    d_expert: int = 192  # hidden width of one expert

    def __post_init__(self):
        if not 1 <= self.top_k <= self.n_experts:
            raise ValueError(f"top_k must be in 1..{self.n_experts}, got {self.top_k}")


@dataclass(frozen=True)
class Routing:
    """Where N tokens go."""

    probs: Tensor  # (N, E) softmax of the router's scores
    experts: Tensor  # (N, K) the chosen ones
    weights: Tensor  # (N, K) how much each counts, sum 1


def route(
    scores: Tensor, top_k: int, bias: Tensor | None = None, forced: Sequence[int] = (), forbidden: Sequence[int] = ()
) -> Routing:  # fmt: skip
    """Choose `top_k` experts for each token from the router's scores (N, E).

    `bias` (E,) is added to the probabilities for the choice only, never to the weights. `forced` experts are
    always among the chosen, `forbidden` ones never. The weights are the probabilities of the chosen, scaled to
    sum to 1, which is the softmax over their scores (so with one expert the router gets no gradient from
    them). Raises ValueError where this leaves no choice.
    """
    N, E = scores.shape
    if set(forced) & set(forbidden) or len(set(forced)) > top_k or E - len(set(forbidden)) < top_k:
        raise ValueError(f"of {E} experts, {top_k} cannot be chosen with {sorted(forced)} forced and {sorted(forbidden)} forbidden")
    probs = scores.float().softmax(-1)
    rank = probs if bias is None else probs + bias
    rank = rank.index_fill(-1, torch.tensor(list(forbidden), dtype=torch.long, device=scores.device), -torch.inf)
    rank = rank.index_fill(-1, torch.tensor(list(forced), dtype=torch.long, device=scores.device), torch.inf)
    experts = rank.topk(top_k, dim=-1).indices  # (N, K)
    return Routing(probs, experts, scores.float().gather(-1, experts).softmax(-1))


def load(experts: Tensor, n_experts: int) -> Tensor:
    """Share of all assignments (N, K) that each expert got, (E,), sum 1."""
    return torch.bincount(experts.flatten(), minlength=n_experts).float() / experts.numel()


def balancing_loss(routing: Routing) -> Tensor:
    """E · Σ f_i · P_i: share of assignments times mean probability, both of expert i; 1 when both are uniform.

    Only P has a gradient: it pulls probability away from the experts that get most (arXiv 2101.03961, eq. 4,
    which multiplies it by 0.01 and adds it to the cross-entropy).
    """
    E = routing.probs.shape[-1]
    return E * (load(routing.experts, E) * routing.probs.mean(0)).sum()


def balanced_bias(bias: Tensor, shares: Tensor, step: float = 0.001) -> Tensor:
    """The bias (E,) after a training step: lower where the load `shares` was above average, higher where below (DeepSeek-V3)."""
    return bias - step * (shares - shares.mean()).sign()


class MoE(nn.Module):
    """In the place of a feed-forward layer: Σ over the chosen experts of weight · expert(x)."""

    def __init__(self, config: DecoderConfig, moe: MoEConfig):
        super().__init__()
        self.moe = moe
        self.router = nn.Linear(config.d_model, moe.n_experts, bias=False)
        self.register_buffer("bias", torch.zeros(moe.n_experts))  # moved by `balanced_bias`, not by a gradient
        self.experts = nn.ModuleList(SwiGLU(replace(config, d_ff=moe.d_expert)) for _ in range(moe.n_experts))
        self.forced: tuple[int, ...] = ()
        self.forbidden: tuple[int, ...] = ()

    def forward(self, x: Tensor, tap=None) -> Tensor:  # (B, T, C) -> (B, T, C)
        flat = x.flatten(0, -2)  # (N, C)
        scores = self.router(flat)  # (N, E)
        if tap:
            scores = tap("mlp.hook_router", scores.view(*x.shape[:-1], -1)).flatten(0, -2)
        routing = route(scores, self.moe.top_k, self.bias, self.forced, self.forbidden)
        out = torch.zeros_like(flat)
        for e in routing.experts.unique().tolist():  # each expert sees its own tokens only
            token, place = (routing.experts == e).nonzero(as_tuple=True)
            weighted = routing.weights[token, place][:, None].to(x.dtype) * self.experts[e](flat[token])
            out = out.index_add(0, token, weighted.to(out.dtype))
        return out.view_as(x)


def with_experts(config: DecoderConfig, moe: MoEConfig) -> Decoder:
    """A decoder whose feed-forward layers are all mixtures of experts; weights are random."""
    network = Decoder(config)
    for block in network.blocks:
        block.mlp = MoE(config, moe)
    return network


def routers(network: Decoder) -> list[MoE]:
    """The mixtures of experts of a network, layer by layer."""
    return [block.mlp for block in network.blocks if isinstance(block.mlp, MoE)]


@torch.inference_mode()
def routings(network: Decoder, ids: Tensor) -> list[Routing]:
    """Where the tokens ids (B, T) go, layer by layer."""
    found: list[Routing] = []
    layers = {f"blocks.{i}.mlp.hook_router": block.mlp for i, block in enumerate(network.blocks) if isinstance(block.mlp, MoE)}

    def watch(name: str, value: Tensor) -> Tensor:
        if layer := layers.get(name):
            found.append(route(value.flatten(0, 1), layer.moe.top_k, layer.bias, layer.forced, layer.forbidden))
        return value

    network(ids, tap=watch, last_only=True)
    return found


def steered(network: Decoder, layer: int, forced: Sequence[int] = (), forbidden: Sequence[int] = ()) -> Decoder:
    """The same weights with other rules for the experts of one layer. What `network` does is left alone: others use it at the same time."""

    def twin(module: nn.Module) -> nn.Module:
        other = copy.copy(module)
        other._modules = dict(module._modules)
        return other

    other = twin(network)
    other.blocks = twin(network.blocks)
    other.blocks[layer] = twin(network.blocks[layer])
    other.blocks[layer].mlp = mlp = twin(network.blocks[layer].mlp)
    mlp.forced, mlp.forbidden = tuple(forced), tuple(forbidden)
    return other


def active_parameters(network: Decoder) -> int:
    """Weights that one token uses: all, except the experts it is not sent to."""
    unused = sum((m.moe.n_experts - m.moe.top_k) * sum(p.numel() for p in m.experts[0].parameters()) for m in routers(network))
    return sum(p.numel() for p in network.parameters()) - unused
