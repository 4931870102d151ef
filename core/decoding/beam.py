"""Beam search: keep the `width` best beginnings instead of one."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.kv_cache import Cache, SharedPrefixCache, make_cache
from core.models.language_model import LanguageModel, as_batch

Stop = int | Collection[int] | None  # token or tokens that end a text; None = the tokenizer's end of text
Likeliest = tuple[Tensor, Tensor]  # for every beginning the n likeliest next tokens, best first: logprobs, ids, both (rows, n)
GoOn = Callable[[int, list[int], list[int]], Likeliest]


@dataclass(frozen=True)
class Node:
    """One token that was considered at one step."""

    step: int  # 1 = first new token
    token: int
    parent: int | None  # index into `BeamTree.nodes`; None = the prompt
    logprob: float  # of this token after its parent, natural log
    total: float  # summed over the branch
    kept: bool  # False = pruned here


@dataclass(frozen=True)
class Hypothesis:
    """One finished continuation."""

    ids: tuple[int, ...]  # new tokens only
    logprob: float  # summed, natural log
    score: float  # logprob / len(ids) ** length_penalty
    node: int  # its last token in `BeamTree.nodes`


@dataclass(frozen=True)
class BeamTree:
    """Everything a beam search looked at."""

    hypotheses: tuple[Hypothesis, ...]  # best first
    nodes: tuple[Node, ...]
    forward_passes: int  # rows run through the network, the prompt counted once
    cache_bytes: int  # keys and values held at the end, the prompt's stored once

    def branch(self, node: int) -> list[int]:
        """Indices of the nodes from the first token to `node`."""
        path = []
        while node is not None:
            path.append(node)
            node = self.nodes[node].parent
        return path[::-1]


def beam_search(
    lm: LanguageModel, ids, width: int, max_new_tokens: int, length_penalty: float = 1.0, stop: Stop = None, prefix: Cache | None = None
) -> BeamTree:
    """Search for the likeliest continuation of `ids`, keeping `width` beginnings alive at every step.

    The rules are those of transformers' `generate(num_beams=width)`: of all continuations the 2 · width
    likeliest are looked at; one that ends (with `stop`, by default the tokenizer's end of text) is
    finished if it is among the first `width`; the best `width` others go on. Finished ones are compared by
    logprob / length ** length_penalty, so above 0 a larger penalty favours longer texts.
    """
    *_, tree = beam_steps(lm, ids, width, max_new_tokens, length_penalty, stop, prefix)
    return tree


@torch.inference_mode()
def beam_steps(
    lm: LanguageModel, ids, width: int, max_new_tokens: int, length_penalty: float = 1.0, stop: Stop = None, prefix: Cache | None = None
) -> Iterator[BeamTree]:
    """`beam_search` step by step: the tree after every step, the whole one last. May be left at any point.

    `prefix` is a full cache that already holds a beginning of `ids`, not all of it; it is written on.
    """
    _check(width, max_new_tokens)
    stop = getattr(lm.tokenizer, "eot", None) if stop is None else stop
    stops = stop if isinstance(stop, Collection) else {stop}
    prefix = make_cache("full", lm.config) if prefix is None else prefix
    asked = Asked(lm, ids, 2 * width, max_new_tokens, prefix)
    yield from search_steps(asked.first(), asked.go_on, width, max_new_tokens, length_penalty, stops, lambda: asked.cache.bytes_held)


class Asked:
    """The network as a search asks it: always for the `n` likeliest next tokens. The prompt's keys and values are stored once.

    `prefix` is a full cache as in `beam_steps`; there is room for `room` new tokens.
    """

    def __init__(self, lm: LanguageModel, ids, n: int, room: int, prefix: Cache):
        self.lm, self.n, self.room, self.prompt = lm, n, room, prefix
        self.ids = as_batch(ids, lm.config.vocab_size)[:1]
        self.cache: SharedPrefixCache | None = None  # of the living beginnings, once the prompt is read

    def first(self) -> Likeliest:
        """What follows the prompt."""
        found = self._likeliest(self.ids[:, self.prompt.seen[0] :], self.prompt)
        self.cache = SharedPrefixCache(self.prompt, 1, self.room)
        return found

    def go_on(self, step: int, rows: list[int], tokens: list[int]) -> Likeliest:
        """What follows every beginning: row r of the last answer, continued by a token."""
        if step > 1:
            self.cache.reorder(torch.tensor(rows))
        return self._likeliest(torch.tensor(tokens)[:, None], self.cache)

    def read(self, beginnings: list[tuple[int, ...]]) -> Likeliest:
        """What follows whole beginnings, all of one length, each read in one go."""
        self.cache = SharedPrefixCache(self.prompt, len(beginnings), self.room)
        return self._likeliest(torch.tensor(beginnings), self.cache)

    def _likeliest(self, new: Tensor, cache: Cache) -> Likeliest:
        logprobs = self.lm.forward(new, cache, last_only=True)[:, -1].float().log_softmax(-1)  # (rows, V)
        return tuple(logprobs.topk(min(self.n, logprobs.shape[-1]), dim=-1))


def search_steps(
    first: Likeliest, go_on: GoOn, width: int, max_new_tokens: int, length_penalty: float, stops: Collection[int], held=lambda: 0
) -> Iterator[BeamTree]:
    """The search itself, whoever predicts: the tree after every step, the whole one last.

    `first` are the likeliest tokens after the prompt. `go_on(step, rows, tokens)` tells those after every beginning that
    lives on: row r of the last answer, continued by a token. `held()` is the bytes that the predictor holds.
    """
    _check(width, max_new_tokens)
    logprobs, words = first  # (rows, n), best first
    nodes: list[Node] = []
    finished: list[Hypothesis] = []
    beams: list[int | None] = [None]  # last node of every living beginning
    totals = torch.zeros(1)
    passes = 1

    for step in range(1, max_new_tokens + 1):
        rows, tokens, scores = _best(totals, logprobs, words, 2 * width)
        looked_at = _add_nodes(nodes, step, beams, totals, logprobs, words, width, rows, tokens)
        going_on = []
        for rank, (row, token, total) in enumerate(zip(rows, tokens, scores)):
            ends = token in stops or step == max_new_tokens
            if ends and rank < width:
                finished.append(_hypothesis(nodes, looked_at[row, token], total, length_penalty))
            elif not ends:
                going_on.append((row, token, total))
        finished = sorted(finished, key=lambda h: -h.score)[:width]
        going_on = going_on[:width]
        for row, token, _ in going_on:
            _mark_kept(nodes, looked_at[row, token])
        yield BeamTree(tuple(finished), tuple(nodes), passes, held())
        best_possible = going_on[0][2] / step**length_penalty if going_on else -torch.inf
        if not going_on or (len(finished) == width and best_possible <= finished[-1].score):
            return
        beams = [looked_at[row, token] for row, token, _ in going_on]
        totals = torch.tensor([total for _, _, total in going_on])
        logprobs, words = go_on(step, [row for row, _, _ in going_on], [token for _, token, _ in going_on])
        passes += len(beams)


def _check(width: int, max_new_tokens: int) -> None:
    if width < 1:
        raise ValueError(f"width must be >= 1, got {width}")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be >= 1, got {max_new_tokens}")


def _best(totals: Tensor, logprobs: Tensor, words: Tensor, n: int) -> tuple[list[int], list[int], list[float]]:
    """The n likeliest continuations of all beginnings, best first: their rows, tokens and summed logprobs."""
    scores, index = (totals[:, None] + logprobs).flatten().topk(min(n, logprobs.numel()))
    there = scores > -torch.inf
    index = index[there]
    return (index // logprobs.shape[-1]).tolist(), words.flatten()[index].tolist(), scores[there].tolist()


def _add_nodes(nodes, step, beams, totals, logprobs, words, width, rows, tokens) -> dict[tuple[int, int], int]:
    """Record what this step looked at: every beginning's `width` likeliest tokens and all candidates."""
    considered = set(zip(rows, tokens))
    index = {}
    for row, (values, names) in enumerate(zip(logprobs.tolist(), words.tolist())):
        for rank, (logprob, token) in enumerate(zip(values, names)):
            if logprob > -torch.inf and (rank < width or (row, token) in considered):
                index[row, token] = len(nodes)
                nodes.append(Node(step, token, beams[row], logprob, float(totals[row]) + logprob, kept=False))
    return index


def _mark_kept(nodes: list[Node], index: int) -> None:
    nodes[index] = Node(**{**nodes[index].__dict__, "kept": True})


def _hypothesis(nodes: list[Node], last: int, total: float, length_penalty: float) -> Hypothesis:
    _mark_kept(nodes, last)
    tokens, node = [], last
    while node is not None:
        tokens.append(nodes[node].token)
        node = nodes[node].parent
    return Hypothesis(tuple(tokens[::-1]), total, total / len(tokens) ** length_penalty, last)
