"""Memory that was used and freed goes back to the system: glibc would keep it for threads that are gone."""

import ctypes
import threading
import time
from pathlib import Path

GROWN = 24 << 20  # bytes more than after the last look: then what is free is handed back
_LOOK = 1.0  # seconds between two looks
LEFT = 10  # looks after which it is handed back anyway: what sessions held that were left
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
    """After every growth, and now and then, hand back what lies free between things in use; at most some hundredths of a second."""
    least, looks = held(), 0
    while True:
        time.sleep(_LOOK)
        looks += 1
        if held() > least + GROWN or looks >= LEFT:
            trim(0)
            least, looks = held(), 0
        least = min(least, held())


def held() -> int:
    """Bytes of memory that this process holds for itself, without files."""
    _, resident, shared, *_ = map(int, _HELD.read_text("ascii").split())
    return (resident - shared) * 4096
