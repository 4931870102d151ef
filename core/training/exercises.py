"""How text alone becomes exercises with solutions: the next token is the answer."""

from collections.abc import Sequence

from torch import Tensor


def exercises(ids: Sequence[int]) -> list[tuple[list[int], int]]:
    """Every beginning of a text of T tokens with the token that follows it: T - 1 pairs (given, answer).

    Nobody has to write solutions: the text holds them (self-supervised learning).
    """
    return [(list(ids[:n]), ids[n]) for n in range(1, len(ids))]


def inputs_and_targets(ids: Tensor) -> tuple[Tensor, Tensor]:
    """All exercises of rows (B, T + 1) at once: inputs (B, T), and at every place the token that follows, (B, T).

    A causal network answers every place from the tokens up to it, so one pass through it does T exercises a row.
    """
    return ids[:, :-1], ids[:, 1:]
