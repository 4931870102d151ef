"""What happened from 2017 on, who says so, and what of it can be checked by arithmetic. No torch here."""

from core.history.events import BADGES, TOPICS, Event, chosen, events
from core.history.recomputed import CHECKS, Check

__all__ = ["BADGES", "CHECKS", "Check", "Event", "TOPICS", "chosen", "events"]
