"""Model repositories of the Hugging Face hub, over its public HTTP interface; no account, no code from there."""

import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from core.checkpoints.cache import Cancelled, Progress, is_plain, stop_if
from core.checkpoints.errors import DownloadFailed, UnsupportedCheckpoint

_PIECE = 1 << 18
_TIMEOUT = 10  # seconds without a byte
_SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def fetch_from_hub(repository: str, folder: Path, progress: Progress | None = None, cancelled: Cancelled | None = None) -> None:
    """Download the repository's config, tokenizer and safetensors into `folder`, checked against the hub's own sums.

    Raises DownloadFailed (in one sentence: out of reach, no such repository, not public, broken), DownloadCancelled,
    and UnsupportedCheckpoint for a repository without safetensors: other formats can hold code.
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository:
        raise DownloadFailed(f"{repository!r} is no repository name such as org/name")
    commit, files = _listing(repository)
    if not any(name.endswith(".safetensors") for name, _, _ in files):
        raise UnsupportedCheckpoint("a repository without safetensors files")
    done, total = 0, sum(size for _, size, _ in files)
    for name, size, sums in files:
        so_far = (lambda n, before=done: progress(before + n, total)) if progress else (lambda n: None)
        _fetch(f"{_hub()}/{repository}/resolve/{commit}/{name}", folder / name, size, sums, so_far, cancelled)
        done += size


def _hub() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _listing(repository: str) -> tuple[str, list[tuple[str, int, dict]]]:
    """The commit, and of the files worth having: name, bytes, and the sums the hub states."""
    with _open(f"{_hub()}/api/models/{repository}?blobs=true") as answer:
        try:
            stated = json.loads(answer.read(16 << 20))
            commit, listed = str(stated["sha"]), stated["siblings"]
            files = []
            for file in listed:
                name = file["rfilename"]
                if is_plain(name) and (name in _SMALL or name.endswith(".safetensors")):
                    sums = {"sha256": file["lfs"]["sha256"]} if file.get("lfs") else {"git": file["blobId"]}
                    files.append((name, int(file["size"]), sums))
        except (ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException) as error:
            raise DownloadFailed(f"the hub's answer about {repository} cannot be read") from error
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise DownloadFailed(f"the hub's answer about {repository} cannot be read")
    names = {name for name, _, _ in files}
    if "model.safetensors" in names:  # some repositories hold the same weights in other files too
        files = [f for f in files if not f[0].endswith(".safetensors") or f[0] == "model.safetensors"]
    return commit, files


def _fetch(address: str, target: Path, size: int, sums: dict, progress, cancelled: Cancelled | None) -> None:
    """Copy one file; DownloadFailed unless size and sum are those stated."""
    kind = hashlib.sha256() if "sha256" in sums else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    n = 0
    try:
        with _open(address) as answer, open(target, "wb") as out:
            while piece := answer.read(_PIECE):
                stop_if(cancelled)
                n += len(piece)
                if n > size:
                    break
                out.write(piece)
                kind.update(piece)
                progress(n)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadFailed(f"the download of {target.name} broke off; nothing was kept") from error
    if n != size or kind.hexdigest() != next(iter(sums.values())):
        raise DownloadFailed(f"{target.name} came damaged (size or checksum differs); nothing was kept")


def _open(address: str):
    """The answer to a GET; raises DownloadFailed with one sentence."""
    host = urllib.parse.urlsplit(address).hostname
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers={"User-Agent": "glassbox"}), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        reason = {401: "no such public repository", 403: "not open to everybody", 404: "no such repository or file"}
        raise DownloadFailed(f"{host}: {reason.get(error.code, f'answer {error.code}')} ({address})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadFailed(f"{host} is out of reach") from error
