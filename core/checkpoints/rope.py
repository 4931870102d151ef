"""A config's wish for stretched rotary positions, as divisors and a gain, or refused."""

from core.checkpoints.errors import UnsupportedCheckpoint
from core.models.rope_scaling import linear_divisors, llama3_divisors, yarn_divisors, yarn_gain


def divisors_and_gain(scaling: dict, head_dim: int, theta: float, context: int) -> tuple[tuple[float, ...], float]:
    """Of transformers' `rope_parameters` (or `rope_scaling`): what `DecoderConfig` holds as rope_divisors and rope_gain.

    Raises UnsupportedCheckpoint for other kinds than default, linear, llama3 and yarn, and for rotating only a part.
    """
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if scaling.get("partial_rotary_factor", 1.0) != 1.0:
        raise UnsupportedCheckpoint("rotating only a part of each head")
    if kind == "default":
        return (), 1.0
    try:
        if kind == "linear":
            return linear_divisors(head_dim, scaling["factor"]), 1.0
        original = scaling.get("original_max_position_embeddings") or context
        if kind == "llama3":
            ramp = scaling["factor"], scaling["low_freq_factor"], scaling["high_freq_factor"]
            return llama3_divisors(head_dim, theta, *ramp, original), 1.0
        if kind == "yarn":
            factor = scaling.get("factor") or context / original
            ramp = scaling.get("beta_fast") or 32, scaling.get("beta_slow") or 1, scaling.get("truncate", True)
            return yarn_divisors(head_dim, theta, factor, original, *ramp), _gain(scaling, factor)
    except KeyError as error:
        raise UnsupportedCheckpoint(f"rotary positions scaled by {kind!r} without {error.args[0]}") from None
    raise UnsupportedCheckpoint(f"rotary positions scaled by {kind!r}")


def _gain(scaling: dict, factor: float) -> float:
    if scaling.get("attention_factor") is not None:
        return scaling["attention_factor"]
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        return yarn_gain(factor, scaling["mscale"]) / yarn_gain(factor, scaling["mscale_all_dim"])
    return yarn_gain(factor)
