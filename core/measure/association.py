"""Does a model expect other things of women than of men? Measured in matched pairs of sentences.

Of each beginning ("My sister works as", "My brother works as") the model's probability is shared out among the
things of one list; a thing's difference is log2 of its share after her minus log2 of its share after him. Sharing
out takes away what concerns the beginning as a whole. A thing may have several forms (Arzt, Ärztin): on both sides
all forms count, so that grammatical gender, which only chooses the form, drops out. Lists: association.toml.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.measure.continuations import continuation_logprobs
from core.models.language_model import LanguageModel


@dataclass(frozen=True)
class Group:
    """Things measured alike: occupations, or one of the lists they are compared with."""

    name: str
    verb: str  # between the person and the thing: "works as"
    things: tuple[tuple[str, ...], ...]  # the forms of each


@dataclass(frozen=True)
class Association:
    """A thing, its difference in each pair of beginnings, in bits, and their mean with a 95 % interval."""

    group: str
    words: str
    differences: np.ndarray  # (P,), > 0 where the model expects it rather of her
    mean: float
    low: float
    high: float


@cache
def lists(language: str) -> tuple[tuple[tuple[str, str], ...], tuple[Group, ...]]:
    """The pairs of persons (her, him) and the groups of things of a language ("de", "en")."""
    raw = tomllib.loads((Path(__file__).parent / "association.toml").read_text("utf-8"))[language]
    groups = (Group(name, group["verb"], tuple(map(tuple, group["things"]))) for name, group in raw["groups"].items())
    return tuple(map(tuple, raw["persons"])), tuple(groups)


def associations(lm: LanguageModel, language: str, draws: int = 2000, seed: int = 0) -> list[Association]:
    """All groups of a language, measured on `lm`."""
    persons, groups = lists(language)
    found = []
    for group in groups:
        shares = _log_shares(lm, [f"{person} {group.verb}" for pair in persons for person in pair], group.things)
        differences = shares[0::2] - shares[1::2]  # (P, things)
        for forms, row in zip(group.things, differences.T):
            found.append(Association(group.name, " / ".join(forms), row, float(row.mean()), *interval(row, draws, seed)))
    return found


def _log_shares(lm: LanguageModel, beginnings: Sequence[str], things: Sequence[Sequence[str]]) -> np.ndarray:
    """log2 of how the beginnings share out among the things, any form of each, as whole sentences: (beginnings, things)."""
    encode = lm.tokenizer.encode
    ends = [encode(f" {form}.") for forms in things for form in forms]
    starts = [encode(beginning) for beginning in beginnings]
    logprobs = continuation_logprobs(lm, [(start, end) for start in starts for end in ends]).double().numpy()
    probs = np.exp(logprobs.reshape(len(starts), len(ends)))
    first_form = np.cumsum([0, *map(len, things)])[:-1]
    probs = np.add.reduceat(probs, first_form, axis=1)  # (beginnings, things)
    return np.log2(probs / probs.sum(1, keepdims=True))


def interval(values: Sequence[float], draws: int = 2000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Bootstrap interval of a mean: means of as many values drawn with replacement, cut at both ends (Efron 1979)."""
    values, rng = np.asarray(values, float), np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def spread(found: Sequence[Association], group: str) -> float:
    """How far a group's means lie from 0, in bits: the root of their mean square."""
    means = np.array([one.mean for one in found if one.group == group])
    return float(np.sqrt((means**2).mean()))

