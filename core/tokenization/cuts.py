"""The same text in several encodings, and where they cut it differently."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.tokenizers import Tokenizer


@dataclass(frozen=True)
class Lane:
    """A text as one encoding cuts it: token i is ids[i], the bytes from edges[i] up to before edges[i + 1]."""

    name: str
    ids: tuple[int, ...]
    tokens: tuple[bytes, ...]
    edges: tuple[int, ...]  # byte offsets, one more than tokens

    def at(self, byte: int) -> int:
        """Which token holds this byte."""
        return next(i for i, end in enumerate(self.edges[1:]) if byte < end)


@dataclass(frozen=True)
class Chunk:
    """A stretch of text between two cuts that all lanes share."""

    start: int
    end: int
    columns: tuple[int, ...]  # byte offsets where a character or a token of any lane begins
    differs: bool  # some lanes cut it further, others do not, or elsewhere
    spans: tuple[tuple[range, ...], ...]  # for each lane: the columns that each of its tokens covers
    first: tuple[int, ...]  # for each lane: which of its tokens is the first here


def lane(name: str, tokenizer: Tokenizer, text: str) -> Lane:
    """`text` in one encoding."""
    ids = tokenizer.encode(text)
    tokens = [tokenizer.token_bytes(i) for i in ids]
    edges = [0]
    for token in tokens:
        edges.append(edges[-1] + len(token))
    return Lane(name, tuple(ids), tuple(tokens), tuple(edges))


def align(text: str, lanes: Sequence[Lane]) -> list[Chunk]:
    """Cut `text` where all lanes cut it. Where no lane has a cut of its own, each has exactly one token there."""
    shared = sorted(set.intersection(*(set(one.edges) for one in lanes)))
    heads = _character_starts(text)
    chunks, at = [], [0] * len(lanes)  # the next token of each lane
    char = 0  # the next character start
    for start, end in zip(shared, shared[1:]):
        first, columns, ends = tuple(at), {start}, []
        while char < len(heads) and heads[char] < end:
            columns.add(heads[char])
            char += 1
        for i, one in enumerate(lanes):
            while one.edges[at[i]] < end:
                at[i] += 1
            ends.append(one.edges[first[i] : at[i] + 1])
            columns.update(ends[i][:-1])
        order = sorted(c for c in columns if c < end)
        place = {byte: n for n, byte in enumerate([*order, end])}
        spans = tuple(tuple(range(place[a], place[b]) for a, b in zip(edges, edges[1:])) for edges in ends)
        chunks.append(Chunk(start, end, tuple(order), any(len(edges) > 2 for edges in ends), spans, first))
    return chunks


def _character_starts(text: str) -> list[int]:
    return [i for i, byte in enumerate(text.encode("utf-8")) if byte & 0xC0 != 0x80]
