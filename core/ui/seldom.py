"""Progress that is shown as often as an eye follows it, and not at every step of a computation."""

import time
from collections.abc import Callable

EVERY = 0.1  # seconds


def seldom(show: Callable[..., None]) -> Callable[..., None]:
    """`show` for every step, which passes on the first and then one in EVERY seconds: each message takes the server a millisecond or two.

    A viewer who went on or away is noticed where something is shown, so the work ends that much later.
    """
    last = -EVERY

    def at_times(*args) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            show(*args)
            last = time.monotonic()

    return at_times
