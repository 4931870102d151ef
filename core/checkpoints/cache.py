"""Where downloaded models lie, and how they get there whole or not at all."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.checkpoints.errors import DamagedCheckpoint, DownloadCancelled

Progress = Callable[[int, int], None]  # bytes done, bytes in all (0 = unknown)
Cancelled = Callable[[], bool]  # asked now and then; True stops the download
MANIFEST = "download.json"  # names every file with its size and SHA-256; written last


def cache_folder() -> Path:
    """GLASSBOX_CACHE, else a folder in the user's cache."""
    moved = os.environ.get("GLASSBOX_CACHE")
    return Path(moved).expanduser() if moved else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "glassbox"


def cached_folder(name: str) -> Path:
    """The folder of a downloaded model: "smollm2-135m" or "org/name"."""
    return cache_folder() / "models" / name.replace("/", "--")


def is_cached(name: str) -> bool:
    """Whether the model is there, by its manifest and the sizes of its files."""
    try:
        return not damaged_files(cached_folder(name), deep=False)
    except DamagedCheckpoint:
        return False


def damaged_files(folder: Path, deep: bool = True) -> list[str]:
    """Files that are missing or not what was downloaded: by size, and with `deep` by SHA-256.

    Raises DamagedCheckpoint where there is no readable manifest.
    """
    files = manifest(folder)["files"]
    return [name for name, stated in files.items() if not _matches(folder / name, stated, deep)]


def manifest(folder: Path) -> dict:
    """What was downloaded: {"name", "source", "files": {name: {"bytes", "sha256"}}, "card"}; raises DamagedCheckpoint."""
    try:
        held = json.loads((folder / MANIFEST).read_text("utf-8"))
        if all(is_plain(name) and {"bytes", "sha256"} <= stated.keys() for name, stated in held["files"].items()):
            return held
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        pass
    raise DamagedCheckpoint(str(folder / MANIFEST), "is missing or damaged", "python -m core.checkpoints download")


def is_plain(name: str) -> bool:
    """Whether a file's name stays in its folder: letters, digits, dot, dash and underscore only, no path."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", name) is not None


@contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """A folder to download into that takes its place in one step at the end, and vanishes if anything goes wrong."""
    final = cached_folder(name)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f".{final.name}.{secrets.token_hex(4)}.partial"
    partial.mkdir()
    try:
        yield partial
        if final.exists():
            shutil.rmtree(final)
        os.replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_manifest(folder: Path, name: str, source: str, card: dict) -> None:
    """Describe the files that lie in `folder`."""
    files = {file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in sorted(folder.iterdir())}
    text = json.dumps({"name": name, "source": source, "files": files, "card": card}, indent=1)
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text(text + "\n", "utf-8")
    os.replace(partial, folder / MANIFEST)


def sha256(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stop_if(cancelled: Cancelled | None) -> None:
    """Raise DownloadCancelled if somebody asked for it."""
    if cancelled and cancelled():
        raise DownloadCancelled("the download was stopped; nothing was kept")


def _matches(file: Path, stated: dict, deep: bool) -> bool:
    try:
        return file.stat().st_size == stated["bytes"] and (not deep or sha256(file) == stated["sha256"])
    except OSError:
        return False
