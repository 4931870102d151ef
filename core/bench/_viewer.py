"""A viewer without a browser: speaks Streamlit's websocket protocol, as its own frontend does.

It opens a page, keeps every widget that the page shows, and moves one: a slider to another value, a switch, more text.
Nothing is drawn, so many of them fit beside the server whose work they measure.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

MOVED = ("slider", "checkbox", "text_area", "text_input", "number_input")  # kinds of widgets that a viewer moves
WORDS = ("and", "und", "the", "Haus", "river", "seven", "blau", "morgen", "then", "because")
PATIENCE = 120  # seconds without any message, after which an answer counts as lost


class Lost(Exception):
    """The server did not answer to the end."""


@dataclass(frozen=True)
class Answer:
    """What came of one thing that a viewer did."""

    page: str
    control: str  # key of the widget; "" for opening the page
    seconds: float  # from sending to the last delta
    first: float  # to the first delta
    deltas: int
    bytes: int
    errors: tuple[str, ...]  # sentences of error boxes and tracebacks in the answer


@dataclass
class Viewer:
    """One session. `async with Viewer(address) as viewer: await viewer.open("attention")`."""

    address: str  # of the server, "http://127.0.0.1:8501"
    language: str = "en"
    page: str = ""
    widgets: dict[str, tuple[str, object, str]] = field(default_factory=dict)  # key -> kind, element, fragment
    session: str = ""
    hash: str = ""  # of the page that is shown

    async def __aenter__(self):
        from websockets.asyncio.client import connect

        place = self.address.replace("http", "ws", 1) + "/_stcore/stream"
        self._socket = await connect(place, subprotocols=["streamlit"], max_size=None, origin=self.address, open_timeout=PATIENCE)
        return self

    async def __aexit__(self, *_):
        await self._socket.close()

    async def open(self, page: str, link: str = "") -> Answer:
        """Open a page, or go on to another one."""
        self.page, self.widgets = page, {}
        message = BackMsg()
        message.rerun_script.query_string = f"lang={self.language}&{link}".rstrip("&")
        message.rerun_script.page_name = page
        return await self._answer(message, "")

    @property
    def movable(self) -> list[str]:
        """Keys of what can be moved on the page."""
        return [key for key in self.widgets if key.startswith(f"{self.page}_")]

    async def move(self, rng: random.Random) -> Answer:
        """Do what a viewer may do next with one of the page's widgets."""
        key = rng.choice(self.movable)
        kind, element, fragment = self.widgets[key]
        message = BackMsg()
        state, run = message.rerun_script.widget_states.widgets.add(id=element.id), message.rerun_script
        run.page_script_hash, run.query_string = self.hash, f"lang={self.language}"
        if fragment:
            run.fragment_id = fragment
        if kind == "slider":
            steps = round((element.max - element.min) / (element.step or 1))
            state.double_array_value.data.append(element.min + rng.randint(0, max(steps, 0)) * (element.step or 1))
        elif kind == "number_input":
            state.int_value = rng.randint(0, 99)
        elif kind == "checkbox":
            state.bool_value = bool(rng.getrandbits(1))
        else:
            state.string_value = f"{element.default} {' '.join(rng.sample(WORDS, 3))}"
        return await self._answer(message, key)

    async def _answer(self, message: BackMsg, control: str) -> Answer:
        start, first, last, count, size, errors = time.perf_counter(), None, None, 0, 0, []
        await self._socket.send(message.SerializeToString())
        while True:
            try:
                raw = await asyncio.wait_for(self._socket.recv(), PATIENCE)
            except (TimeoutError, OSError) as error:
                raise Lost(f"{self.page} {control}: {type(error).__name__}") from error
            found, size = ForwardMsg.FromString(raw), size + len(raw)
            kind = found.WhichOneof("type")
            if kind == "new_session":
                self.session = found.new_session.initialize.session_id
            elif kind == "navigation":
                self.hash = found.navigation.page_script_hash
            elif kind == "delta":
                last = time.perf_counter()
                first, count = first or last, count + 1
                errors += self._seen(found.delta)
            elif kind == "script_finished" and found.script_finished in _ENDED:
                end = last or time.perf_counter()
                return Answer(self.page, control, end - start, (first or end) - start, count, size, tuple(errors))

    def _seen(self, delta) -> list[str]:
        """Keep a widget; return what an error box says."""
        if delta.WhichOneof("type") != "new_element":
            return []
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind or "empty")
        if kind == "exception":
            return [element.message]
        if kind == "alert" and element.format == element.ERROR:
            return [element.body]
        if kind in MOVED and not element.disabled:
            self.widgets[element.id.split("-")[-1]] = (kind, element, delta.fragment_id)
        return []


_ENDED = (
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
)  # not FINISHED_EARLY_FOR_RERUN: what was asked for is still to come


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return _held(pid, "VmRSS")


def own(pid: int) -> int:
    """What of it is the process's own: not pages of files, which the system takes back when it must."""
    return _held(pid, "RssAnon")


def highest(pid: int) -> int:
    """The most that it ever held."""
    return _held(pid, "VmHWM")


def _held(pid: int, name: str) -> int:
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
