"""What the page on bias and calibration keeps: measured lists, recorded reliability, and that of the viewer's text."""

import math
from dataclasses import dataclass
from functools import cache

import torch

from core.measure import recorded as runs
from core.measure.association import Association, associations
from core.measure.calibration import Reliability, at_temperature, reliability, right
from core.models.language_model import LanguageModel
from core.ui.kept import Kept

TEMPERATURES = [round(0.5 + 0.05 * step, 2) for step in range(21)]  # the slider's, 0.5 to 1.5
OWN_BINS = 5  # a few hundred tokens fill no more
_lists, _texts = Kept(most=8), Kept(most=16)


@dataclass(frozen=True)
class Calibration:
    """Reliability, calibration error and mean surprise (nats) by temperature, of `tokens` predictions."""

    by_temperature: dict[float, Reliability]
    nll: dict[float, float]
    tokens: int
    accuracy: float
    best_temperature: float  # recorded: found on other documents; own text: on itself


@cache
def recorded(language: str) -> Calibration:
    """What `python -m core.bench calibration` measured on held-out text."""
    run = runs.recorded("calibration")
    found = run["languages"][language]
    columns = zip(found["count"], found["confidence"], found["right"])
    reliabilities = [Reliability(*(torch.tensor(column, dtype=torch.float64) for column in three)) for three in columns]
    by_temperature = {t: one for t, one in zip(run["temperatures"], reliabilities) if t in TEMPERATURES}
    nll = dict(zip(run["temperatures"], found["nll"]))
    return Calibration(by_temperature, nll, found["tokens"], found["accuracy"], found["best_temperature"])


def recorded_model() -> str:
    """Name of the model that was recorded."""
    return runs.recorded("calibration")["model"]


def own(lm: LanguageModel, ids) -> Calibration:
    """The same of the viewer's text, at the slider's temperatures."""
    return _texts.get((lm.name, tuple(ids)), lambda: _own(lm, ids))


def _own(lm: LanguageModel, ids) -> Calibration:
    logits, targets = lm.logits(list(ids))[:-1], torch.tensor(ids[1:], dtype=torch.long)
    correct = right(logits, targets)
    both = {t: at_temperature(logits, targets, t) for t in TEMPERATURES}
    found = {t: reliability(confidence, correct, OWN_BINS) for t, (confidence, _) in both.items()}
    nll = {t: float(surprise.double().mean()) for t, (_, surprise) in both.items()}
    return Calibration(found, nll, len(targets), float(correct.double().mean()), min(nll, key=nll.get))


def measured_lists(lm: LanguageModel, language: str) -> list[Association]:
    """The lists of a language, measured once for all viewers (some seconds the first time)."""
    return _lists.get((lm.name, language), lambda: associations(lm, language))


def lists_are_measured(lm: LanguageModel, language: str) -> bool:
    return (lm.name, language) in _lists


def percent(t, share: float) -> str:
    """A probability as a percentage with two decimals, or as many as its first two digits take (down to 1e-9 %)."""
    decimals = max(2, 1 - math.floor(math.log10(max(100 * share, 1e-9))))
    return t.number(share, f".{decimals}%")
