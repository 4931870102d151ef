"""What several measurements need: the app served on this machine, and how a record begins."""

import datetime
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
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
    port = port or _free_port()
    address = f"http://127.0.0.1:{port}"
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    command = [sys.executable, "-m", "streamlit", "run", app.name, *options]
    server = subprocess.Popen(command, cwd=app.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_answer(address, server, str(app))
        yield address, server
    finally:
        server.terminate()
        server.wait(20)


def find_nginx() -> str | None:
    """Where the proxy's program is."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def behind_nginx(n: int):
    """`n` servers of the app behind deploy/nginx.conf; gives the proxy's address and address -> process of the servers.

    The configuration has places for two servers. Raises ValueError for more, FileNotFoundError where there is no nginx.
    """
    nginx, places = find_nginx(), ("app1", "app2")
    if n > len(places):
        raise ValueError(f"deploy/nginx.conf has places for {len(places)} servers, not {n}")
    if nginx is None:
        raise FileNotFoundError("there is no nginx on this machine")
    with ExitStack() as stack:
        servers = dict(stack.enter_context(serving(ROOT / "app.py")) for _ in range(n))
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), _free_port()
        conf = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
        for name, there in zip(places, servers):
            conf = conf.replace(f"server {name}:8501", "server " + there.removeprefix("http://"))
        conf = conf.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("worker_processes auto", "worker_processes 1")
        (folder / "nginx.conf").write_text(f"daemon off; pid {folder}/pid;\n{conf}")
        proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"])
        stack.callback(proxy.wait, 20)
        stack.callback(proxy.terminate)
        address = f"http://127.0.0.1:{port}"
        _wait_for_answer(address, proxy, "nginx")
        yield address, servers


def _wait_for_answer(address: str, process: subprocess.Popen, name: str) -> None:
    """Until the server at `address` is healthy; RuntimeError where its process ends before, or after two minutes."""
    for _ in range(480):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode} before it answered") from None
            time.sleep(0.25)
    raise RuntimeError(f"{name} did not answer within 120 s")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
