"""Fewer key and value heads without training: those of a group are averaged (Ainslie et al. 2023, https://arxiv.org/abs/2305.13245).

The paper pools so (section 2.1) and then trains on for about 5 % of the first training, which mends what pooling broke.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.models.decoder import Decoder, Tap
from core.models.outline import outline


@torch.no_grad()
def pool_heads(network: Decoder, n_kv_heads: int) -> Decoder:
    """A network of its own whose key and value heads are the means of `network`'s, neighbours together; all else is the same.

    `n_kv_heads` of 1 is multi-query, the number there is changes nothing. Raises ValueError where it does not divide that.
    """
    config = network.config
    if n_kv_heads < 1 or config.n_kv_heads % n_kv_heads:
        raise ValueError(f"n_kv_heads must divide {config.n_kv_heads}, got {n_kv_heads}")

    def pooled(name: str, weight: Tensor) -> Tensor:
        part = name.rsplit(".", 2)[1]
        if part not in ("k", "v"):
            return weight
        heads = weight.view(n_kv_heads, -1, config.head_dim, *weight.shape[1:])  # (heads left, heads of a group, D, ...)
        return heads.mean(1).flatten(0, 1)

    few = outline(replace(config, n_kv_heads=n_kv_heads, dropout=0.0))
    state = {name: pooled(name, weight) for name, weight in network.state_dict().items()}
    few.load_state_dict(state | {"unembed.weight": state.get("unembed.weight", state["embed.weight"])}, assign=True)
    if config.tied_embeddings:
        few.unembed.weight = few.embed.weight
    return few.eval().requires_grad_(False)


def pooling(n_kv_heads: int) -> Tap:
    """The same without weights of its own: a tap under which a network computes as `pool_heads` would have it.

    Keys and values are products of matrices without a bias, so the mean of the products is the product of the mean
    matrix; all heads of a group then hold the same numbers. Raises ValueError as `pool_heads` does, at the first layer.
    """

    def tap(name: str, value: Tensor) -> Tensor:
        if not name.endswith(("attn.hook_k", "attn.hook_v")):
            return value
        B, T, H, D = value.shape
        if n_kv_heads < 1 or H % n_kv_heads:
            raise ValueError(f"n_kv_heads must divide {H}, got {n_kv_heads}")
        groups = value.view(B, T, n_kv_heads, -1, D)  # neighbours together
        return groups.mean(3, keepdim=True).expand_as(groups).reshape(B, T, H, D)

    return tap
