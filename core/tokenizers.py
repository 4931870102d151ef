"""Text to tokens and back, with tiktoken."""

import base64
from functools import cached_property
from pathlib import Path

import regex
import tiktoken

# How text is cut before byte pairs are merged: a word with the space before it, at most two digits,
# a run of other signs, line breaks, spaces. Letters of any script count as letters.
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
END_OF_TEXT = "<|endoftext|>"


def load_ranks(path: Path) -> dict[bytes, int]:
    """Read a tiktoken rank file; raises ValueError where it is damaged."""
    return parse_ranks(path.read_bytes(), path.name)


def parse_ranks(data: bytes, name: str) -> dict[bytes, int]:
    """Token -> rank from a tiktoken rank file: one token a line, its bytes in base64 and its rank. `name` is for the error."""
    ranks = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: not a token and its rank") from error
    return ranks


class Tokenizer:
    """A tiktoken encoding with what the pages need around it."""

    def __init__(self, encoding: tiktoken.Encoding):
        self.encoding = encoding
        self.eot: int | None = encoding._special_tokens.get(END_OF_TEXT)

    @classmethod
    def from_ranks(cls, name: str, ranks: dict[bytes, int], pattern: str = PATTERN) -> "Tokenizer":
        """Build from byte-pair ranks; the end-of-text token gets the first free id."""
        return cls(
            tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: len(ranks)})
        )

    @property
    def name(self) -> str:
        return self.encoding.name

    @property
    def n_vocab(self) -> int:
        return self.encoding.n_vocab

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`. What looks like a special token is ordinary text here."""
        return self.encoding.encode_ordinary(text)

    def decode(self, ids) -> str:
        """Text of token ids; bytes that are no UTF-8 become U+FFFD."""
        return self.encoding.decode([int(i) for i in ids])

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes one token stands for."""
        return self.encoding.decode_single_token_bytes(int(token_id))

    def label(self, token_id: int) -> str:
        """One token as a viewer reads it: spaces and line breaks visible, broken UTF-8 as its bytes.

        A token that holds only part of a character is written ⟨E2 82⟩, never as U+FFFD.
        """
        token_id = int(token_id)
        if token_id not in self._labels:
            self._labels[token_id] = readable(self.token_bytes(token_id))
        return self._labels[token_id]

    def labels(self, ids) -> list[str]:
        return [self.label(i) for i in ids]

    @cached_property
    def _labels(self) -> dict[int, str]:
        return {}  # of the tokens that somebody saw

    def pieces(self, text: str) -> list[bytes]:
        """`text` as it is cut before byte pairs are merged; no token reaches over such a cut."""
        return [piece.encode("utf-8") for piece in self._cut.findall(text)]

    def rank(self, token: bytes) -> int | None:
        """The id of the ordinary token with these bytes, which is also its place in the order of merges; else None."""
        try:
            rank = self.encoding.encode_single_token(token)
        except KeyError:
            return None
        return None if rank in self.encoding._special_token_values else rank

    @cached_property
    def _cut(self) -> regex.Pattern:
        return regex.compile(self.encoding._pat_str)


def readable(token: bytes) -> str:
    """The bytes of a token as a viewer reads them, see `Tokenizer.label`."""
    try:
        text = token.decode("utf-8")
    except UnicodeDecodeError:
        return "⟨" + token.hex(" ").upper() + "⟩"
    for sign, shown in (("\r", "␍"), ("\n", "⏎"), ("\t", "⇥")):
        text = text.replace(sign, shown)
    if text.startswith(" "):
        text = "␣" + text[1:]
    if len(text) > 1 and text.endswith(" "):
        text = text[:-1] + "␣"
    if any(not sign.isprintable() for sign in text):
        return "⟨" + token.hex(" ").upper() + "⟩"
    return text
