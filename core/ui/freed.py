"""Memory that was used and freed goes back to the system: glibc would keep it for threads that are gone.

Where the system runs short, what the server keeps to answer faster goes first; on a small host that is most of the time.
"""

import ctypes
import gc
import threading
import time
from pathlib import Path

from core.checkpoints.memory import make_room

GROWN = 24 << 20  # bytes more than after the last look: then what is free is handed back
_LOOK = 1.0  # seconds between two looks
LEFT = 10  # looks after which it is handed back anyway: what sessions held that were left
ALL = 60  # looks after which what was put aside is looked through, too; LEFT where memory is short: it holds left sessions
_HELD = Path("/proc/self/statm")


def return_freed_memory() -> None:
    """Once per server; does nothing where there is no glibc."""
    try:
        libc = ctypes.CDLL(None)
        tell, trim = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError):  # not glibc
        return
    arenas, mapped, trimmed = -8, -3, -1  # M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
    for parameter, value in ((arenas, 2), (mapped, 1 << 20), (trimmed, 16 << 20)):
        tell(parameter, value)
    if _HELD.exists():
        threading.Thread(target=_watch, args=(trim,), daemon=True).start()


def _watch(trim) -> None:
    """After a growth, where memory is short and now and then, hand back what lies free; that takes some hundredths of a second."""
    least, looks, since = held(), 0, 0
    while True:
        time.sleep(_LOOK)
        looks, since = looks + 1, since + 1
        short = make_room()
        if since >= (LEFT if short else ALL):
            put_aside()
            since = 0
        if short or held() > least + GROWN or looks >= LEFT:
            gc.collect()  # what refers to itself in a circle, as left sessions do; Streamlit's own after every answer is switched off
            trim(0)
            least, looks = held(), 0
        least = min(least, held())


def put_aside() -> None:
    """Collect all garbage, and put what is left, mostly what imports made, aside: later collections need not look through it.

    Sessions that are open at the moment are put aside as well; when they are left, the next time finds them.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def held() -> int:
    """Bytes of memory that this process holds for itself, without files."""
    _, resident, shared, *_ = map(int, _HELD.read_text("ascii").split())
    return (resident - shared) * 4096
