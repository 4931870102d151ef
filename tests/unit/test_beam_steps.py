"""Beam search step by step, and how much a text repeats itself."""

import pytest
import torch

from core.decoding import beam_search, beam_steps, generate
from core.decoding.foresight import Foresight, remembered_steps
from core.kv_cache import make_cache
from core.measure.repetition import repeated


def test_the_last_step_is_the_whole_search(tiny):
    ids = tiny.tokenizer.encode("Hallo")
    trees = list(beam_steps(tiny, ids, 3, 6))
    assert len(trees) == 6
    assert trees[-1] == beam_search(tiny, ids, 3, 6)
    assert [max(node.step for node in tree.nodes) for tree in trees] == [1, 2, 3, 4, 5, 6]
    assert trees[2].nodes == trees[-1].nodes[: len(trees[2].nodes)]  # what was kept once stays recorded as kept
    assert not trees[2].hypotheses


def test_a_beginning_read_before_changes_nothing(tiny):
    ids = tiny.tokenizer.encode("Once upon a time")
    prefix = make_cache("full", tiny.config)
    tiny.forward(torch.tensor([ids[:9]]), prefix)
    with_prefix, without = beam_search(tiny, ids, 4, 5, prefix=prefix), beam_search(tiny, ids, 4, 5)
    assert [h.ids for h in with_prefix.hypotheses] == [h.ids for h in without.hypotheses]
    assert [h.logprob for h in with_prefix.hypotheses] == pytest.approx([h.logprob for h in without.hypotheses], abs=1e-4)
    assert with_prefix.cache_bytes == without.cache_bytes


def test_a_search_may_be_left(tiny):
    steps = beam_steps(tiny, [1, 2, 3], 2, 20)
    next(steps)
    steps.close()
    assert not torch.is_inference_mode_enabled()


def assert_same_search(found, expected):
    """Both looked at the same beginnings, and counted the same work."""
    names = ("step", "token", "parent", "kept")
    assert [[getattr(node, name) for name in names] for node in found.nodes] == [[getattr(n, name) for name in names] for n in expected.nodes]
    assert [node.total for node in found.nodes] == pytest.approx([node.total for node in expected.nodes], abs=1e-4)
    assert [h.ids for h in found.hypotheses] == [h.ids for h in expected.hypotheses]
    assert (found.forward_passes, found.cache_bytes) == (expected.forward_passes, expected.cache_bytes)


def test_searches_that_share_what_they_learned_are_those_of_their_own(tiny, monkeypatch):
    """In any order, also where a search leaves the ways of those before and has to read what it was only told."""
    ids, known, asked = tiny.tokenizer.encode("Once upon a time"), Foresight(), []
    forward = type(tiny).forward
    monkeypatch.setattr(type(tiny), "forward", lambda lm, new, *args, **options: asked.append(new.shape) or forward(lm, new, *args, **options))

    def prefix():
        cache = make_cache("full", tiny.config)
        forward(tiny, torch.tensor([ids[:9]]), cache)
        return cache

    for width, steps, penalty, stops in (
        (3, 6, 1.0, {256}), (3, 6, 0.0, {256}), (3, 4, 1.0, {256}), (3, 9, 1.0, {256}), (5, 7, 1.0, {256}), (1, 8, 0.0, {256}), (4, 8, 2.0, {46, 10}),
    ):  # fmt: skip
        asked.clear()
        *_, found = remembered_steps(tiny, ids, width, steps, penalty, stops, prefix, known)
        n_asked = len(asked)
        assert_same_search(found, beam_search(tiny, ids, width, steps, penalty, stops))
        if (width, steps) in ((3, 6), (3, 4)) and penalty != 1.0 or steps == 4:
            assert n_asked == 0  # another penalty, or fewer steps, asks for nothing new
        if (width, steps) == (3, 9):
            assert n_asked <= 1 + 4  # the prompt, and the steps that are new


def test_a_search_of_width_one_is_greedy(tiny):
    ids = tiny.tokenizer.encode("Es war einmal")
    *_, tree = remembered_steps(tiny, ids, 1, 12, 0.0, {256}, lambda: make_cache("full", tiny.config), Foresight())
    steps = list(generate(tiny, ids, 12, temperature=0, stop=256))
    assert tree.hypotheses[0].ids == tuple(step.token for step in steps)
    assert tree.hypotheses[0].logprob == pytest.approx(sum(step.logprob for step in steps), abs=1e-4)


@pytest.mark.parametrize(("ids", "n", "share"), [([1, 2, 3, 4], 2, 0.0), ([1, 2, 1, 2, 1, 2], 2, 3 / 5), ([7] * 5, 3, 2 / 3), ([1, 2], 3, 0.0)])
def test_repeated_ngrams_by_hand(ids, n, share):
    assert repeated(ids, n).mean == pytest.approx(share)


def test_repeated_marks_every_token_of_what_returns():
    assert repeated([5, 1, 2, 9, 1, 2, 8], 2).marks == [False, False, False, False, True, True, False]


def test_repeated_needs_a_positive_length():
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        repeated([1, 2], 0)
