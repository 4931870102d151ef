"""What the same sentence costs in tokens, language by language, and what a compound costs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.tokenizers import Tokenizer

_TABLE = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))
SENTENCES: dict[str, str] = _TABLE["sentences"]  # language -> the same sentence
COMPOUNDS: list[dict[str, str]] = _TABLE["compounds"]  # German word, English words


@dataclass(frozen=True)
class Count:
    """A text in one encoding, counted."""

    tokens: int
    characters: int  # Unicode code points
    bytes: int  # UTF-8

    @property
    def tokens_per_character(self) -> float:
        return self.tokens / self.characters

    @property
    def bytes_per_token(self) -> float:
        return self.bytes / self.tokens

    def cost(self, price: float, times: int = 1) -> float:
        """What `times` such texts cost at `price` per million tokens."""
        return self.tokens * times * price / 1e6


def count(tokenizer: Tokenizer, text: str) -> Count:
    """Count a text that is not empty."""
    return Count(len(tokenizer.encode(text)), len(text), len(text.encode("utf-8")))


def count_languages(tokenizers: Mapping[str, Tokenizer]) -> dict[tuple[str, str], Count]:
    """(language, encoding) -> the sentence of that language, counted in that encoding."""
    return {(language, name): count(one, text) for language, text in SENTENCES.items() for name, one in tokenizers.items()}


def count_compounds(tokenizer: Tokenizer) -> list[tuple[dict[str, str], dict[str, list[bytes]]]]:
    """For each compound: the words, and language -> its tokens, each with the space before it that it has inside a text."""
    return [
        (words, {language: [tokenizer.token_bytes(i) for i in tokenizer.encode(" " + text)] for language, text in words.items()})
        for words in COMPOUNDS
    ]
