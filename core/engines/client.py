"""Questions and answers over HTTP: bounded in time and size, without redirects, proxies or cookies, so that a key goes nowhere else."""

import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.engines.errors import EngineError

MOST_BYTES = 4 << 20  # of one answer
MOST_TIMES = 4  # a whole answer may take so many timeouts, however steadily it drips
_PIECE = 1 << 16


@dataclass(frozen=True)
class Engine:
    """Where a model is served, and under which name."""

    url: str  # http://host:port, as it stands before /v1
    model: str
    key: str = field(default="", repr=False)  # sent as a bearer token; never shown
    timeout: float = 30.0  # seconds without a byte

    @property
    def name(self) -> str:
        """The model's name without folders, for a reader."""
        return self.model.replace("\\", "/").rpartition("/")[2]


def connect(url: str, model: str = "", key: str = "", timeout: float = 30.0) -> Engine:
    """The engine at `url`; without `model` it is asked for the first one it serves. Raises EngineError."""
    engine = Engine(_checked(url), model, key, timeout)
    if model:
        return engine
    try:
        first = ask(engine, "/v1/models")["data"][0]["id"]
    except (KeyError, IndexError, TypeError) as error:
        raise EngineError("unreadable") from error
    if not isinstance(first, str):
        raise EngineError("unreadable")
    return Engine(engine.url, first, key, timeout)


def from_environment(variables: Mapping[str, str] = os.environ) -> Engine | None:
    """What GLASSBOX_ENGINE_URL, _MODEL and _KEY name; None where there is no address. Raises EngineError."""
    url = variables.get("GLASSBOX_ENGINE_URL", "").strip()
    return connect(url, variables.get("GLASSBOX_ENGINE_MODEL", ""), variables.get("GLASSBOX_ENGINE_KEY", "")) if url else None


def ask(engine: Engine, path: str, body: Mapping | None = None) -> dict:
    """One answer, a JSON object; GET without a body. Raises EngineError."""
    with _answer(engine, path, body) as pieces:
        return _object(b"".join(pieces))


def events(engine: Engine, path: str, body: Mapping) -> Iterator[dict]:
    """An answer that comes piece by piece (server-sent events): JSON objects, until it says [DONE]. Raises EngineError."""
    with _answer(engine, path, {**body, "stream": True}) as pieces:
        for line in _lines(pieces):
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            if line.startswith(b"data:"):
                yield _object(data)


@contextmanager
def _answer(engine: Engine, path: str, body: Mapping | None) -> Iterator[Iterator[bytes]]:
    """The pieces of an answer as they arrive; every way to fail becomes an EngineError."""
    url = urlsplit(engine.url)
    make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if engine.key:
        headers["Authorization"] = f"Bearer {engine.key}"
    try:
        with closing(make(url.hostname, url.port, timeout=engine.timeout)) as connection:
            sent = None if body is None else json.dumps(body).encode()
            connection.request("GET" if body is None else "POST", url.path + path, sent, headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise EngineError("refused", status=answer.status)
            yield _bounded(answer, engine.timeout)
    except TimeoutError as error:
        raise EngineError("timeout", seconds=engine.timeout) from error
    except OSError as error:
        raise EngineError("unreachable") from error
    except (http.client.HTTPException, ValueError):
        raise EngineError("unreadable") from None  # what it says may hold the key, where that has a line break in it


def _bounded(answer: http.client.HTTPResponse, timeout: float) -> Iterator[bytes]:
    n, end = 0, time.monotonic() + MOST_TIMES * timeout
    while piece := answer.read1(_PIECE):
        n += len(piece)
        if n > MOST_BYTES:
            raise EngineError("too_long", megabytes=MOST_BYTES / (1 << 20))
        if time.monotonic() > end:
            raise EngineError("timeout", seconds=MOST_TIMES * timeout)
        yield piece


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting = b""
    for piece in pieces:
        *whole, waiting = (waiting + piece).split(b"\n")
        yield from whole
    yield waiting


def _object(raw: bytes) -> dict:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EngineError("unreadable") from error
    if not isinstance(found, dict):
        raise EngineError("unreadable")
    return found


def _checked(url: str) -> str:
    """The address without the API's own path behind it."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.password or parts.query)
        fits = fits and parts.port != 0  # reading the port checks it
    except ValueError:
        fits = False
    if not fits:
        raise EngineError("address")
    return url.rstrip("/").removesuffix("/v1")
