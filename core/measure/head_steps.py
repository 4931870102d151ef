"""One query of one head, step by step with its real numbers."""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class HeadSteps:
    """What a head computes for one query token; T tokens, D = head_dim."""

    query: Tensor  # (D,) turned by its position
    keys: Tensor  # (T, D) turned by theirs
    products: Tensor  # (T,) query · key
    scaled: Tensor  # (T,) divided by sqrt(D)
    masked: Tensor  # (T,) -inf for later tokens
    weights: Tensor  # (T,) softmax: they sum to 1
    values: Tensor  # (T, D)
    result: Tensor  # (D,) Σ weight · value


def head_steps(activations: dict[str, Tensor], layer: int, head: int, token: int) -> HeadSteps:
    """The arithmetic of one head for the query at position `token`, from what `trace` recorded."""
    name = f"blocks.{layer}.attn."
    kv_head = head * activations[name + "hook_rot_k"].shape[1] // activations[name + "hook_rot_q"].shape[1]
    query = activations[name + "hook_rot_q"][token, head]
    keys = activations[name + "hook_rot_k"][:, kv_head]
    values = activations[name + "hook_v"][:, kv_head]
    products = keys @ query
    scaled = products / math.sqrt(len(query))
    masked = scaled.clone()
    masked[token + 1 :] = -math.inf
    weights = masked.softmax(-1)
    return HeadSteps(query, keys, products, scaled, masked, weights, values, weights @ values)
