"""Perplexity by hand, its inequality for any losses, and what the charts of its page hold."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.charts.perplexity import jensen_data, sum_data, surprisal_data
from core.measure import Perplexity

losses = st.lists(st.floats(0, 40), min_size=1, max_size=50)


@given(losses)
def test_exp_of_the_mean_is_never_above_the_mean_of_exps(nll):
    measured = Perplexity(torch.tensor(nll, dtype=torch.float64))
    assert measured.perplexity <= measured.mean_of_exp * (1 + 1e-9)


@given(losses)
def test_bits_add_up_to_the_probability_of_the_text(nll):
    """Probabilities multiply, so surprises add: 2^-sum is their product."""
    bits = Perplexity(torch.tensor(nll, dtype=torch.float64)).bits
    assert float(bits.sum()) == pytest.approx(sum(nll) / math.log(2))
    assert 2 ** float(bits.mean()) == pytest.approx(math.exp(sum(nll) / len(nll)))


def test_by_hand():
    """Chances of 1/2, 1/4 and 1/8 are 1, 2 and 3 bits: 6 bits in all, as unsure as between 4."""
    measured = Perplexity(-torch.tensor([1 / 2, 1 / 4, 1 / 8], dtype=torch.float64).log())
    assert measured.bits.tolist() == pytest.approx([1, 2, 3])
    assert measured.perplexity == pytest.approx(4) and measured.mean_of_exp == pytest.approx((2 + 4 + 8) / 3)
    assert measured.bits_per_byte(len("drei Tokens!")) == pytest.approx(6 / 12)


def test_nlls_1_and_3():
    measured = Perplexity(torch.tensor([1.0, 3.0]))
    assert measured.perplexity == pytest.approx(7.389, abs=1e-3) and measured.mean_of_exp == pytest.approx(11.402, abs=1e-3)


def test_the_bars_carry_the_mean_so_far():
    data = surprisal_data(["a", "b", "a"], np.array([1.0, 2.0, 6.0]), 2, 100)
    assert data["mean"].tolist() == [1, 1.5, 3] and data["perplexity"].tolist() == pytest.approx([2, 2**1.5, 8])
    assert data["share"].tolist() == [0.5, 0.25, 2**-6] and data["chosen"].tolist() == [False, False, True]
    assert data["label"].nunique() == 3


def test_the_sum_starts_at_nothing_and_ends_at_the_total():
    data = sum_data([("computed", "mini", ["a", "bc"], [1, 2], np.array([3.0, 0.5])), ("reused", "mini", ["x"], [4], np.array([9.0]))])
    assert data[data["role"] == "computed"][["bytes", "bits"]].values.tolist() == [[0, 0], [1, 3], [3, 3.5]]
    assert data[data["role"] == "reused"][["bytes", "bits"]].values.tolist() == [[0, 0], [4, 9]]


def test_both_means_stand_at_the_mean_surprise():
    data = jensen_data(["a", "b"], np.array([1.0, 3.0]), 4, 5, {"right": "r", "wrong": "w"})
    assert data["bits"].tolist() == [1, 3, 2, 2] and data["choices"].tolist() == [2, 8, 4, 5]
    assert data["word"].tolist() == ["", "", "r", "w"]
