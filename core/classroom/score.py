"""Class against model: who is less surprised by what is right?"""

import math
from collections.abc import Sequence


def class_share(counts: Sequence[int], truth: int) -> float:
    """The class's probability of what is right, from how many chose what: (n + 1) / (N + number of choices).

    Laplace's rule of succession: as if every choice had got one answer before, so that nobody being
    right is a large surprise and not an infinite one.
    """
    return (counts[truth] + 1) / (sum(counts) + len(counts))


def surprisal(share: float) -> float:
    """-log2 p in bits, as in `core.measure.perplexity`: one bit more means half as likely."""
    return -math.log2(max(share, 1e-30))
