"""Scoring a text token by token, for servers that do not score what they are sent.

The server is asked for the one next token with a bias so large that it must take the token that stands there; the
log-probability it reports is the model's own, before the bias.
"""

from collections.abc import Callable
from dataclasses import dataclass

from core.engines.answers import Token
from core.engines.client import Engine, ask
from core.engines.errors import EngineError

MOST_TOKENS = 160  # a request each
BIAS = 100  # the API's largest


@dataclass(frozen=True)
class Piece:
    """One token of a text."""

    id: int
    text: str  # a replacement sign for a part of a character
    before: str | list[int]  # what the server is sent so that it predicts this token: text, or token ids where it takes them
    n_before: int  # tokens in it, as the server counts


def named_pieces(engine: Engine, text: str, echoed: list[str]) -> list[Piece]:
    """The tokens of `text` by number: from llama.cpp's /tokenize, or llama-cpp-python's /extras/tokenize.

    `echoed` are the tokens' texts where the server has told them; the second way needs them. Raises EngineError.
    """
    found = _listed(engine, "/tokenize", {"content": text, "with_pieces": True, "add_special": True})
    try:
        if found is not None:
            ids = [int(token["id"]) for token in found]
            return [Piece(i, _text(token["piece"]), ids[:n], n) for n, (i, token) in enumerate(zip(ids, found))]
        found = _listed(engine, "/extras/tokenize", {"input": text}) if echoed else None
        if found is None or not 0 <= len(found) - len(echoed) <= 1:  # one sign may stand at the beginning
            raise EngineError("no_scores")
        ids, sign = [int(i) for i in found][-len(echoed) :], len(found) - len(echoed)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError("unreadable") from error
    return [Piece(i, word, "".join(echoed[:n]), n + sign) for n, (i, word) in enumerate(zip(ids, echoed))]


def score(pieces: list[Piece], first: Callable[[Piece, dict], Token], on_token: Callable[[int, int], None]) -> list[float]:
    """-ln p of every piece but the first, (T-1,); `first(piece, asked)` asks for one token in its place. Raises EngineError."""
    if len(pieces) > MOST_TOKENS:
        raise EngineError("too_many", n=len(pieces), most=MOST_TOKENS)
    if len(pieces) < 2:
        raise EngineError("empty")
    nll = []
    for n, piece in enumerate(pieces[1:], 1):
        if "\ufffd" in piece.text:
            raise EngineError("no_scores")  # a part of a character: servers keep it back until the character is whole
        token = first(piece, {"logit_bias": {str(piece.id): BIAS}})
        if token.text != piece.text:
            raise EngineError("no_scores")  # it did not take the token: it knows no bias
        nll.append(-token.logprob)
        on_token(n, len(pieces) - 1)
    if not any(nll):
        raise EngineError("no_scores")  # certain of everything: it reports what the bias made of the model
    return nll


def _listed(engine: Engine, path: str, body: dict) -> list | None:
    """The list `tokens` of an answer, None where the server has no such service."""
    try:
        found = ask(engine, path, body).get("tokens")
    except EngineError as error:
        if error.kind == "refused":
            return None
        raise
    return found if isinstance(found, list) and found else None


def _text(piece: str | list[int]) -> str:
    return piece if isinstance(piece, str) else bytes(piece).decode("utf-8", errors="replace")
