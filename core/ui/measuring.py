"""Measuring that a viewer starts and stops: here step by step, or in a process of its own, one at a time on a server."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]


class Measuring:
    """A running `python -m module arguments` that prints one JSON object a line; it ends by itself or by `stop`."""

    def __init__(self, module: str, arguments: Sequence[str]):
        self.rows: list[dict] = []
        self.stopped = False
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                self.rows.append(json.loads(line))

    @property
    def running(self) -> bool:
        return self._process.poll() is None or self._reader.is_alive()

    @property
    def failed(self) -> bool:
        return not self.running and not self.stopped and self._process.returncode != 0

    def stop(self) -> None:
        """End it at once; what was measured stays."""
        self.stopped = True
        self._process.kill()
        self._process.wait()


@st.cache_resource(show_spinner=False)
def _turn() -> dict:
    """The server's one measurement and the lock around starting it."""
    return {"lock": threading.Lock(), "now": None}


def start(module: str, arguments: Sequence[str]) -> Measuring | None:
    """Start measuring; None while somebody else measures."""
    turn = _turn()
    with turn["lock"]:
        if turn["now"] is not None and turn["now"].running:
            return None
        turn["now"] = Measuring(module, arguments)
        return turn["now"]


def start_and_stop(page, done: Callable[[dict], float], texts: str = "time") -> None:
    """The button that starts a new measurement, or stops the one that runs, and how far it has come.

    The session holds both under `running` and `measured`; `done(measured)` is the share that is there. Texts: <texts>.start, stop,
    progress.
    """
    state, running, measured = st.session_state, page.key("running"), page.key("measured")
    going = bool(state.get(running))

    def clicked():
        state[running] = not going
        if not going:
            state[measured] = {}

    icon = ":material/stop:" if going else ":material/play_arrow:"
    name = page.t(f"{texts}.stop" if going else f"{texts}.start")
    st.button(name, key=page.key("measure"), icon=icon, type="primary", on_click=clicked)
    if going:
        share = min(done(state.get(measured, {})), 1.0)
        st.progress(share, page.t(f"{texts}.progress", share=share))


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
