"""What a page asks an engine: the next token, a continuation, a text's perplexity, a beam search."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from core.decoding import BeamTree, search_steps
from core.engines import answers
from core.engines.answers import Token
from core.engines.client import Engine, ask, events
from core.engines.errors import EngineError
from core.engines.scoring import named_pieces, score
from core.measure import Perplexity

ENDS = ("", "\ufffd")  # a token that cannot be put behind a text: the end, or a part of a character
# Greedy, unfiltered and without a penalty for what was said before, unless asked otherwise: servers differ in what they do by default
# (llama-cpp-python penalises, vLLM follows the model's own settings) and leave alone what they do not know.
PLAIN = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "repetition_penalty": 1.0}


@dataclass(frozen=True)
class Next:
    """The likeliest next tokens, best first."""

    tokens: tuple[str, ...]
    shares: tuple[float, ...]  # probabilities

    @property
    def rest(self) -> float:
        """What all other tokens share."""
        return max(0.0, 1 - sum(self.shares))


@dataclass(frozen=True)
class Scored:
    """A text as the engine read it."""

    tokens: tuple[str, ...]  # (T,), the first without a score
    measured: Perplexity  # .nll (T-1,)
    requests: int  # what it took


@dataclass
class Search:
    """A beam search under way: tokens have numbers in its tree, and `words` says what they are."""

    words: list[str] = field(default_factory=list)
    requests: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def label(self, token: int) -> str:
        return self.words[token]

    def text(self, tokens) -> str:
        return "".join(self.words[token] for token in tokens)

    def number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self.words)
            self.words.append(word)
        return self._numbers[word]


def next_token(engine: Engine, text: str, k: int = 12) -> Next:
    """The `k` likeliest tokens after `text`; a server may know fewer (vLLM: 20 unless told otherwise). Raises EngineError."""
    top = _first(engine, text, k).top[:k]
    return Next(tuple(word for word, _ in top), tuple(math.exp(logprob) for _, logprob in top))


def write(
    engine: Engine, text: str, max_new_tokens: int, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0
) -> Iterator[Token]:
    """Continue `text` token by token as they come; leaving the iterator hangs up, which ends the server's work.

    A token's logprob is the model's own (temperature 1, unfiltered). Raises EngineError.
    """
    asked = {"max_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "seed": seed}
    for event in events(engine, "/v1/completions", _body(engine, text, asked | {"logprobs": 1})):
        yield from answers.tokens(event)


def perplexity(engine: Engine, text: str, on_token: Callable[[int, int], None] = lambda done, all: None) -> Scored:
    """How surprised the engine's model is at every token of `text` but the first.

    One request where the server returns log-probabilities of what it is sent (`echo`: vLLM), and a second that checks
    them at one place: some servers return those of the place behind (llama-cpp-python). Elsewhere the text is scored
    token by token, a request each, where the server names the text's tokens. Raises EngineError.
    """
    echoed = _echoed(engine, text)
    if echoed and _in_place(engine, echoed):
        nll = [-token.logprob for token in echoed[1:]]
        return Scored(tuple(token.text for token in echoed), Perplexity(torch.tensor(nll)), 2)
    pieces = named_pieces(engine, text, [token.text for token in echoed or ()])
    nll = score(pieces, lambda piece, asked: _first(engine, piece.before, 1, asked, piece.n_before), on_token)
    return Scored(tuple(piece.text for piece in pieces), Perplexity(torch.tensor(nll)), len(nll))


def beam_steps(
    engine: Engine, text: str, width: int, max_new_tokens: int, length_penalty: float = 1.0
) -> Iterator[tuple[Search, BeamTree]]:
    """`core.decoding.search_steps` with the engine's predictions, one request a beginning; the whole tree comes last.

    Differs from a search in the model itself in two ways: every beginning goes to the server as text, which it cuts into
    tokens anew, and tokens that are no text of their own (ends, parts of a character) are left out. Raises EngineError.
    """
    search = Search()
    texts = [text]

    def likeliest(beginnings: list[str]):
        rows = [[(w, p) for w, p in _first(engine, t, 2 * width).top if w not in ENDS][: 2 * width] for t in beginnings]
        search.requests += len(rows)
        n = max(map(len, rows))
        if not n:
            raise EngineError("no_logprobs")
        logprobs, words = torch.full((len(rows), n), -torch.inf), torch.zeros(len(rows), n, dtype=torch.long)
        for r, row in enumerate(rows):
            for i, (word, logprob) in enumerate(row):
                logprobs[r, i], words[r, i] = logprob, search.number(word)
        return logprobs, words

    def go_on(step: int, rows: list[int], tokens: list[int]):
        texts[:] = [texts[row] + search.label(token) for row, token in zip(rows, tokens)]
        return likeliest(texts)

    for tree in search_steps(likeliest(texts), go_on, width, max_new_tokens, length_penalty, ()):
        yield search, tree


def _body(engine: Engine, prompt: str | list[int], asked: dict) -> dict:
    if not prompt:
        raise EngineError("empty")
    return {"model": engine.model, "prompt": prompt} | PLAIN | asked


def _first(engine: Engine, prompt: str | list[int], k: int, asked: dict | None = None, n_prompt: int | None = None) -> Token:
    """The token that the server puts behind `prompt`, with the k likeliest there; `n_prompt` are the tokens that it must see."""
    answer = ask(engine, "/v1/completions", _body(engine, prompt, {"max_tokens": 1, "logprobs": k} | (asked or {})))
    usage = answer.get("usage")
    if n_prompt is not None and isinstance(usage, dict) and usage.get("prompt_tokens", n_prompt) != n_prompt:
        raise EngineError("no_scores")  # it cuts this beginning of the text into other tokens than the whole
    found = answers.tokens(answer)
    if not found or not found[0].top or found[0].logprob is None:
        raise EngineError("no_logprobs")
    return found[0]


def _echoed(engine: Engine, text: str) -> list[Token] | None:
    """The tokens of `text` as the server returns them, None where it does not or where they do not make up the text."""
    try:  # one token is written: for some servers none means as many as fit
        found = answers.tokens(ask(engine, "/v1/completions", _body(engine, text, {"max_tokens": 1, "logprobs": 1, "echo": True})))
    except EngineError as error:
        if error.kind in ("no_logprobs", "unreadable") or error.values.get("status") in (400, 422, 500, 501):
            return None
        raise
    for start in (0, 1):  # a sign for the beginning of a text may stand first
        so_far = ""
        for n, token in enumerate(found[start:], 1):
            so_far += token.text
            if so_far == text:
                return found[start : start + n]
    return None


def _in_place(engine: Engine, echoed: list[Token]) -> bool:
    """Whether the log-probabilities belong to the tokens they stand at: one place is asked for again.

    It is the last one whose likeliest token differs from the next place's.
    """
    if len(echoed) < 2 or any(token.logprob is None or not token.top for token in echoed[1:]):
        return False
    best = [token.top[0][0] if token.top else None for token in echoed]
    at = next((i for i in range(len(best) - 2, 0, -1) if best[i] != best[i + 1]), len(best) - 1)
    there = _first(engine, "".join(token.text for token in echoed[:at]), 1).top[0]
    return there[0] == best[at] and abs(there[1] - echoed[at].top[0][1]) < 0.3



