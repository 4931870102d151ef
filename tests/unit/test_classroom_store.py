"""Rooms against plain expectations: who may do what, nothing lost, nothing kept too long.

GLASSBOX_TEST_SQL names another empty database to run the same tests on, such as postgresql+psycopg://postgres@localhost/test.
"""

import math
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from core.classroom import store as module
from core.classroom.score import class_share, surprisal
from core.classroom.store import Question, RoomError, RoomStore, engine_for

Q = Question("next_token", "The sky is", ("blue", "green", "<b>x</b>"), 0, (0.5, 0.25, 0.01), other=True)


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["sqlite", "another"])
def url(tmp_path, request):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'rooms' / 'classroom.db'}"
    address = os.environ.get("GLASSBOX_TEST_SQL")
    if not address:
        pytest.skip("no other database is named")
    with engine_for(address).begin() as db:
        module._tables.drop_all(db)
    return address


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(url, clock):
    return RoomStore(engine_for(url), clock)


def refused(reason, action, *arguments):
    with pytest.raises(RoomError) as caught:
        action(*arguments)
    assert caught.value.reason == reason


def test_a_question_from_opening_to_the_end(store):
    code, token = store.open_room()
    assert store.current(code) is None
    assert store.ask(code, token, Q) == 1
    asked = store.current(code)
    assert asked == replace(Q, number=1, state="open")
    for who, choice in (("a", 0), ("b", 1), ("c", 3), ("a", 1)):  # a changes its answer
        store.answer(code, 1, who, choice)
    assert store.counts(code, asked) == [0, 2, 0, 1] and store.answered(code, 1, "a") == 1 and store.answered(code, 1, "z") is None
    store.set_state(code, token, 1, "revealed")
    refused("closed", store.answer, code, 1, "d", 0)
    assert store.ask(code, token, Q) == 2 and store.current(code).number == 2
    store.close_room(code, token)
    refused("no_room", store.current, code)


def test_a_new_question_closes_the_one_before(store):
    code, token = store.open_room()
    store.ask(code, token, Q)
    store.ask(code, token, Q)
    refused("closed", store.answer, code, 1, "a", 0)


def test_only_the_lecturers_token_opens_reveals_and_closes(store):
    code, token = store.open_room()
    store.ask(code, token, Q)
    other_code, other = store.open_room()
    for wrong in ("", None, other, token[:-1], token + "x", "x" * 100_000, "' OR 1=1 --"):
        assert not store.is_lecturer(code, wrong)
        refused("not_allowed", store.ask, code, wrong, Q)
        refused("not_allowed", store.set_state, code, wrong, 1, "revealed")
        refused("not_allowed", store.close_room, code, wrong)
    assert store.is_lecturer(code, token) and store.current(code).state == "open"
    assert store.current(other_code) is None


def test_bad_input_is_refused(store):
    code, token = store.open_room()
    store.ask(code, token, Q)
    for wrong in ("", None, "ABCDEF", "a" * 100_000, "' OR 1=1 --", "<script>"):
        refused("no_room", store.check_room, wrong)
        refused("no_room", store.answer, wrong, 1, "a", 0)
    for choice in (-1, 4, 10**9, "0", None, True, 0.5):
        refused("bad", store.answer, code, 1, "a", choice)
    refused("closed", store.answer, code, 2, "a", 0)
    refused("bad", store.set_state, code, token, 1, "gone")
    refused("bad", store.set_state, code, token, 9, "closed")
    for question in (replace(Q, text="x" * 100_000), replace(Q, choices=("a",)), replace(Q, truth=3), replace(Q, shares=(1.0,))):
        refused("bad", store.ask, code, token, question)
    assert store.counts(code, store.current(code)) == [0, 0, 0, 0]


def test_rooms_expire_and_are_cleaned_up(store, clock, url):
    code, token = store.open_room()
    store.ask(code, token, Q)
    store.answer(code, 1, "a", 0)
    clock.now += module.HOURS * 3600 - 1
    store.check_room(code)
    clock.now += 1
    refused("no_room", store.check_room, code)
    refused("no_room", store.answer, code, 1, "a", 0)
    refused("no_room", store.ask, code, token, Q)
    store.open_room()
    assert rows(url) == {"classroom_rooms": 1, "classroom_questions": 0, "classroom_answers": 0}


def rows(url):
    with engine_for(url).connect() as db:
        return {name: db.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in module._tables.tables}


def test_everything_is_bounded(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROOMS", 2)
    monkeypatch.setattr(module, "MOST_QUESTIONS", 2)
    monkeypatch.setattr(module, "MOST_ANSWERS", 2)
    code, token = store.open_room()
    store.open_room()
    refused("full", store.open_room)
    store.ask(code, token, Q)
    store.answer(code, 1, "a", 0)
    store.answer(code, 1, "b", 0)
    refused("full", store.answer, code, 1, "c", 0)
    store.answer(code, 1, "b", 1)  # who is in may change
    store.ask(code, token, Q)
    refused("full", store.ask, code, token, Q)


def test_neither_token_nor_participant_is_kept(store, url):
    code, token = store.open_room()
    store.ask(code, token, Q)
    store.answer(code, 1, "participant-77", 0)
    with engine_for(url).connect() as db:
        kept = "\n".join(str(row) for name in module._tables.tables for row in db.exec_driver_sql(f"SELECT * FROM {name}"))
    assert code in kept and token not in kept and "participant-77" not in kept


def test_sixty_students_at_once_on_two_servers_lose_nothing(store, url, clock):
    second = RoomStore(engine_for(url), clock)
    code, token = store.open_room()
    store.ask(code, token, Q)
    gate = threading.Barrier(60)

    def student(i):
        gate.wait()
        for choice in ((i + 1) % 4, i % 4):  # each thinks again
            (store, second)[i % 2].answer(code, 1, f"student {i}", choice)

    with ThreadPoolExecutor(60) as pool:
        list(pool.map(student, range(60)))
    for server in (store, second):
        assert server.counts(code, server.current(code)) == [15, 15, 15, 15]
    second.set_state(code, token, 1, "closed")
    refused("closed", store.answer, code, 1, "late", 0)


def test_a_locked_or_vanished_database_is_said_and_what_was_promised_stays(store, url, tmp_path, monkeypatch):
    if not url.startswith("sqlite"):
        pytest.skip("another database locks rows, and is no file")
    code, token = store.open_room()
    store.ask(code, token, Q)
    store.answer(code, 1, "a", 0)
    monkeypatch.setattr(module, "BUSY", 50)
    impatient = RoomStore(engine_for(url), store._now)
    blocker = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    refused("unavailable", impatient.answer, code, 1, "b", 0)
    assert impatient.counts(code, Q.__class__(**{**Q.__dict__, "number": 1})) == [1, 0, 0, 0]  # reading goes on
    blocker.execute("ROLLBACK")
    blocker.close()
    impatient.answer(code, 1, "b", 0)
    assert store.counts(code, store.current(code)) == [2, 0, 0, 0]
    (tmp_path / "rooms" / "classroom.db").rename(tmp_path / "away.db")
    refused("unavailable", store.answer, code, 1, "c", 0)
    refused("unavailable", store.current, code)
    refused("unavailable", RoomStore, engine_for("sqlite:////proc/nowhere/classroom.db"))


def test_class_against_model_by_hand():
    assert class_share([3, 1, 0, 0], 0) == 4 / 8 and surprisal(4 / 8) == 1.0
    assert class_share([0, 7, 0, 0], 0) == 1 / 11 and math.isclose(surprisal(1 / 11), math.log2(11))
    assert class_share([0, 0, 0, 0], 2) == 1 / 4  # nobody answered: no better than chance
    assert surprisal(0.0) < 100
