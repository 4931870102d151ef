"""Text to tokens and back, with tiktoken."""

import base64
from functools import cached_property
from pathlib import Path

import tiktoken

# How text is cut before byte pairs are merged: a word with the space before it, at most two digits,
# a run of other signs, line breaks, spaces. Letters of any script count as letters.
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
END_OF_TEXT = "<|endoftext|>"


def load_ranks(path: Path) -> dict[bytes, int]:
    """Read a tiktoken rank file: one token a line, its bytes in base64 and its rank."""
    ranks = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: not a token and its rank") from error
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
        return self._labels[int(token_id)]

    def labels(self, ids) -> list[str]:
        return [self.label(i) for i in ids]

    @cached_property
    def _labels(self) -> list[str]:
        return [_label(self.token_bytes(i)) for i in range(self.n_vocab)]


def _label(token: bytes) -> str:
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
