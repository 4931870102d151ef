"""How much memory is free, for this process: the machine's, what its container (cgroup) leaves, or what it was told to take.

$GLASSBOX_MEMORY is the most that the process shall hold, in MB, for hosts whose limit cannot be seen from inside.
"""

import os
import time
from functools import lru_cache
from pathlib import Path

from core.checkpoints.errors import NotEnoughMemory
from core.kept import let_go

SHORT = 112 << 20  # bytes; where less is free, what can be computed or loaded again is given up
_RESERVE = 64 << 20  # bytes that stay free for what a forward pass needs
_ROOT = Path("/")


def free_bytes(root: Path = _ROOT) -> int | None:
    """Bytes that can be taken without swapping or being killed; None where the system does not say.

    The least of what the kernel calls available, of what every control group above this process has left,
    its page cache counted as free (it is given back on demand), and of what $GLASSBOX_MEMORY leaves.
    """
    known = [n for n in (_available(root), _left_of_told(root), *_left_in_groups(root)) if n is not None]
    return max(0, min(known)) if known else None


def require_memory(name: str, needed: int) -> None:
    """Raise NotEnoughMemory if `needed` bytes for the model `name` would not fit."""
    make_room(needed)
    free = free_bytes()
    if free is not None and needed + _RESERVE > free:
        raise NotEnoughMemory(name, needed + _RESERVE, free)


def make_room(needed: int = 0) -> bool:
    """Where memory is short beside `needed` bytes more, every memory gives up half of what it keeps; whether that was so."""
    short = is_short(needed)
    if short:
        let_go()
    return short


def is_short(needed: int = 0) -> bool:
    """Whether less than SHORT would be free with `needed` bytes taken."""
    free = free_bytes()
    return free is not None and free < needed + SHORT


def seems_short() -> bool:
    """As `is_short`, looked up twice a second at most: that reads a dozen files."""
    return _short_in(int(2 * time.monotonic()))


@lru_cache(maxsize=1)
def _short_in(half_second: int) -> bool:
    return is_short()


def _available(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _left_of_told(root: Path) -> int | None:
    told = os.environ.get("GLASSBOX_MEMORY", "")
    status = dict(line.split(":", 1) for line in _lines(root / "proc/self/status")) if told.isdecimal() else {}
    return int(told) * 1_000_000 - int(status["RssAnon"].split()[0]) * 1024 if "RssAnon" in status else None


def _left_in_groups(root: Path) -> list[int]:
    """Limit - use + page cache of this process's group and of all above it; cgroup version 2, else 1."""
    left = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, limit, use = root / "sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit, use = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            most, used = _number(folder / limit), _number(folder / use)
            if most is not None and used is not None and most < 1 << 60:  # version 1 writes a huge number for "no limit"
                left.append(most - used + _page_cache(folder))
    return left


def _page_cache(folder: Path) -> int:
    for line in _lines(folder / "memory.stat"):
        if line.startswith(("inactive_file ", "total_inactive_file ")):
            return int(line.split()[1])
    return 0


def _number(file: Path) -> int | None:
    text = "".join(_lines(file)).strip()
    return int(text) if text.isdigit() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").splitlines()
    except OSError:
        return []
