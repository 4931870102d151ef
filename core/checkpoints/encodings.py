"""The public encodings of tiktoken (GPT-2, cl100k, o200k) without the internet, where a PyPI package carries their ranks.

    python -m core.checkpoints.encodings      fetches what is missing into the cache folder

Every file is checked against the SHA-256 that tiktoken itself asks for, wherever it was found.
"""

import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import tiktoken

from core.checkpoints import cache
from core.checkpoints.shared import shared
from core.tokenizers import Tokenizer, parse_ranks

COMMAND = "python -m core.checkpoints.encodings"


class MissingEncoding(ValueError):
    """The ranks of a public encoding are not on this machine yet."""

    def __init__(self, name: str):
        super().__init__(f"the encoding {name} needs one download: {COMMAND}")
        self.name = name


@dataclass(frozen=True)
class PublicEncoding:
    """One entry of encodings.toml."""

    name: str
    label: str  # as a viewer reads it
    url: str  # of tiktoken's own rank file
    sha256: str
    requirement: str  # the PyPI package that carries the ranks
    wheel: bool  # a wheel, or the source archive
    member: str  # the file in it
    pattern: str
    special: dict[str, int]


def _table() -> dict[str, PublicEncoding]:
    entries = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {name: PublicEncoding(name, **entry) for name, entry in entries.items()}


PUBLIC = _table()


def load_encoding(name: str) -> Tokenizer:
    """The public encoding `name`, loaded once for all; raises MissingEncoding where its ranks are not on this machine."""
    return _load(name)


@shared
def _load(name: str) -> Tokenizer:
    entry, ranks = PUBLIC[name], find_ranks(PUBLIC[name])
    if ranks is None:
        raise MissingEncoding(name)
    encoding = tiktoken.Encoding(name, pat_str=entry.pattern, mergeable_ranks=parse_ranks(ranks, name), special_tokens=entry.special)
    encoding._mergeable_ranks = {}  # tiktoken holds the ranks a second time itself; for o200k this one takes 40 MB
    return Tokenizer(encoding)


def find_ranks(entry: PublicEncoding) -> bytes | None:
    """tiktoken's rank file of an encoding: from an installed package, our cache folder, or tiktoken's own; None if it is in none."""
    for file in (_in_package(entry), cache_folder() / f"{entry.name}.tiktoken", _in_tiktokens_cache(entry)):
        if file and file.is_file():
            ranks = _unpacked(file.name, file.read_bytes())
            if hashlib.sha256(ranks).hexdigest() == entry.sha256:
                return ranks
    return None


def cache_folder() -> Path:
    """Where downloads go: `encodings` in the cache folder of the models."""
    return cache.cache_folder() / "encodings"


def download(entry: PublicEncoding) -> Path:
    """Fetch one encoding with pip, without dependencies, check it and put it into the cache folder.

    Raises OSError where the package index is out of reach or the file is not the one that is expected.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Only data is read: any platform's wheel will do, and nothing of the package is installed or imported.
        kind = ["--only-binary=:all:", "--platform=manylinux2014_x86_64"] if entry.wheel else [f"--no-binary={_package(entry)}"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", folder]
        try:
            subprocess.run([*command, *kind, entry.requirement], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise OSError(f"pip could not fetch {entry.requirement}: {error.stderr.strip().splitlines()[-1:]}") from error
        ranks = _unpacked(entry.member, _read_member(next(Path(folder).iterdir()), entry.member))
    if hashlib.sha256(ranks).hexdigest() != entry.sha256:
        raise OSError(f"{entry.requirement} holds other ranks than tiktoken's {entry.name}")
    file = cache_folder() / f"{entry.name}.tiktoken"
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(ranks)
    part.replace(file)  # whole or not at all
    return file


def _read_member(archive: Path, member: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as source:
        inside = next(name for name in source.getnames() if name.endswith("/" + member))
        return source.extractfile(inside).read()


def _unpacked(name: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data) if name.endswith(".gz") else data
    except (OSError, EOFError):
        return b""  # damaged: its check sum will be wrong


def _package(entry: PublicEncoding) -> str:
    return entry.requirement.partition("==")[0]


def _in_package(entry: PublicEncoding) -> Path | None:
    """The file in an installed package; the package is looked up, never imported."""
    top, _, rest = entry.member.partition("/")
    found = importlib.util.find_spec(top)
    folders = found.submodule_search_locations if found else None
    return Path(folders[0]) / rest if folders else None


def _in_tiktokens_cache(entry: PublicEncoding) -> Path:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR") or Path(tempfile.gettempdir()) / "data-gym-cache"
    return Path(folder) / hashlib.sha1(entry.url.encode()).hexdigest()


def main() -> int:
    """Fetch what is missing; the exit status is 1 where something could not be fetched."""
    failed = 0
    for entry in PUBLIC.values():
        if find_ranks(entry):
            print(f"{entry.name}: here")
            continue
        try:
            print(f"{entry.name}: fetching {entry.requirement} ...", flush=True)
            print(f"{entry.name}: {download(entry)}")
        except OSError as error:
            print(f"{entry.name}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
