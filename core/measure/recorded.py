"""Measurements that `python -m core.bench NAME` wrote into assets/runs."""

import json
from functools import cache
from pathlib import Path

RUNS = Path(__file__).resolve().parents[2] / "assets" / "runs"
KINDS = {  # what a viewer does -> the kinds of controls in interaction.json
    "drag": ("live slider",),
    "slide": ("slider",),
    "type": ("text",),
    "click": ("button", "choice", "toggle", "token", "cell"),
}


@cache  # bounded by the files there are
def recorded(name: str) -> dict | None:
    """The run called `name`, or None where none was recorded."""
    file = RUNS / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def controls(run: dict, kind: str = "all") -> list[dict]:
    """The measured controls of one kind of `KINDS`, slowest first: page, control, kind, ms, median_ms, ratio."""
    kinds = KINDS.get(kind) or [name for names in KINDS.values() for name in names]
    found = [row for row in run["probes"] if row["kind"] in kinds and row.get("median_ms") is not None]
    return sorted(found, key=lambda row: -row["median_ms"])


def within(rows: list[dict], most: float) -> int:
    """How many controls answer within `most` times the empty page."""
    return sum(row["ratio"] <= most for row in rows)
