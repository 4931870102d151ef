"""What is measured around speculative decoding: records, the chi-square test, the draws of one place."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from core.costs.speculation import tokens_per_round
from core.decoding import Round, Step
from core.measure.speculation import chi_square, draw_first, gain, record


def round_of(drafted: int, accepted: int, seconds=(0.2, 1.5)) -> Round:
    return Round(tuple(range(drafted)), accepted, 9, (0.5,) * drafted, tuple(0.1 * i for i in range(drafted)), *seconds)


def test_a_record_counts_what_was_looked_at():
    found = record([round_of(4, 2), round_of(4, 4), round_of(2, 0), round_of(0, 0)])
    assert (found.tokens, found.passes, found.accepted, found.judged) == (3 + 5 + 1 + 1, 4, 6, 3 + 4 + 1)
    assert found.acceptance == 6 / 8 and found.tokens_per_pass == 10 / 4
    assert found.overlap == pytest.approx((0.0 + 0.1 + 0.2 + 0.0 + 0.1 + 0.2 + 0.3 + 0.0) / 8)
    assert found.expected(4) == pytest.approx(tokens_per_round(0.75, 4))
    nothing = record([round_of(0, 0)])
    assert (nothing.acceptance, nothing.overlap) == (0, 0)


def test_the_gain_is_what_the_clock_says_and_the_formula_gets_its_costs():
    steps = [Step(1, 0.0, torch.ones(1), 0, s) for s in (1.0, 1.0, 1.0, 9.0)]  # one hiccup: 3 seconds a token on average
    found = gain(2, [round_of(2, 1), round_of(2, 2), round_of(2, 0)], steps)
    assert found.draft_cost == pytest.approx(0.1) and found.check_cost == pytest.approx(1.5) and found.acceptance == 3 / 5
    assert found.measured == pytest.approx(3.0 / (3 * 1.7 / 6))
    assert found.theorem == pytest.approx((1 + 0.6 + 0.36) / 1.2) and found.with_check == pytest.approx((1 + 0.6 + 0.36) / 1.7)


def test_chi_square_against_scipy():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(12))
    counts = rng.multinomial(5_000, probs)
    statistic, freedom, chance = chi_square(torch.tensor(counts), torch.tensor(probs), least=0)
    expected = chisquare(counts, probs * 5_000)
    assert freedom == 11 and statistic == pytest.approx(expected.statistic) and chance == pytest.approx(expected.pvalue)


def test_rare_tokens_are_taken_together():
    probs = torch.tensor([0.5, 0.4, 0.06, 0.02, 0.02])
    counts = torch.tensor([52, 40, 5, 2, 1])
    statistic, freedom, _ = chi_square(counts, probs)  # expected 50, 40, 6 and 2 + 2 < 5, which join the 6
    assert freedom == 2 and statistic == pytest.approx(chisquare([52, 40, 8], [50, 40, 10]).statistic)
    assert chi_square(torch.tensor([0, 100]), torch.tensor([0.0, 1.0])) == (0.0, 0, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_first_tokens_are_drawn_from_p_whatever_the_draft(seed):
    generator = torch.Generator().manual_seed(seed)
    p, q = (torch.randn(40, generator=generator) * 2 for _ in range(2))
    p, q = p.softmax(0), q.softmax(0)
    kept, corrected = draw_first(p, q, 30_000, seed)
    assert int((kept + corrected).sum()) == 30_000
    assert chi_square(kept + corrected, p)[2] > 1e-3 and chi_square(kept + corrected, q)[2] < 1e-9
    overlap = float(torch.minimum(p, q).sum())
    assert abs(float(kept.sum()) / 30_000 - overlap) < 4 * (overlap * (1 - overlap) / 30_000) ** 0.5
    assert corrected[p <= q].sum() == 0  # only what the draft gives too rarely is added
    same, none = draw_first(p, p, 1_000, seed)
    assert int(same.sum()) == 1_000 and int(none.sum()) == 0
