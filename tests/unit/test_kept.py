"""Results are computed once, also for those who ask together; who goes away does not take the others along."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.ui.kept import Kept


def test_results_are_computed_once_and_the_longest_unused_goes():
    kept, calls = Kept(2), []
    for key in "abacbab":
        assert kept.get(key, lambda key=key: calls.append(key) or key.upper()) == key.upper()
    assert calls == ["a", "b", "c", "b", "a"]
    assert "a" in kept and "b" in kept and "c" not in kept


def test_the_text_that_shares_the_longest_beginning():
    kept = Kept(9)
    for key in (("m", (1, 2, 3)), ("m", (1, 2, 4, 5)), ("other", (1, 2, 4, 5, 6))):
        kept.get(key, lambda key=key: key)
    assert kept.closest("m", (1, 2, 4, 5, 6)) == (("m", (1, 2, 4, 5)), 4)
    assert kept.closest("m", (1, 2, 3)) == (("m", (1, 2, 3)), 3)
    assert kept.closest("m", (7,))[1] == 0 and kept.closest("no", (1,)) == (None, 0)


def test_who_asks_together_computes_once():
    kept, calls, started, go_on = Kept(4), [], threading.Event(), threading.Event()

    def slow():
        calls.append(1)
        started.set()
        assert go_on.wait(20)
        return 7

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(kept.get, "x", slow)
        assert started.wait(20)
        others = [pool.submit(kept.get, "x", slow) for _ in range(7)]
        assert kept.get("another", lambda: 1) == 1  # is not held up
        go_on.set()
        assert [one.result(20) for one in (first, *others)] == [7] * 8
    assert len(calls) == 1


def test_who_is_stopped_leaves_the_question_to_the_next():
    kept, started, stop = Kept(4), threading.Event(), threading.Event()

    def stopped():
        started.set()
        assert stop.wait(20)
        raise KeyError("went away")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, "x", stopped)
        assert started.wait(20)
        second = pool.submit(kept.get, "x", lambda: 9)
        stop.set()
        assert second.result(20) == 9
        with pytest.raises(KeyError):
            first.result(20)
    assert kept.get("x", lambda: 0) == 9


def test_nothing_is_kept_of_what_failed():
    kept = Kept(4)
    with pytest.raises(ZeroDivisionError):
        kept.get("x", lambda: 1 / 0)
    assert "x" not in kept and kept.get("x", lambda: 3) == 3


def test_results_may_be_weighed():
    kept = Kept(10, weigh=len)
    for text in ("aaaa", "bbbb", "cc", "ddd"):
        kept.get(text[0], lambda: text)
    assert [key for key, _ in kept.items()] == ["b", "c", "d"]
    kept.get("e", lambda: "e" * 99)
    assert [key for key, _ in kept.items()] == ["e"]  # too heavy by itself, and yet somebody needs it
