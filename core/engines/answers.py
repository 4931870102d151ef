"""Reading a completion: servers write log-probabilities in two ways, and both may be broken."""

import math
from dataclasses import dataclass

from core.engines.errors import EngineError

_BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Token:
    """One token of an answer."""

    text: str  # "" for the end of the text and for a part of a character
    logprob: float | None  # natural log; None for a text's first token
    top: tuple[tuple[str, float], ...]  # the likeliest there and their logprobs, best first


def tokens(answer: dict) -> list[Token]:
    """The tokens of a completion's first choice. Raises EngineError where they are not there or no log-probabilities.

    The API's own form is four lists (`tokens`, `token_logprobs`, `top_logprobs`, `text_offset`); llama.cpp's server
    sends the form of the chat API, one object a token.
    """
    try:
        choice = answer["choices"][0]
        given = choice.get("logprobs")
        if given is None:
            if choice["text"] or choice.get("finish_reason") is None:
                raise EngineError("no_logprobs")
            return []  # the end of a stream
        if "content" in given:
            rows = [(t["token"], t["logprob"], [(a["token"], a["logprob"]) for a in t["top_logprobs"]]) for t in given["content"]]
        else:
            tops = [list((top or {}).items()) for top in given.get("top_logprobs") or [None] * len(given["tokens"])]
            rows = zip(given["tokens"], given["token_logprobs"], tops, strict=True)
        return [_token(*row) for row in rows]
    except _BROKEN as error:
        raise EngineError("unreadable") from error


def _token(text: str, logprob: float | None, top: list[tuple[str, float]]) -> Token:
    best = sorted(((name, _checked(p)) for name, p in top), key=lambda t: -t[1])
    if not all(isinstance(name, str) for name in (text, *(name for name, _ in best))):
        raise ValueError("a token is a string")
    return Token(text, None if logprob is None else _checked(logprob), tuple(best))


def _checked(logprob) -> float:
    if isinstance(logprob, bool) or not isinstance(logprob, (int, float)) or math.isnan(logprob) or logprob > 0.01:
        raise ValueError("a log-probability is a number up to 0")
    return min(float(logprob), 0.0)
