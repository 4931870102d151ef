"""A tiktoken tokenizer out of a checkpoint's own vocabulary.

Byte-level BPE files list tokens and merges; tiktoken wants one rank a token and merges the pair with the lowest. The two
give the same tokens if ids rise in the order of the merges, which is checked here, and if every merge is the one that
ranks alone would choose, which `odd_merges` checks.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

import tiktoken

from core.checkpoints.errors import UnsupportedCheckpoint
from core.tokenizers import Tokenizer

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# How each family cuts text before byte pairs are merged.
PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    # as gpt2, but every digit stands alone, the space before it too
    "smollm": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+",
    "qwen2": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama3": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
_MOST_TOKENS = 1_000_000


class FileTokenizer(Tokenizer):
    """A tokenizer from a checkpoint: special tokens keep their ids, and text never becomes one."""

    def __init__(self, encoding: tiktoken.Encoding, n_vocab: int, eot: int | None, composed: bool):
        super().__init__(encoding)
        self._n_vocab, self.eot, self.composed = n_vocab, eot, composed
        self._has_absent_bytes = encoding.n_vocab > n_vocab

    @property
    def n_vocab(self) -> int:
        return self._n_vocab

    @property
    def special(self) -> dict[str, int]:
        """Special tokens and their ids."""
        return dict(self.encoding._special_tokens)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`. What looks like a special token is ordinary text here.

        A byte the vocabulary lacks (SmolLM2 has none for some control characters) has no token and is left out.
        """
        ids = super().encode(unicodedata.normalize("NFC", text) if self.composed else text)
        return [i for i in ids if i < self._n_vocab] if self._has_absent_bytes else ids


def build_tokenizer(
    name: str,
    tokens: dict[str, int],
    merges: Sequence[str | Sequence[str]],
    special: dict[str, int],
    pattern: str,
    n_vocab: int,
    eot: int | None = None,
    composed: bool = False,
) -> FileTokenizer:
    """The tokenizer of a byte-level BPE vocabulary.

    tokens: every token in the printable alphabet of `byte_alphabet` and its id; merges: "left right" in order;
    special: tokens never found in text; n_vocab: rows of the embedding (unused ones get names); composed: text is
    brought to Unicode's NFC first. Raises UnsupportedCheckpoint.
    """
    if not max(len(tokens), len(merges), n_vocab) <= _MOST_TOKENS:
        raise UnsupportedCheckpoint(f"a vocabulary of {max(len(tokens), n_vocab):,} tokens")
    ordinary = {token: i for token, i in tokens.items() if token not in special}
    try:
        ranks = {token_bytes(token): i for token, i in ordinary.items()}
    except KeyError as error:
        raise UnsupportedCheckpoint(f"a vocabulary that is not byte-level BPE (a token holds {error.args[0]!r})") from None
    _check_order(merges, ordinary)
    absent = [byte for byte in map(bytes, zip(range(256))) if byte not in ranks]
    ranks |= {byte: n_vocab + place for place, byte in enumerate(absent)}  # tiktoken needs all 256; encode drops these
    used = set(ranks.values()) | set(special.values())
    if len(used) < len(ranks) + len(special) or min(used) < 0 or max(special.values(), default=0) >= n_vocab:
        raise UnsupportedCheckpoint("a vocabulary with ids used twice or out of range")
    unused = {f"<|unused_{i}|>": i for i in range(n_vocab) if i not in used}
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={**special, **unused})
    return FileTokenizer(encoding, n_vocab, eot, composed)


def token_bytes(token: str) -> bytes:
    """The bytes of a token written in the printable alphabet; KeyError for a sign outside it."""
    alphabet = byte_alphabet()
    return bytes(alphabet[sign] for sign in token)


@cache
def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable sign for each byte: itself where it is printable, else the next free one from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def pair(merge: str | Sequence[str]) -> tuple[str, str]:
    """A merge's two halves, whether the file writes "a b" or ["a", "b"]."""
    halves = merge.split(" ") if isinstance(merge, str) else merge
    if len(halves) != 2:
        raise UnsupportedCheckpoint(f"a merge of {len(halves)} parts")
    return halves[0], halves[1]


def odd_merges(merges: Iterable[str | Sequence[str]], tokens: dict[str, int], limit: int = 10) -> list[str]:
    """Merges that ranks alone would not make: the first `limit` tokens whose last step is another pair.

    If there are none, merging by rank and merging by the list are the same for every text: what happens inside a
    token before its last merge does not depend on what stands around it.
    """
    odd = []
    for merge in merges:
        left, right = pair(merge)
        if _last_pair(left + right, tokens) != [left, right]:
            odd.append(left + right)
            if len(odd) == limit:
                break
    return odd


def _last_pair(token: str, tokens: dict[str, int]) -> list[str]:
    """What is left of `token` when only pairs of lower rank are merged."""
    parts, top = list(token), tokens[token]
    while len(parts) > 1:
        ranks = [tokens.get(parts[i] + parts[i + 1], top) for i in range(len(parts) - 1)]
        best = min(ranks)
        if best >= top:
            break
        i = ranks.index(best)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts


def _check_order(merges, ordinary: dict[str, int]) -> None:
    last = -1
    for merge in merges:
        token = "".join(pair(merge))
        rank = ordinary.get(token)
        if rank is None:
            raise UnsupportedCheckpoint(f"a merge to {token!r}, which is no token")
        if rank <= last:
            raise UnsupportedCheckpoint("a vocabulary whose ids do not follow the order of its merges")
        last = rank
