"""Measuring in a process of its own that a viewer can stop; one at a time on a server, so that none disturbs another."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
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


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
