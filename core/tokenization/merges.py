"""Byte-pair encoding merge by merge: how a trained encoding builds its tokens out of bytes.

Sennrich et al. 2016, https://arxiv.org/abs/1508.07909. tiktoken does the same faster; a test holds both together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Rank = Callable[[bytes], int | None]  # bytes of a token -> its place in the order of merges, None where there is no such token


@dataclass(frozen=True)
class Node:
    """A byte or a merge: a token on the way, from byte `start` up to before byte `end`."""

    start: int
    end: int
    token: bytes
    rank: int | None  # None: a single byte that the encoding holds under no id of its own
    step: int  # 0: a byte; n: made by the n-th merge
    height: int  # 0: a byte; else one above the higher of its two parts


def bpe(piece: bytes, rank: Rank) -> Iterator[tuple[int, list[bytes]]]:
    """Merge the bytes of `piece` as the encoding does. Yields (place of the merged part, all parts) after every merge.

    Of all neighbours whose joined bytes are a token, the pair learned first (lowest rank) is joined; of equal
    pairs the first in the text. It ends where no two neighbours form a token.
    """
    parts = [bytes([b]) for b in piece]
    while True:
        ranks = [rank(left + right) for left, right in zip(parts, parts[1:])]
        known = [r for r in ranks if r is not None]
        if not known:
            return
        i = ranks.index(min(known))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        yield i, list(parts)


def merge_tree(piece: bytes, rank: Rank) -> list[Node]:
    """Every byte and every merge of `bpe`, bytes first, then in the order of the merges; n bytes give at most 2n - 1 nodes."""
    parts = [Node(i, i + 1, bytes([b]), rank(bytes([b])), 0, 0) for i, b in enumerate(piece)]
    nodes = list(parts)
    for step, (i, _) in enumerate(bpe(piece, rank), 1):
        left, right = parts[i : i + 2]
        token = left.token + right.token
        parts[i : i + 2] = [Node(left.start, right.end, token, rank(token), step, 1 + max(left.height, right.height))]
        nodes.append(parts[i])
    return nodes


def part_to_show(pieces: Sequence[bytes], start: int, end: int, most: int) -> tuple[bytes, range]:
    """The piece of a text that holds the token from byte `start` to `end`, and the token's place in it.

    Where the piece has more than `most` bytes, the token stands alone: inside it the merges are the same.
    """
    at = 0
    for piece in pieces:
        if start < at + len(piece):
            inside = range(start - at, end - at)
            return (piece, inside) if len(piece) <= most else (piece[inside.start : inside.stop], range(len(inside)))
        at += len(piece)
    raise ValueError(f"no token at byte {start} of {at}")
