"""The server's desk for trainings: each in a process of its own, at most so many at once, the others in a queue.

A training ends when its viewer is gone: when it was not looked at for some seconds while it runs, when `alive` says
no, or when it pauses long while others wait.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = "core.training.live_process"
UNSEEN = 20.0  # seconds without a look after which a training that runs or waits is given up
PAUSED = 300.0  # the same for one that pauses,
PATIENCE = 30.0  # and while others wait
LONGEST_QUEUE = 50
WATCH = 0.5  # seconds between two rounds

WAITING, RUNNING, PAUSING, DONE, STOPPED, LEFT, FAILED = "waiting", "running", "paused", "done", "stopped", "left", "failed"


class QueueFull(Exception):
    """As many wait as can be held."""


@dataclass(eq=False)
class Run:
    """One viewer's training; `rows` grow while it runs."""

    text: str
    recipe: Mapping
    alive: Callable[[], bool]
    going: bool = True  # whether it begins to train at once, or pauses before the first step
    status: str = WAITING
    rows: list[dict] = field(default_factory=list)
    seen: float = 0.0  # when its viewer last looked, on the desk's clock
    process: subprocess.Popen | None = None
    reader: threading.Thread | None = None
    talk: threading.Lock = field(default_factory=threading.Lock)  # held by who writes to the process

    @property
    def active(self) -> bool:
        return self.status in (WAITING, RUNNING, PAUSING)

    @property
    def holds_place(self) -> bool:
        return self.status in (RUNNING, PAUSING)


class Desk:
    """Starts, steers and ends trainings; one for a server, used by all its sessions."""

    def __init__(self, most: int, module: str = MODULE, clock: Callable[[], float] = time.monotonic):
        self.most, self._module, self._clock = most, module, clock
        self._lock = threading.RLock()
        self._runs: list[Run] = []  # active ones in the order they came
        self._watch: threading.Thread | None = None

    def start(self, text: str, recipe: Mapping, alive: Callable[[], bool] = lambda: True, going: bool = True) -> Run:
        """A new training; it waits where all places are taken. Raises QueueFull where too many wait already."""
        with self._lock:
            if sum(run.status == WAITING for run in self._runs) >= LONGEST_QUEUE:
                raise QueueFull
            run = Run(text, dict(recipe), alive, going, seen=self._clock())
            self._runs.append(run)
            self._fill()
            if self._watch is None:
                self._watch = threading.Thread(target=self._keep_watch, daemon=True)
                self._watch.start()
        return run

    def look(self, run: Run) -> None:
        """The viewer is still there."""
        run.seen = self._clock()

    def pause(self, run: Run) -> None:
        self._order(run, "pause", PAUSING)

    def go(self, run: Run) -> None:
        self._order(run, "go", RUNNING)

    def step(self, run: Run) -> None:
        """One step, after which it pauses."""
        self._order(run, "step", PAUSING)

    def stop(self, run: Run, status: str = STOPPED) -> None:
        """End it at once; its rows stay. The next in the queue begins."""
        with self._lock:
            if not run.active:
                return
            run.status = status
            if run.process:
                run.process.kill()
                run.process.wait()
                with suppress(OSError):
                    run.process.stdin.close()
            self._runs.remove(run)
            self._fill()

    def place(self, run: Run) -> int:
        """Its place in the queue from 1; 0 for one that does not wait."""
        with self._lock:
            waiting = [one for one in self._runs if one.status == WAITING]
            return waiting.index(run) + 1 if run in waiting else 0

    def training(self) -> int:
        """How many hold a place now."""
        with self._lock:
            return sum(run.holds_place for run in self._runs)

    def tidy(self) -> None:
        """One round: ends what is finished or left, and lets the next ones begin."""
        with self._lock:
            now, waiting = self._clock(), any(run.status == WAITING for run in self._runs)
            for run in list(self._runs):
                limit = (PATIENCE if waiting else PAUSED) if run.status == PAUSING else UNSEEN
                if run.process and run.process.poll() is not None and not run.reader.is_alive():
                    self.stop(run, DONE if run.process.returncode == 0 else FAILED)
                elif now - run.seen > limit or not run.alive():
                    self.stop(run, LEFT)

    def _order(self, run: Run, command: str, status: str) -> None:
        with self._lock:
            self.look(run)
            if run.status == WAITING:
                run.going = status == RUNNING
            elif run.holds_place:
                run.status = status
                with run.talk, suppress(OSError):  # it may just have ended by itself
                    run.process.stdin.write(command + "\n")
                    run.process.stdin.flush()

    def _fill(self) -> None:
        for run in self._runs:
            if run.status == WAITING and self.training() < self.most:
                self._begin(run)

    def _begin(self, run: Run) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        run.process = subprocess.Popen([sys.executable, "-m", self._module], cwd=ROOT, text=True, encoding="utf-8", **pipes)
        run.status, run.seen = (RUNNING if run.going else PAUSING), self._clock()
        request = {"text": run.text, "recipe": run.recipe, "going": run.going}
        run.talk.acquire()  # given back once the request is written: no command goes before it
        run.reader = threading.Thread(target=_speak_and_read, args=(run, json.dumps(request) + "\n"), daemon=True)
        run.reader.start()

    def _keep_watch(self) -> None:
        while True:
            time.sleep(WATCH)
            self.tidy()
            with self._lock:
                if not self._runs:
                    self._watch = None
                    return


def _speak_and_read(run: Run, request: str) -> None:
    """Hand over the request and collect rows until the process ends: in a thread, as either may take a while."""
    with suppress(OSError, ValueError):  # it may be ended meanwhile; its exit status says the rest
        try:
            run.process.stdin.write(request)
            run.process.stdin.flush()
        finally:
            run.talk.release()
        for line in run.process.stdout:
            run.rows.append(json.loads(line))
