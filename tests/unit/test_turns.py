"""Long work takes turns: in the order it was asked for, one at a time, and who gives up leaves the queue."""

import threading
import time

import pytest

from core.ui import turns as module
from core.ui.kept import Kept
from core.ui.turns import Turns


class GaveUp(Exception):
    pass


def until(true, seconds: float = 20.0):
    """Wait until `true()`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never came"
        time.sleep(0.005)


def test_who_asks_first_computes_first_and_one_at_a_time():
    queue, order, at_once, go_on = Turns(1), [], [], threading.Event()

    def work(n):
        with queue.mine():
            at_once.append(n)
            assert len(at_once) == 1
            if n == 0:
                assert go_on.wait(20)
            order.append(n)
            at_once.remove(n)

    threads = []
    for n in range(4):
        threads.append(threading.Thread(target=work, args=(n,)))
        threads[-1].start()
        until(lambda n=n: len(queue) == n + 1)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert order == [0, 1, 2, 3] and len(queue) == 0


def test_the_place_is_told_and_can_be_given_up():
    queue, places, there, go_on = Turns(1), [], threading.Event(), threading.Event()

    def first():
        with queue.mine():
            there.set()
            assert go_on.wait(20)

    thread = threading.Thread(target=first)
    thread.start()
    assert there.wait(20)

    def waiting(place):
        places.append(place)
        raise GaveUp

    with pytest.raises(GaveUp), queue.mine(waiting):
        raise AssertionError("it was not this one's turn")
    assert places == [1] and len(queue) == 1
    go_on.set()
    thread.join(20)
    with queue.mine(waiting):  # free again: nobody is asked to wait
        assert queue.held and len(queue) == 1
    assert not queue.held and len(queue) == 0


def test_two_places_let_two_compute():
    queue, both = Turns(2), threading.Barrier(2, timeout=20)

    def work():
        with queue.mine():
            both.wait()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not both.broken


def test_who_has_a_turn_does_not_wait_for_another(monkeypatch):
    """A result asked for inside of a turn, while somebody who waits for that turn is answering it, is computed again."""
    queue = Turns(1)
    monkeypatch.setattr(module, "turns", lambda: queue)
    light, heavy, asked = Kept(4), Kept(4, long=True), threading.Event()
    seen = []

    def slow():  # has the light question under way and waits for a turn
        asked.set()
        return heavy.get("other", lambda: "other")

    def outer():
        thread = threading.Thread(target=lambda: seen.append(light.get("shared", slow)))
        thread.start()
        assert asked.wait(20)
        until(lambda: len(queue) == 2)
        inner = light.get("shared", lambda: "mine")
        return thread, inner

    thread, inner = heavy.get("outer", outer)
    thread.join(20)
    assert inner == "mine" and seen == ["other"] and len(queue) == 0


def test_what_is_known_needs_no_turn(monkeypatch):
    queue = Turns(1)
    monkeypatch.setattr(module, "turns", lambda: queue)
    kept = Kept(4, long=True)
    assert kept.get("a", lambda: 1) == 1
    monkeypatch.setattr(module, "turn", lambda: pytest.fail("asked for a turn"))
    assert kept.get("a", lambda: 2) == 1


@pytest.mark.parametrize("spent, order", [(0.1, ["first", "mine", "other"]), (module.LASTS, ["first", "other", "mine"])])
def test_an_answer_of_many_pieces_waits_once_unless_it_took_long(monkeypatch, spent, order):
    queue, seen, there, go_on = Turns(1), [], threading.Event(), threading.Event()

    def work(name, ready=None):
        with queue.mine():
            seen.append(name)
            if ready:
                ready.set()
                assert go_on.wait(20)

    def answer():
        with queue.answer():
            with queue.mine():
                pass
            assert not queue.held
            monkeypatch.setattr(queue._here, "spent", spent)
            first.start()
            assert there.wait(20)
            other.start()
            until(lambda: len(queue) == 2)
            with queue.mine(lambda place: go_on.set()):
                seen.append("mine")

    first, other = threading.Thread(target=work, args=("first", there)), threading.Thread(target=work, args=("other",))
    answer()
    for thread in (first, other):
        thread.join(20)
    assert seen == order and not queue.held and len(queue) == 0


def passes(queue, order, name, n=3, go_on=None, **how):
    """Long work in a thread: `n` passes through a network, with a pause before each."""

    def work():
        with queue.mine(**how):
            for i in range(n):
                queue.pause()
                order.append((name, i))
                if go_on and i == 0:
                    assert go_on.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("share, whole, first", [(1e-9, False, "short"), (1e-9, True, "long"), (60.0, False, "long")])
def test_long_work_stops_for_what_had_less(monkeypatch, share, whole, first):
    monkeypatch.setattr(module, "SHARE", share)
    queue, order, go_on = Turns(1), [], threading.Event()
    long = passes(queue, order, "long", go_on=go_on, whole=whole)
    until(lambda: order)
    short = passes(queue, order, "short", n=1)
    until(lambda: len(queue) == 2)
    go_on.set()
    for thread in (long, short):
        thread.join(20)
    rest = [("long", 1), ("long", 2)]
    assert order == [("long", 0)] + ([("short", 0)] + rest if first == "short" else rest + [("short", 0)])
    assert len(queue) == 0


def test_waiting_makes_up_for_time_that_was_had(monkeypatch):
    ticket = module._Ticket(spent=8 * module.SHARE, elsewhere=lambda: False, whole=False)
    rounds = []
    for waited in (0.0, 1.1, 2.1, 9.0):
        ticket.entered = time.monotonic() - waited * module.PATIENCE
        rounds.append(ticket.round())
    assert rounds == [4, 3, 2, 0]
    ticket.since = time.monotonic()  # what computes does not grow younger
    assert ticket.round() == 4


def test_who_asks_for_the_same_waits_for_it_and_does_not_stop_it(monkeypatch):
    monkeypatch.setattr(module, "SHARE", 1e-9)
    queue, order, go_on = Turns(1), [], threading.Event()
    monkeypatch.setattr(module, "turns", lambda: queue)
    kept = Kept(4, long=True)

    def compute():
        for i in range(3):
            queue.pause()
            order.append(i)
            if i == 0:
                assert go_on.wait(20)
        return "done"

    seen = []
    threads = [threading.Thread(target=lambda: seen.append(kept.get("same", compute))) for _ in range(3)]
    for n, thread in enumerate(threads):
        thread.start()
        until(lambda n=n: len(queue) == n + 1 and order)
    threads.append(passes(queue, order, "other", n=1))
    until(lambda: len(queue) == 4)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert order == [0, ("other", 0), 1, 2] and seen == ["done"] * 3 and len(queue) == 0


def test_an_answer_that_ends_early_leaves_the_queue():
    queue = Turns(1)
    with pytest.raises(GaveUp), queue.answer(), queue.mine():
        raise GaveUp
    assert not queue.held and len(queue) == 0
