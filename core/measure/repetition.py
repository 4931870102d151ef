"""How much a text repeats itself."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Repetition:
    """What of a text of T tokens stood in it before."""

    mean: float  # share of its n-grams that appeared earlier: 0 = none, towards 1 = a loop
    marks: list[bool]  # (T,) True: the token belongs to an n-gram that appeared earlier


def repeated(ids: Sequence[int], n: int = 3) -> Repetition:
    """1 - different n-grams / n-grams, the seq-rep-n of Welleck et al. 2020, https://arxiv.org/abs/1908.04319.

    A text shorter than n has no n-grams and repeats nothing. Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    ids, seen, again = tuple(ids), set(), 0
    marks = [False] * len(ids)
    for start in range(len(ids) - n + 1):
        ngram = ids[start : start + n]
        if ngram in seen:
            again += 1
            marks[start : start + n] = [True] * n
        seen.add(ngram)
    return Repetition(again / max(len(ids) - n + 1, 1), marks)
