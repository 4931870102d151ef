"""How rotary positions are stretched to texts longer than those in training: one divisor a pair of dimensions.

A pair that turns many times within the old context tells near tokens apart and stays as it is; a pair that never
completed a turn there is slowed down by the whole factor; between the two there is a ramp. The methods differ in
where the ramp stands.
"""

import math


def linear_divisors(head_dim: int, factor: float) -> tuple[float, ...]:
    """Every pair slower by `factor`: position interpolation, https://arxiv.org/abs/2306.15595."""
    return (float(factor),) * (head_dim // 2)


def ntk_divisors(head_dim: int, factor: float) -> tuple[float, ...]:
    """A larger base, theta · factor^(d / (d - 2)): the fastest pair stays as it is, the slowest is slower by `factor`.

    "NTK-aware" scaling, equation 16 of https://arxiv.org/abs/2309.00071.
    """
    larger = factor ** (head_dim / (head_dim - 2))
    return tuple(larger ** (2 * pair / head_dim) for pair in range(head_dim // 2))


def llama3_divisors(
    head_dim: int, theta: float, factor: float, low_freq_factor: float, high_freq_factor: float, original_context: int
) -> tuple[float, ...]:
    """Llama 3.1's ramp over the number of turns within the old context, https://arxiv.org/abs/2407.21783."""
    divisors = []
    for frequency in _frequencies(head_dim, theta):
        turns = original_context * frequency / (2 * math.pi)
        kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)  # 1 = this pair stays as it is
        kept = min(max(kept, 0.0), 1.0)
        divisors.append(1 / ((1 - kept) / factor + kept))
    return tuple(divisors)


def yarn_divisors(
    head_dim: int,
    theta: float,
    factor: float,
    original_context: int,
    beta_fast: float = 32.0,
    beta_slow: float = 1.0,
    truncate: bool = True,
) -> tuple[float, ...]:
    """YaRN's ramp over the pairs between `beta_fast` and `beta_slow` turns, https://arxiv.org/abs/2309.00071."""
    first, last = (_pair_with_turns(turns, head_dim, theta, original_context) for turns in (beta_fast, beta_slow))
    if truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, head_dim - 1)
    width = max(last - first, 0.001)
    divisors = []
    for pair in range(head_dim // 2):
        slowed = min(max((pair - first) / width, 0.0), 1.0)
        divisors.append(1 / (slowed / factor + 1 - slowed))
    return tuple(divisors)


def yarn_gain(factor: float, mscale: float = 1.0) -> float:
    """What YaRN multiplies queries and keys with, so that attention stays as sharp over more tokens."""
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def _frequencies(head_dim: int, theta: float) -> list[float]:
    return [theta ** (-2 * pair / head_dim) for pair in range(head_dim // 2)]


def _pair_with_turns(turns: float, head_dim: int, theta: float, context: int) -> float:
    """Which pair, counted with fractions, makes so many turns in `context` tokens."""
    return head_dim * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(theta))
