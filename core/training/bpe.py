"""Training a byte-level BPE: merge the most frequent pair of neighbours, again and again.

Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, on bytes as in GPT-2.
"""

import base64
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import regex

from core.tokenizers import PATTERN

Pair = tuple[int, int]


@dataclass(frozen=True)
class Merge:
    """One step of the training: `left` and `right` become the token `new`."""

    left: int
    right: int
    new: int
    count: int  # how often the two stood side by side
    token: bytes  # what the new token stands for
    n_tokens: int  # tokens of the whole text after it


def count_words(texts: Iterable[str], pattern: str = PATTERN) -> Counter[bytes]:
    """Cut texts into words, as the tokenizer will, and count them."""
    words: Counter[bytes] = Counter()
    cut = regex.compile(pattern)
    for text in texts:
        words.update(cut.findall(text))
    return Counter({word.encode("utf-8"): n for word, n in words.items()})


def train(words: Counter[bytes], n_merges: int) -> Iterator[Merge]:
    """Yield merges, the most frequent pair first; ties go to the pair with the smaller token ids.

    Counts are kept up to date: after a merge only the words that hold the pair are looked at again.
    Ends early when no pair is left.
    """
    tokens = [bytes([b]) for b in range(256)]
    texts = [list(word) for word in words]
    weights = list(words.values())
    n_tokens = sum(n * len(word) for word, n in words.items())
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # pair -> words that may hold it
    for i, text in enumerate(texts):
        for pair in zip(text, text[1:]):
            counts[pair] += weights[i]
            where[pair].add(i)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)

    while n_merges and queue:
        count, pair = heapq.heappop(queue)
        if counts[pair] != -count:  # an old entry; the current count stands further back
            if counts[pair] > 0:
                heapq.heappush(queue, (-counts[pair], pair))
            continue
        if count == 0:
            return
        new = len(tokens)
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        changed: Counter[Pair] = Counter()
        for i in where.pop(pair):
            merged = merge(texts[i], pair, new)
            n_tokens -= weights[i] * (len(texts[i]) - len(merged))
            for old in zip(texts[i], texts[i][1:]):
                changed[old] -= weights[i]
            for fresh in zip(merged, merged[1:]):
                changed[fresh] += weights[i]
                where[fresh].add(i)
            texts[i] = merged
        for other, change in changed.items():
            if change:
                counts[other] += change
                if other != pair and change > 0:
                    heapq.heappush(queue, (-counts[other], other))
        counts.pop(pair, None)
        n_merges -= 1
        yield Merge(pair[0], pair[1], new, -count, tokens[new], n_tokens)


def merge(ids: list[int], pair: Pair, new: int) -> list[int]:
    """Replace every `pair` in `ids`, from left to right, by `new`."""
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == pair[0] and ids[i + 1] == pair[1]:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def ranks(merges: Iterable[Merge]) -> dict[bytes, int]:
    """Tokens and their ranks as tiktoken wants them: the 256 bytes, then the merges."""
    return {bytes([b]): b for b in range(256)} | {m.token: m.new for m in merges}


def save_ranks(table: dict[bytes, int], file: Path) -> None:
    """Write a tiktoken rank file."""
    lines = (base64.b64encode(token) + b" " + str(rank).encode() for token, rank in sorted(table.items(), key=lambda x: x[1]))
    file.write_bytes(b"\n".join(lines) + b"\n")
