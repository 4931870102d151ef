"""Freed memory is handed back after a growth, and now and then without one."""

import ctypes
import gc
import sys
import threading
import time
import weakref

import pytest

from core.ui import freed


class Trimmed(Exception):
    pass


def trim_once(_):
    raise Trimmed


def looks_until_trimmed(monkeypatch, sizes, trim=trim_once) -> int:
    """How often it looked at `sizes` (bytes; the last one stays) before it handed memory back, or until `trim` raised Trimmed."""
    looks, sleep, here = [], time.sleep, threading.get_ident()

    def slept(seconds):
        if threading.get_ident() != here:  # other threads of this process sleep as well
            return sleep(seconds)
        looks.append(seconds)
        assert len(looks) < 1000

    monkeypatch.setattr(freed.time, "sleep", slept)
    monkeypatch.setattr(freed, "held", lambda: sizes[min(len(looks), len(sizes) - 1)])
    with pytest.raises(Trimmed):
        freed._watch(trim)
    return len(looks)


def test_after_a_growth_at_once(monkeypatch):
    assert looks_until_trimmed(monkeypatch, [100, 100, 100 + freed.GROWN, 101 + freed.GROWN]) == 3


def test_a_growth_is_counted_from_the_lowest_size(monkeypatch):
    high = 5 * freed.GROWN
    assert looks_until_trimmed(monkeypatch, [high, 100, 101 + freed.GROWN]) == 2


def test_without_a_growth_now_and_then(monkeypatch):
    assert looks_until_trimmed(monkeypatch, [100]) == freed.LEFT


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_is_held_grows_with_what_is_written():
    size = 64 << 20

    def grown() -> int:
        before = freed.held()
        block = ctypes.create_string_buffer(size)
        ctypes.memset(block, 1, size)
        return freed.held() - before

    assert max(grown() for _ in range(5)) > 0.9 * size  # meanwhile other threads of this process may free something


def test_circles_are_let_go_before_memory_is_handed_back(monkeypatch):
    class Left:
        pass

    one = Left()
    one.itself, gone = one, weakref.ref(one)
    gc.disable()  # only what is asked for
    try:
        del one
        assert gone() is not None
        looks_until_trimmed(monkeypatch, [100])
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("short, after", [(True, freed.LEFT), (False, freed.ALL)])
def test_what_was_put_aside_is_looked_through_sooner_where_memory_is_short(monkeypatch, short, after):
    put_aside, trims = [], []

    def trim(_):
        trims.append(len(put_aside))
        if trims[-1]:
            raise Trimmed

    monkeypatch.setattr(freed, "make_room", lambda: short)
    monkeypatch.setattr(freed, "put_aside", lambda: put_aside.append(1))
    assert looks_until_trimmed(monkeypatch, [100], trim) == after
    assert len(trims) == (after if short else after // freed.LEFT)  # where it is short, handed back at every look
