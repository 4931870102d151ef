"""Beam searches and written texts for the pages: step by step, so that a wait moves, and kept for whoever asks next."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pandas as pd
import streamlit as st

from core.decoding import BeamTree, generate
from core.decoding.foresight import Foresight, remembered_steps
from core.models.language_model import LanguageModel
from core.tokenizers import Tokenizer
from core.ui import live
from core.ui.kept import Kept
from core.ui.token_strip import candidates, token_strip

_results = Kept(96, long=True)  # over all viewers; the largest tree takes about 300 kB
_known = Kept(12)  # about 1 MB each at most

OnStep = Callable[[int], None]  # called with the number of steps done, from 0 on


@dataclass(frozen=True)
class Written:
    """A continuation."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]  # of each token in the model's own distribution, natural log

    @property
    def logprob(self) -> float:
        """Of the whole text."""
        return sum(self.logprobs)

    @property
    def shares(self) -> list[float]:
        """The tokens' probabilities."""
        return [math.exp(logprob) for logprob in self.logprobs]


def winner(tree: BeamTree) -> Written:
    """The best text of a search, with each token's own probability."""
    best = tree.hypotheses[0]
    return Written(best.ids, tuple(tree.nodes[index].logprob for index in tree.branch(best.node)))


def compared(greedy: Written, beam: Written) -> dict[str, float]:
    """Both texts' log-probabilities, and how many times likelier the second is."""
    return {"greedy": greedy.logprob, "beam": beam.logprob, "times": math.exp(beam.logprob - greedy.logprob)}


def hypothesis_table(tree: BeamTree, tokenizer: Tokenizer) -> pd.DataFrame:
    """The finished beginnings, best first: text, tokens, logprob, score."""
    rows = [
        ("".join(tokenizer.labels(h.ids)).replace("␣", " ").strip(), len(h.ids), round(h.logprob, 3), round(h.score, 3))
        for h in tree.hypotheses
    ]
    return pd.DataFrame(rows, columns=["text", "tokens", "logprob", "score"])


def marked_strip(page, name: str, text: Written, title: str, marks: Sequence[bool], notes: bool = True) -> None:
    """A text as tokens under its title, `marks` framed; `notes` writes each token's probability below it."""
    st.markdown(f"**{title}**")
    tokens = candidates(page, page.lm.tokenizer.labels(text.tokens), text.shares)
    tokens = [replace(token, state="marked" if mark else "", note=token.note if notes else "") for token, mark in zip(tokens, marks)]
    token_strip(page, name, tokens, title)


def cache_sizes(tree: BeamTree, greedy: Written, prompt_bytes: int, n_prompt: int, width: int) -> list[tuple[str, int, int]]:
    """What the caches take: (way, bytes of the prompt, bytes of what was written) for greedy, one shared prompt, one copy a beam."""
    own, each = tree.cache_bytes - prompt_bytes, prompt_bytes // n_prompt
    return [("greedy", prompt_bytes, each * (len(greedy.tokens) - 1)), ("shared", prompt_bytes, own), ("copied", width * prompt_bytes, own)]


@cache
def ends(tokenizer: Tokenizer, sentence: bool) -> frozenset[int]:
    """Tokens that end a text: the end of text alone, or also what ends a sentence (. ! ? and a line break behind them)."""
    marks = range(tokenizer.n_vocab) if sentence else ()
    return frozenset(i for i in marks if tokenizer.token_bytes(i).rstrip().endswith((b".", b"!", b"?"))) | {tokenizer.eot}


def searched(lm: LanguageModel, ids, width: int, steps: int, length_penalty: float, stop: frozenset[int], on_step: OnStep) -> BeamTree:
    """`beam_search`; `on_step` is not called when the result is known. What searches with other settings have learned is used."""
    key, known = ("beam", lm.name, tuple(ids), width, steps, length_penalty, stop), _known.get((lm.name, tuple(ids)), Foresight)
    return _kept(key, lambda: remembered_steps(lm, ids, width, steps, length_penalty, stop, lambda: _beginning(lm, ids), known), on_step)


def greedily(lm: LanguageModel, ids, n: int, stop: frozenset[int], on_step: OnStep) -> Written:
    """The likeliest token again and again, up to one of `stop`: a search of width 1, which shares what the others have learned."""
    return winner(searched(lm, ids, 1, n, 0.0, stop, on_step))


def written(lm: LanguageModel, ids, n: int, stop: frozenset[int], on_step: OnStep, seed: int = 0, **settings) -> Written:
    """`generate` up to a token of `stop`, with the settings of `distribution`."""
    key = ("text", lm.name, tuple(ids), n, stop, seed, *sorted(settings.items()))
    return _kept(key, lambda: _writing(lm, ids, n, stop, seed, settings), on_step)


def _writing(lm, ids, n, stop, seed, settings) -> Iterator[Written]:
    text = Written((), ())
    for step in generate(lm, ids, n, seed=seed, cache=_beginning(lm, ids, room=n), **settings):
        text = Written((*text.tokens, step.token), (*text.logprobs, step.logprob))
        yield text
        if step.token in stop:
            return


def _beginning(lm, ids, room: int = 0):
    """The prompt's keys and values but for its last token, which gives the first scores."""
    return live.beginning(live.read(lm, ids), len(ids) - 1, room=room + 1)


def _kept(key, start: Callable[[], Iterator], on_step: OnStep):
    """The last result of a run, from memory where it was asked for before."""

    def compute():
        on_step(0)
        for step, result in enumerate(start(), 1):  # noqa: B007
            on_step(step)  # a viewer who changes a setting ends the run here
        return result

    return _results.get(key, compute)
