"""Long work one after the other: who asks first computes first, whoever waits sees their place and can give it up.

A short answer is never made to wait. Long ones (a text written token by token, a search, a comparison of networks) take turns,
so that many viewers at once get them in the order they asked for, each as fast as if alone, instead of all together and late.
Where memory is short every answer takes its turn.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext

import streamlit as st

from core.checkpoints.memory import seems_short
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
GIVEN_UP = "_turn_given_up"


class _Here(threading.local):
    """What a thread has of a queue."""

    held = False
    answer = False  # whether it is in an answer
    spent = 0.0  # seconds for which this answer had a turn


class Turns:
    """A queue with `most` places at the front. `with turns.mine(waiting): ...` runs its block in its turn.

    A thread that has a turn may ask again: it has it already. `waiting(place)`, place 1 = next, is called again and again
    meanwhile; what it raises gives the place up. In `with turns.answer(): ...` an answer of many pieces waits once: its next
    piece comes before all who wait, until it has had LASTS seconds; then it goes to the end of the queue.
    """

    def __init__(self, most: int):
        self.most = most
        self._queue: list[object] = []
        self._changed = threading.Condition()
        self._here = _Here()
        self._answers = 0

    @property
    def held(self) -> bool:
        """Whether the calling thread has a turn."""
        return self._here.held

    def __len__(self) -> int:
        """How many compute or wait."""
        return len(self._queue)

    @contextmanager
    def mine(self, waiting: Callable[[int], None] = lambda place: None):
        here = self._here
        if here.held:
            yield
            return
        ticket, start = object(), 0.0
        with self._changed:
            goes_on = here.answer and 0 < here.spent < LASTS
            self._queue.insert(self.most if goes_on else len(self._queue), ticket)
        try:
            while (place := self._place(ticket)) > 0:
                waiting(place)
                with self._changed:
                    if self._place(ticket) > 0:
                        self._changed.wait(LOOK)
            here.held, start = True, time.monotonic()
            yield
        finally:
            if here.held:
                here.held, here.spent = False, here.spent + time.monotonic() - start
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

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

    def _place(self, ticket: object) -> int:
        """How many have to end before it is this ticket's turn."""
        with self._changed:
            return max(self._queue.index(ticket) - self.most + 1, 0)


@st.cache_resource(show_spinner=False)
def turns() -> Turns:
    """The server's queue; $GLASSBOX_TURNS is how many may compute at once, else all processors but one."""
    asked = os.environ.get("GLASSBOX_TURNS", "")
    return Turns(int(asked) if asked.isdecimal() and int(asked) else max(processors() - 1, 1))


@contextmanager
def turn():
    """Long work of this viewer, in its turn. Where it stands the place is shown, with a button that gives it up."""
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
    with queue.mine(seat.waiting):
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
