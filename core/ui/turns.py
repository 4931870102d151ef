"""Long work one after the other: who had little comes first, whoever waits sees their place and can give it up.

A short answer is never made to wait. Long ones (a text written token by token, a search, a comparison of networks) take turns,
so that many viewers at once get them one after the other, each as fast as if alone, instead of all together and late.
Where memory is short every answer takes its turn.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext

import streamlit as st

from core.checkpoints.memory import seems_short
from core.pauses import at_pauses
from core.ui.measuring import processors
from core.ui.texts import Texts

# Seconds after which a thread that computes in Python lets another go on. Every product of matrices gives way by itself and then
# waits that long for its way back where another viewer's Python runs: a token took 12 ms alone, 1,300 ms beside one with Python's
# 5 ms, and takes 38 ms with the first of these. But everyone who waits wakes that often to ask: among many answers the first
# costs more than it gives (50 viewers: median 0.46 s against 0.15).
GIVES_WAY, AMONG_MANY = 0.00005, 0.002
FEW = 2  # answers at once
QUIET = 0.2  # seconds somebody waits before they are told
LOOK = 0.1  # seconds between two looks whether the viewer is still there
LASTS = 0.5  # seconds of computing for which an answer of many pieces waits once
SHARE = 0.1  # seconds of computing that everybody gets before who had them already
PATIENCE = 3.0  # seconds of waiting that make up for twice the computing
GIVEN_UP = "_turn_given_up"


class _Ticket:
    """A place in the queue."""

    def __init__(self, spent: float, elsewhere: Callable[[], bool], whole: bool):
        self.spent = spent  # seconds of computing before the turn it has now, all of this answer
        self.since: float | None = None  # when its turn began; None while it waits
        self.entered = time.monotonic()  # when it began to wait
        self.elsewhere = elsewhere  # whether somebody else computes just this: then it waits for that
        self.whole = whole  # not to be paused

    def seconds(self) -> float:
        """For how long it has had a turn."""
        return self.spent + (0.0 if self.since is None else time.monotonic() - self.since)

    def round(self) -> int:
        """0 at first, 1 after SHARE seconds, 2 after twice as long, ...: who is in an earlier one comes first.

        Who waits comes into an earlier one every PATIENCE seconds, so that many short answers never keep a long one from its end.
        """
        waited = 0.0 if self.since is not None else time.monotonic() - self.entered
        return max(math.frexp(self.seconds() / SHARE)[1] - int(waited / PATIENCE), 0)


class _Here(threading.local):
    """What a thread has of a queue."""

    ticket: _Ticket | None = None  # while it has a turn
    answer = False  # whether it is in an answer
    spent = 0.0  # seconds for which this answer had a turn


class Turns:
    """A queue with `most` places at the front. `with turns.mine(waiting): ...` runs its block in its turn.

    A thread that has a turn may ask again: it has it already. `waiting(place)`, place 1 = next, is called again and again
    meanwhile; what it raises gives the place up. In `with turns.answer(): ...` an answer of many pieces waits once: its next
    piece comes before all who wait, until it has had LASTS seconds.

    Who had little comes before who had much (the discipline is called foreground-background, or least attained service): at
    every `pause` a block that has run for longer than one that waits lets that go first. So nobody's short work stands behind
    another's long one, and nobody has to know beforehand what will be long. Waiting makes up for it in time.
    """

    def __init__(self, most: int):
        self.most = most
        self._queue: list[_Ticket] = []  # those at the front, then all who wait, in their order
        self._changed = threading.Condition()
        self._here = _Here()
        self._answers = 0

    @property
    def held(self) -> bool:
        """Whether the calling thread has a turn."""
        return self._here.ticket is not None

    def __len__(self) -> int:
        """How many compute or wait."""
        return len(self._queue)

    @contextmanager
    def mine(self, waiting: Callable[[int], None] = lambda place: None, elsewhere: Callable[[], bool] = lambda: False, whole=False):
        here = self._here
        if here.ticket:
            yield
            return
        ticket = _Ticket(here.spent if here.answer else 0.0, elsewhere, whole)
        with self._changed:
            self._enter(ticket, first=here.answer and 0 < here.spent < LASTS)
        try:
            self._wait(ticket, waiting)
            here.ticket = ticket
            yield
        finally:
            here.ticket, here.spent = None, ticket.seconds()
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def pause(self) -> None:
        """Called between two steps of whatever may be long: the moment to let others go first."""
        ticket = self._here.ticket
        if ticket is None or ticket.whole or not ticket.round():
            return
        with self._changed:
            if not any(other.since is None and other.round() < ticket.round() and not other.elsewhere() for other in self._queue):
                return
            ticket.spent, ticket.since, ticket.entered = ticket.seconds(), None, time.monotonic()
            self._queue.remove(ticket)
            self._enter(ticket)
            self._changed.notify_all()
        self._wait(ticket)

    @contextmanager
    def answer(self):
        here = self._here
        if here.answer:
            yield
            return
        here.answer, here.spent = True, 0.0
        self._count(1)
        try:
            yield
        finally:
            here.answer = False
            self._count(-1)

    def _count(self, more: int) -> None:
        """One answer more, or less, is being computed."""
        with self._changed:
            self._answers += more
            sys.setswitchinterval(GIVES_WAY if self._answers <= FEW else AMONG_MANY)

    def _enter(self, ticket: _Ticket, first: bool = False) -> None:
        """Give a ticket its place among those who wait."""
        place = sum(other.since is not None for other in self._queue)
        while not first and place < len(self._queue) and self._queue[place].round() <= ticket.round():
            place += 1
        self._queue.insert(place, ticket)

    def _wait(self, ticket: _Ticket, waiting: Callable[[int], None] = lambda place: None) -> None:
        """Until it is this ticket's turn."""
        while (place := self._step_up(ticket)) > 0:
            waiting(place)
            with self._changed:
                if self._ahead(ticket) > 0:
                    self._changed.wait(LOOK)

    def _step_up(self, ticket: _Ticket) -> int:
        """0 and the turn, if it has come; else how many have to end before."""
        with self._changed:
            ahead = self._ahead(ticket)
            if not ahead:
                ticket.since, ticket.elsewhere = time.monotonic(), lambda: False  # from now on it is this one that computes it
                self._queue.remove(ticket)
                self._queue.insert(0, ticket)
            return ahead

    def _ahead(self, ticket: _Ticket) -> int:
        before = self._queue[: self._queue.index(ticket)]
        free = self.most - sum(other.since is not None for other in before)
        ready = sum(other.since is None and not other.elsewhere() for other in before)
        return max(ready - free + 1, int(ticket.elsewhere()))


@st.cache_resource(show_spinner=False)
def turns() -> Turns:
    """The server's queue; $GLASSBOX_TURNS is how many may compute at once, else all processors but one."""
    asked = os.environ.get("GLASSBOX_TURNS", "")
    queue = Turns(int(asked) if asked.isdecimal() and int(asked) else max(processors() - 1, 1))
    at_pauses(queue.pause)
    return queue


@contextmanager
def turn(elsewhere: Callable[[], bool] = lambda: False):
    """Long work of this viewer, in its turn. Where it stands the place is shown, with a button that gives it up.

    `elsewhere()` tells whether another viewer's turn computes just this.
    """
    queue = turns()
    if queue.held:
        yield
        return
    if st.session_state.pop(GIVEN_UP, False):
        t = _texts()
        st.caption(t("turn.given_up"))
        st.button(t("turn.again"), icon=":material/play_arrow:", key=f"_turn_again_{time.monotonic_ns()}")
        st.stop()
    seat = _Seat()
    with queue.mine(seat.waiting, elsewhere, whole=seems_short()):
        seat.clear()
        yield


@contextmanager
def answer():
    """Frames one answer to a viewer, which waits once. Where memory is short all of it is a turn: side by side takes more."""
    with turns().answer(), turn() if seems_short() else nullcontext():
        yield


class _Seat:
    """What a waiting viewer sees."""

    def __init__(self):
        self.start, self.box = time.monotonic(), None

    def waiting(self, place: int) -> None:
        if time.monotonic() - self.start < QUIET:
            return
        t = _texts()
        if self.box is None:
            self.box = st.empty()
            with self.box.container(horizontal=True, vertical_alignment="center"):
                self.said = st.empty()
                st.button(t("turn.give_up"), icon=":material/close:", key=f"_turn_{time.monotonic_ns()}", on_click=_give_up)
        self.said.caption(t("turn.place", place=place))  # also where a viewer who went on or away is noticed

    def clear(self) -> None:
        if self.box is not None:
            self.box.empty()


def _give_up() -> None:
    st.session_state[GIVEN_UP] = True


def _texts() -> Texts:
    return Texts("common", st.session_state.get("_language", "en"))
