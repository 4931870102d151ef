"""Calibration against scikit-learn and torchmetrics; bootstrap intervals against scipy; what was recorded holds together."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import multiclass_calibration_error

from core.measure.association import Association, interval, lists, spread
from core.measure.calibration import at_temperature, reliability, right

ROOT = Path(__file__).resolve().parents[2]


def scores(n=3000, v=12, sharpness=1.0, seed=0):
    """Logits of a model that is calibrated at temperature 1, times `sharpness`, and targets drawn from it."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2.5 * torch.randn(n, v, generator=generator)
    targets = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return sharpness * logits, targets


@pytest.mark.parametrize("n_bins", [5, 10, 15])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_reliability_is_that_of_scikit_learn_and_torchmetrics(n_bins, sharpness):
    logits, targets = scores(sharpness=sharpness)
    confidence, _ = at_temperature(logits, targets, 1.0)
    correct = right(logits, targets)
    found = reliability(confidence, correct, n_bins)
    accuracy, sure = calibration_curve(correct.numpy(), confidence.numpy(), n_bins=n_bins, strategy="uniform")
    filled = found.count > 0
    assert np.allclose(found.accuracy[filled], accuracy) and np.allclose(found.confidence[filled], sure)
    theirs = multiclass_calibration_error(logits.softmax(-1), targets, num_classes=12, n_bins=n_bins, norm="l1")
    assert found.error == pytest.approx(float(theirs), abs=1e-5)
    assert int(found.count.sum()) == len(targets)


def test_temperature_scaling_mends_a_model_that_is_too_sure():
    logits, targets = scores(sharpness=2.0)
    before, nll_before = at_temperature(logits, targets, 1.0)
    after, nll_after = at_temperature(logits, targets, 2.0)
    correct = right(logits, targets)
    assert reliability(after, correct).error < 0.3 * reliability(before, correct).error
    assert nll_after.mean() < nll_before.mean() and torch.equal(correct, right(logits / 2, targets))


def test_confidence_and_surprise_are_those_of_softmax():
    logits, targets = scores(n=50)
    confidence, nll = at_temperature(logits, targets, 0.7)
    probs = (logits.double() / 0.7).softmax(-1)
    assert np.allclose(confidence, probs.amax(-1)) and np.allclose(nll, -probs[torch.arange(50), targets].log(), atol=1e-5)


@pytest.mark.parametrize("confidence, bin", [(0.0, 0), (0.1, 0), (0.1001, 1), (0.55, 5), (1.0, 9)])
def test_bins_hold_their_upper_end(confidence, bin):
    found = reliability(torch.tensor([confidence], dtype=torch.float64), torch.tensor([True]), 10)
    assert found.count.nonzero().item() == bin


def test_nothing_to_sort():
    assert reliability(torch.zeros(0), torch.zeros(0, dtype=torch.bool)).error == 0.0


def test_bootstrap_is_that_of_scipy():
    values = np.random.default_rng(1).normal(0.4, 1.0, 9)
    ours = interval(values, draws=20_000)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_spread_is_the_root_of_the_mean_square():
    found = [Association("a", "x", np.zeros(1), mean, 0, 0) for mean in (3.0, -4.0)] + [Association("b", "y", np.zeros(1), 9.0, 0, 0)]
    assert spread(found, "a") == pytest.approx(np.sqrt(12.5))


@pytest.mark.parametrize("language, forms", [("en", 1), ("de", 2)])
def test_the_lists_are_whole(language, forms):
    persons, groups = lists(language)
    assert len(persons) >= 6 and all(len(pair) == 2 for pair in persons)
    assert {group.name for group in groups} == {"occupation", "control", "definition"}
    occupations = next(group.things for group in groups if group.name == "occupation")
    assert len(occupations) == len(set(occupations)) == 20 and all(len(thing) == forms for thing in occupations)


@pytest.mark.parametrize("language", ["de", "en"])
def test_what_was_recorded_holds_together(language):
    """The recorded errors follow from the recorded bins; the best temperature does not raise the surprise on other documents."""
    run = json.loads((ROOT / "assets" / "runs" / "calibration.json").read_text("utf-8"))
    found, at = run["languages"][language], run["temperatures"].index
    for i in range(len(run["temperatures"])):
        count, sure, correct = (np.array(found[name][i]) for name in ("count", "confidence", "right"))
        assert count.sum() == found["tokens"]
        assert (count * abs(sure - correct)).sum() / count.sum() == pytest.approx(found["error"][i], abs=2e-4)
    best = found["best_temperature"]
    assert found["nll"][at(best)] <= found["nll"][at(1.0)] + 1e-4
    assert found["error"][at(best)] <= found["error"][at(1.0)] + 1e-4
