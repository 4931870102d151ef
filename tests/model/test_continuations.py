"""Probabilities of continuations against transformers on the same weights; recorded calibration against the running model."""

import pytest
import torch

from core import load_model
from core.measure.association import associations
from core.measure.continuations import continuation_logprobs
from tests.model.reference import as_transformers


@pytest.fixture(scope="module")
def mini():
    return load_model("mini")


def test_the_same_as_transformers_one_by_one(mini):
    theirs = as_transformers(mini)
    encode = mini.tokenizer.encode
    texts = (("Die Sonne", " scheint."), ("My sister works as", " a nurse."), ("Es war", " einmal ein König"), ("A", "b"))
    pairs = [(encode(start), encode(end)) for start, end in texts]
    found = continuation_logprobs(mini, pairs * 6)  # more than are read at once
    for (start, end), ours in zip(pairs, found):
        with torch.inference_mode():
            shares = theirs(torch.tensor([start + end])).logits[0].log_softmax(-1)
        expected = sum(float(shares[len(start) - 1 + i, token]) for i, token in enumerate(end))
        assert float(ours) == pytest.approx(expected, abs=1e-3)
    assert torch.allclose(found[:4], found[-4:], atol=1e-4)


def test_nothing_to_go_on_is_refused(mini):
    with pytest.raises(ValueError, match="at least one token"):
        continuation_logprobs(mini, [([5], [])])


def test_exhaustive_continuations_are_certain(mini):
    """Over all tokens of the vocabulary the probabilities of one-token continuations are those of the next token."""
    ids = mini.tokenizer.encode("Die Hauptstadt von Frankreich ist")
    some = [3, 500, 9000, 16_000]
    expected = mini.logits(ids)[-1].log_softmax(-1)[some]
    assert torch.allclose(continuation_logprobs(mini, [(ids, [token]) for token in some]), expected, atol=1e-4)


def test_the_measure_sees_what_is_true_by_definition(mini):
    """A man is expected rather of him: the positive control of the English list."""
    found = {one.words: one for one in associations(mini, "en", draws=200)}
    assert found["a man"].mean < 0 < found["a woman"].mean
    assert all(one.low <= one.mean <= one.high for one in found.values())
