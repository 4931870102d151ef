"""Where long work can be interrupted: between two passes through a network.

Whoever shares the processor out says with `at_pauses` what happens there; without that, nothing.
"""

from collections.abc import Callable

_happens: Callable[[], None] | None = None


def at_pauses(happens: Callable[[], None]) -> None:
    """`happens()` is called at every pause of every thread from now on, in that thread; it takes the place of what was said before."""
    global _happens
    _happens = happens


def pause() -> None:
    """Called before a pass through a network, where nothing is held that another thread may wait for."""
    if _happens:
        _happens()
