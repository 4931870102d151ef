"""What several measurements need: the app served on this machine, and how a record begins."""

import datetime
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = {"classroom", "home", "timeline"}  # nothing here is moved, or it is moved together


@contextmanager
def served(app: Path):
    """`streamlit run` on a free port of this machine; gives the address."""
    with serving(app) as (address, _):
        yield address


@contextmanager
def serving(app: Path, port: int = 0):
    """As `served`; gives the address and the process. `port`: that one instead of a free one."""
    if not port:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    command = [sys.executable, "-m", "streamlit", "run", app.name, *options]
    server = subprocess.Popen(command, cwd=app.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(480):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError(f"{app} ended with {server.returncode} before it answered") from None
                time.sleep(0.25)
        else:
            raise RuntimeError(f"{app} did not answer within 120 s")
        yield address, server
    finally:
        server.terminate()
        server.wait(20)


def pages_to_move() -> list[str]:
    """The pages on which one viewer alone has something to move."""
    return sorted(file.stem for file in (ROOT / "pages").glob("*.py") if file.stem not in WITHOUT)


def head(name: str, arguments: list[str], what: str) -> dict:
    """How a record begins: what was measured, by which command, when and on which machine."""
    command = " ".join([f"python -m core.bench {name}", *arguments])
    return {"what": what, "command": command, "date": datetime.date.today().isoformat(), "machine": machine()}


def machine() -> dict:
    """Processor, cores and what drives the browser."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {"processor": name, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}
