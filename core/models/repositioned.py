"""The same weights with other positions: turned more slowly, or not at all."""

import copy
import math
from dataclasses import replace

import torch

from core.models.language_model import LanguageModel
from core.models.rope_scaling import linear_divisors, ntk_divisors, yarn_divisors, yarn_gain

SCALINGS = ("none", "linear", "ntk", "yarn")  # ways to read a text longer than those in training


def rope_scaled(lm: LanguageModel, method: str, factor: float) -> LanguageModel:
    """`lm` with rotary positions stretched by `factor` (>= 1) in one of SCALINGS; the weights are shared, nothing is trained.

    Raises ValueError for another method and for a model with learned positions, which has nothing to stretch.
    """
    config = lm.config
    if config.learned_positions:
        raise ValueError("this model has a table of learned positions; only rotations can be stretched")
    if method not in SCALINGS:
        raise ValueError(f"method must be one of {', '.join(SCALINGS)}, got {method}")
    divisors = {
        "none": lambda: (1.0,) * (config.head_dim // 2),
        "linear": lambda: linear_divisors(config.head_dim, factor),
        "ntk": lambda: ntk_divisors(config.head_dim, factor),
        "yarn": lambda: yarn_divisors(config.head_dim, config.rope_theta, factor, config.context_length),
    }[method]()
    already = config.rope_divisors or (1.0,) * len(divisors)  # a model may come stretched
    gain = config.rope_gain * (yarn_gain(factor) if method == "yarn" else 1.0)
    return _with(lm, f"{lm.name}, {method} {factor:g}", rope_divisors=tuple(a * b for a, b in zip(already, divisors)), rope_gain=gain)


def without_positions(lm: LanguageModel) -> LanguageModel:
    """`lm` whose queries and keys are not turned (or whose learned table is zero): only the causal mask tells order.

    It was trained with positions, so what it writes is poor; what the order of words still changes is the point.
    """
    if not lm.config.learned_positions:
        return _with(lm, f"{lm.name}, no positions", rope_divisors=(math.inf,) * (lm.config.head_dim // 2))
    bare = _with(lm, f"{lm.name}, no positions")
    table = torch.nn.Parameter(torch.zeros_like(lm.network.pos_embed), requires_grad=False)
    bare.network._parameters = {**lm.network._parameters, "pos_embed": table}
    return bare


def _with(lm: LanguageModel, name: str, **changes) -> LanguageModel:
    """The same modules and weights under another config."""
    network = copy.copy(lm.network)
    network.config = replace(lm.config, **changes)
    return LanguageModel(name, network, lm.tokenizer, lm.card)
