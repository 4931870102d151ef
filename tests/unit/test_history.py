"""The timeline's data: every claim has a date, a badge, a source and words; the arithmetic beside it is right."""

import re
from urllib.parse import urlparse

import pytest

from core.history import BADGES, CHECKS, TOPICS, chosen, events
from core.history.recomputed import tokens_per_parameter, tokens_per_round, win_rate
from core.ui.frame import PAGES
from core.ui.texts import LANGUAGES, Texts


@pytest.mark.parametrize("event", events().values(), ids=lambda event: event.name)
def test_every_claim_says_when_who_and_how_well_supported(event):
    assert 2017 <= event.date.year <= 2026
    assert event.badge in BADGES and event.topic in TOPICS
    address = urlparse(event.url)
    assert address.scheme == "https" and address.netloc and len(event.source) > 8
    assert event.lab in {stem for _, stem, _ in PAGES}
    for language in LANGUAGES:
        t = Texts("timeline", language)
        for key in (f"event.options.{event.name}", f"events.{event.name}.claim", f"events.{event.name}.note"):
            assert key in t, (language, key)
        for check in CHECKS.get(event.name, ()):
            assert f"checks.{check.name}" in t


@pytest.mark.parametrize("event", [e for e in events().values() if "arxiv.org" in e.url], ids=lambda event: event.name)
def test_dates_are_those_of_the_arxiv_number(event):
    """arXiv numbers papers by year and month of submission; a paper sent on the last days may get the next month."""
    year, month = re.search(r"/abs/(\d\d)(\d\d)\.\d{5}$", event.url).groups()
    number = (2000 + int(year)) * 12 + int(month)
    assert 0 <= number - (event.date.year * 12 + event.date.month) <= 1


def test_no_words_without_a_claim():
    for language in LANGUAGES:
        assert set(Texts("timeline", language).group("events")) == set(events())


def test_filters():
    everything = chosen(BADGES)
    assert [e.date for e in everything] == sorted(e.date for e in everything) and len(everything) == len(events())
    assert chosen([]) == [] and all(e.badge == "vendor" for e in chosen(["vendor"]))
    assert sum(len(chosen(BADGES, topic)) for topic in TOPICS) == len(everything)


def test_the_arithmetic_by_hand():
    assert win_rate(0) == 0.5 and win_rate(400) == pytest.approx(10 / 11)
    assert win_rate(200) == pytest.approx(0.76, abs=0.005)  # "200 Elo, about three wins in four"
    assert tokens_per_round(0.5, 1) == pytest.approx(1.5) and tokens_per_round(0.8, 4) == pytest.approx(3.3616)


def test_best_ratio_is_the_minimum_of_the_loss():
    """The closed form against a search over N by scipy."""
    from scipy.optimize import minimize_scalar

    flops, (e, a, b, alpha, beta) = 5.76e23, (1.8172, 482.01, 2085.43, 0.3478, 0.3658)

    def loss(log_n):
        n = 10**log_n
        return e + a / n**alpha + b / (flops / (6 * n)) ** beta

    n = 10 ** minimize_scalar(loss, bounds=(8, 13), method="bounded", options={"xatol": 1e-10}).x
    assert tokens_per_parameter(flops, a, b, alpha, beta) == pytest.approx(flops / (6 * n) / n, rel=1e-3)


def test_published_figures_agree_but_for_the_one_known_trap():
    """Chinchilla's printed constants give 93 tokens a parameter where its own table has 22."""
    wrong = [check.name for checks in CHECKS.values() for check in checks if not check.agrees()]
    assert wrong == ["printed"]
    assert set(CHECKS) <= set(events())
    printed, = CHECKS["chinchilla"]
    assert printed.compute() == pytest.approx(93, abs=0.5)
