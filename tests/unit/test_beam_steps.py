"""Beam search step by step, and how much a text repeats itself."""

import pytest
import torch

from core.decoding import beam_search, beam_steps
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


@pytest.mark.parametrize(("ids", "n", "share"), [([1, 2, 3, 4], 2, 0.0), ([1, 2, 1, 2, 1, 2], 2, 3 / 5), ([7] * 5, 3, 2 / 3), ([1, 2], 3, 0.0)])
def test_repeated_ngrams_by_hand(ids, n, share):
    assert repeated(ids, n).mean == pytest.approx(share)


def test_repeated_marks_every_token_of_what_returns():
    assert repeated([5, 1, 2, 9, 1, 2, 8], 2).marks == [False, False, False, False, True, True, False]


def test_repeated_needs_a_positive_length():
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        repeated([1, 2], 0)
