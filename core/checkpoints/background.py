"""Downloads that go on while nobody waits for them: one at a time for the whole process, seen by everybody."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.checkpoints.cache import cache_folder
from core.checkpoints.errors import DownloadCancelled
from core.checkpoints.fetch import download

RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


@dataclass
class Job:
    """One download; `done` of `total` bytes (0 = not known yet). `reason` says in one sentence why it failed."""

    name: str
    done: int = 0
    total: int = 0
    status: str = RUNNING
    reason: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


class Downloads:
    """Starts downloads, each in a thread of its own, and remembers the last one."""

    def __init__(self, fetch: Callable = download):
        self._fetch = fetch
        self._lock = threading.Lock()
        self.job: Job | None = None

    @property
    def running(self) -> Job | None:
        """The download on its way, if there is one."""
        job = self.job
        return job if job is not None and job.status == RUNNING else None

    def start(self, name: str, bytes_needed: int = 0) -> Job:
        """Fetch the model `name`; while another is on its way, that one is returned and nothing is started.

        `bytes_needed` on the disk are asked for before: a full disk would harm more than this download.
        """
        with self._lock:
            if self.running is not None:
                return self.running
            job = self.job = Job(name, total=bytes_needed)
        free = _free_on_disk()
        if free is not None and free < bytes_needed:
            job.reason = f"{bytes_needed / 1e6:,.0f} MB are needed on the disk, {free / 1e6:,.0f} MB are free"
            job.status = FAILED
        else:
            threading.Thread(target=self._run, args=(job,), name=f"download {name}", daemon=True).start()
        return job

    def stop(self) -> None:
        """Ask the download on its way to stop; it does so within moments and keeps nothing."""
        if self.running is not None:
            self.running.stop.set()

    def _run(self, job: Job) -> None:
        try:
            self._fetch(job.name, job.progress, job.stop.is_set)
            job.status = DONE
        except DownloadCancelled:
            job.status = STOPPED
        except Exception as error:  # whatever it is, it ends this download only
            job.reason = str(error) or type(error).__name__
            job.status = FAILED


def _free_on_disk() -> int | None:
    """Bytes free where downloads go."""
    folder: Path = cache_folder()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
