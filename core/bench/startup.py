"""From a cold server to the first page: how long the first viewer waits, and the second.

    python -m core.bench startup [--repeats 3] [--out FILE]

Starts the server anew each time. Results: assets/runs/startup.json.
"""

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

from core.bench._served import ROOT, head, serving
from core.bench._viewer import Viewer

OUT = ROOT / "assets" / "runs" / "startup.json"
PAGE = "next_token"


def main(arguments: list[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m core.bench startup", description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    rows = [_once() for _ in range(options.repeats)]
    medians = {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
    result = head("startup", arguments, "seconds") | {"page": PAGE, "median": medians, "runs": rows}
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(medians))


def _once() -> dict[str, float]:
    """Seconds until the server answers, until the first viewer reads the question and has the whole page, and the second one."""

    async def visit() -> tuple[float, float]:
        async with Viewer(address) as viewer:
            answer = await viewer.open(PAGE)
            return answer.first, answer.seconds

    start = time.perf_counter()
    with serving(ROOT / "app.py") as (address, _):
        ready = time.perf_counter() - start
        (first, whole), (_, again) = asyncio.run(visit()), asyncio.run(visit())
    return {"ready": round(ready, 2), "question": round(first, 2), "page": round(whole, 2), "second_viewer": round(again, 2)}
