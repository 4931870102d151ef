"""Rooms, questions and answers in any SQL database; several servers that use the same one share the rooms.

What is kept of a student is one hash of a random number, so that a second answer replaces the first. The
lecturer's token is kept as a hash as well. Every number of rows is bounded, and rooms are gone after HOURS.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sql

HOURS = 6
MOST_ROOMS, MOST_QUESTIONS, MOST_ANSWERS = 200, 50, 400  # rooms; questions a room; answers a question
MOST_SIGNS, MOST_CHOICES = 4_000, 10  # signs of a question's text; choices of a question
BUSY = 15_000  # ms that a writer waits in line (SQLite)
SIGNS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is read as another one
CODE_LENGTH = 6
STATES = ("open", "closed", "revealed")

_tables = sql.MetaData()


def _key(name: str, kind) -> sql.Column:
    """A part of what tells a table's rows apart."""
    return sql.Column(name, kind, primary_key=True, autoincrement=False)


_rooms = sql.Table(
    "classroom_rooms", _tables,
    _key("code", sql.String(CODE_LENGTH)),
    sql.Column("token_hash", sql.String(64), nullable=False),
    sql.Column("expires", sql.Float(53), nullable=False),  # seconds since 1970
)  # fmt: skip
_questions = sql.Table(
    "classroom_questions", _tables,
    _key("code", sql.String(CODE_LENGTH)),
    _key("number", sql.Integer),
    sql.Column("state", sql.String(8), nullable=False),
    sql.Column("body", sql.Text, nullable=False),
)  # fmt: skip
_answers = sql.Table(
    "classroom_answers", _tables,
    _key("code", sql.String(CODE_LENGTH)),
    _key("number", sql.Integer),
    _key("participant", sql.String(64)),
    sql.Column("choice", sql.Integer, nullable=False),
)  # fmt: skip


class RoomError(Exception):
    """What was asked for is not possible; `reason`: no_room, not_allowed, closed, full, bad, unavailable."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Question:
    """What a class is asked."""

    kind: str  # next_token, temperature, window
    text: str  # what the students read
    choices: tuple[str, ...]
    truth: int  # place of the right choice
    shares: tuple[float, ...] = ()  # the model's probability of each choice; empty where a model has no say
    other: bool = False  # an answer outside the choices is possible; it is counted as one more choice
    number: int = 0
    state: str = "open"


def engine_for(url: str) -> sql.Engine:
    """An engine for a database address, as `RoomStore` takes it."""
    return sql.create_engine(url)


class RoomStore:
    """All that the pages do with rooms. Raises RoomError, and nothing else, where something is not possible."""

    def __init__(self, engine: sql.Engine, now: Callable[[], float] = time.time):
        self._now, self._engine = now, engine
        self._file = None
        if engine.dialect.name == "sqlite":
            self._file = Path(engine.url.database or "")
            _settle_sqlite(engine)
        with _one_reason():
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            with engine.execution_options(writes=True).begin() as connection:
                _tables.create_all(connection)

    def open_room(self) -> tuple[str, str]:
        """A new room: its code, and the lecturer's token, which is never seen again."""
        token = secrets.token_urlsafe(24)
        with self._write() as db:
            self._clean_up(db)
            if db.scalar(sql.select(sql.func.count()).select_from(_rooms)) >= MOST_ROOMS:
                raise RoomError("full")
            code = "".join(secrets.choice(SIGNS) for _ in range(CODE_LENGTH))
            db.execute(_rooms.insert().values(code=code, token_hash=_hash(token), expires=self._now() + HOURS * 3600))
        return code, token

    def check_room(self, code: str) -> None:
        """Raises RoomError("no_room") for a code that is unknown or expired."""
        with self._read() as db:
            self._room(db, code)

    def is_lecturer(self, code: str, token: str) -> bool:
        """Whether this token opens, reveals and closes in this room."""
        with self._read() as db:
            return _same(self._room(db, code).token_hash, token)

    def ask(self, code: str, token: str, question: Question) -> int:
        """Open a question; the one before it takes no more answers. Its number, from 1."""
        body = _body(question)
        with self._write() as db:
            self._allow(db, code, token)
            last = db.scalar(sql.select(sql.func.max(_questions.c.number)).where(_questions.c.code == code)) or 0
            if last >= MOST_QUESTIONS:
                raise RoomError("full")
            still_open = (_questions.c.code == code) & (_questions.c.state == "open")
            db.execute(_questions.update().where(still_open).values(state="closed"))
            db.execute(_questions.insert().values(code=code, number=last + 1, state="open", body=body))
        return last + 1

    def set_state(self, code: str, token: str, number: int, state: str) -> None:
        """Open, close or reveal a question."""
        if state not in STATES:
            raise RoomError("bad")
        with self._write() as db:
            self._allow(db, code, token)
            found = db.execute(_questions.update().where(_of(_questions, code, number)).values(state=state))
            if not found.rowcount:
                raise RoomError("bad")

    def close_room(self, code: str, token: str) -> None:
        """End a room: everything of it is deleted."""
        with self._write() as db:
            self._allow(db, code, token)
            _delete(db, [code])

    def current(self, code: str) -> Question | None:
        """The question asked last, whatever its state."""
        with self._read() as db:
            self._room(db, code)
            asked = sql.select(_questions).where(_questions.c.code == code).order_by(_questions.c.number.desc()).limit(1)
            row = db.execute(asked).first()
        return _question(row) if row else None

    def answer(self, code: str, number: int, participant: str, choice: int) -> None:
        """Count one answer; a second one of the same participant replaces the first. Kept once this returns."""
        who = _hash(f"{code}:{participant}")
        with self._write() as db:
            self._room(db, code)
            # The row is shared with other answers, but nobody closes the question until this one is kept.
            row = db.execute(sql.select(_questions).where(_of(_questions, code, number)).with_for_update(read=True)).first()
            if row is None or row.state != "open":
                raise RoomError("closed")
            question = _question(row)
            if type(choice) is not int or not 0 <= choice < len(question.choices) + question.other:
                raise RoomError("bad")
            mine = _of(_answers, code, number) & (_answers.c.participant == who)
            if db.execute(_answers.update().where(mine).values(choice=choice)).rowcount:
                return
            if db.scalar(sql.select(sql.func.count()).where(_of(_answers, code, number))) >= MOST_ANSWERS:
                raise RoomError("full")
            db.execute(_answers.insert().values(code=code, number=number, participant=who, choice=choice))

    def answered(self, code: str, number: int, participant: str) -> int | None:
        """What this participant answered."""
        mine = _of(_answers, code, number) & (_answers.c.participant == _hash(f"{code}:{participant}"))
        with self._read() as db:
            return db.scalar(sql.select(_answers.c.choice).where(mine))

    def counts(self, code: str, question: Question) -> list[int]:
        """Answers for each choice, and last, where the question has it, for something else."""
        counted = [0] * (len(question.choices) + question.other)
        per_choice = sql.select(_answers.c.choice, sql.func.count()).where(_of(_answers, code, question.number))
        with self._read() as db:
            for choice, n in db.execute(per_choice.group_by(_answers.c.choice)):
                counted[choice] = n
        return counted

    def _room(self, db, code: str):
        row = db.execute(sql.select(_rooms).where(_rooms.c.code == code)).first() if _is_code(code) else None
        if row is None or row.expires <= self._now():
            raise RoomError("no_room")
        return row

    def _allow(self, db, code: str, token: str) -> None:
        if not _same(self._room(db, code).token_hash, token):
            raise RoomError("not_allowed")

    def _clean_up(self, db) -> None:
        _delete(db, db.scalars(sql.select(_rooms.c.code).where(_rooms.c.expires <= self._now())).all())

    @contextmanager
    def _write(self):
        self._still_there()
        with _one_reason(), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    @contextmanager
    def _read(self):
        self._still_there()
        with _one_reason(), self._engine.connect() as connection:
            yield connection

    def _still_there(self) -> None:
        # SQLite would go on writing into a file that was deleted, and the answers would be lost.
        if self._file and not self._file.exists():
            raise RoomError("unavailable")


@contextmanager
def _one_reason():
    """Whatever the database says (locked, gone, full) becomes one reason."""
    try:
        yield
    except (sql.exc.SQLAlchemyError, OSError) as error:
        raise RoomError("unavailable") from error


def _settle_sqlite(engine: sql.Engine) -> None:
    """Readers beside one writer (WAL), writers wait in line, and a write that returned survives a power cut."""
    if sql.event.contains(engine, "connect", _connected):
        return
    sql.event.listen(engine, "connect", _connected)
    sql.event.listen(engine, "begin", _began)


def _connected(connection, _record) -> None:
    connection.isolation_level = None  # transactions begin below, not where Python guesses
    for setting in (f"busy_timeout = {BUSY}", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}")


def _began(connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _of(table, code: str, number: int):
    return (table.c.code == code) & (table.c.number == number)


def _delete(db, codes) -> None:
    for table in (_answers, _questions, _rooms):
        for code in codes:
            db.execute(table.delete().where(table.c.code == code))


def _is_code(code) -> bool:
    return isinstance(code, str) and len(code) == CODE_LENGTH and all(sign in SIGNS for sign in code)


def _hash(text: str) -> str:
    return hashlib.sha256(str(text)[:200].encode("utf-8", "replace")).hexdigest()


def _same(token_hash: str, token: str) -> bool:
    return hmac.compare_digest(token_hash, _hash(token or ""))


def _body(question: Question) -> str:
    q = question
    shares_fit = not q.shares or len(q.shares) == len(q.choices)
    fits = 2 <= len(q.choices) <= MOST_CHOICES and 0 <= q.truth < len(q.choices) and shares_fit
    if not fits or len(q.text) > MOST_SIGNS or any(len(choice) > 80 for choice in q.choices):
        raise RoomError("bad")
    return json.dumps([q.kind, q.text, q.choices, q.truth, q.shares, q.other])


def _question(row) -> Question:
    kind, text, choices, truth, shares, other = json.loads(row.body)
    return replace(Question(kind, text, tuple(choices), truth, tuple(shares), other), number=row.number, state=row.state)
