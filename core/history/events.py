"""Claims with their dates, sources and badges (events.toml)."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

# From the firmest support to the weakest.
BADGES = ("proved", "reproduced", "measured", "developer", "vendor", "opinion")
TOPICS = ("architecture", "scaling", "context", "memory", "speed", "reasoning", "limits")


@dataclass(frozen=True)
class Event:
    """One claim: when it was first published, what it is about, how well it is supported, where it stands."""

    name: str
    date: date
    topic: str  # one of TOPICS
    badge: str  # one of BADGES, of the claim as it is worded, not of the whole paper
    source: str
    url: str
    lab: str  # stem of the page where one can try it


@cache
def events() -> dict[str, Event]:
    """Name -> event, the earliest first. Raises ValueError for a badge or topic that is none of the known ones."""
    rows = tomllib.loads((Path(__file__).parent / "events.toml").read_text("utf-8"))
    found = [Event(name, **row) for name, row in rows.items()]
    for event in found:
        if event.badge not in BADGES or event.topic not in TOPICS:
            raise ValueError(f"{event.name}: badge {event.badge!r} or topic {event.topic!r} is unknown")
    return {event.name: event for event in sorted(found, key=lambda event: event.date)}


def chosen(badges: Iterable[str], topic: str = "all") -> list[Event]:
    """The events that carry one of `badges` and belong to `topic` ("all": to any), the earliest first."""
    badges = set(badges)
    return [event for event in events().values() if event.badge in badges and topic in ("all", event.topic)]
