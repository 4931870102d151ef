"""A class at once: many viewers on one server, each opening pages and moving controls every few seconds.

    python -m core.bench load [--viewers 1,10,25,50] [--seconds 60] [--servers 1,2] [--pages next_token,attention] [--out FILE]

The viewers speak Streamlit's own websocket protocol (core/bench/_viewer.py) from a process of their own, on this machine
only. A time runs from sending what a viewer did to the last part of the answer. Lost answers and error boxes are counted.
Every number of viewers gets a fresh server, warmed up by one viewer who opens every page; `--servers 1,2` measures two
servers behind deploy/nginx.conf besides. Results: assets/runs/load.json.
"""

import argparse
import asyncio
import json
import random
import statistics
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from core.bench._served import ROOT, behind_nginx, head, pages_to_move, serving
from core.bench._viewer import Answer, Lost, Viewer, resident

OUT = ROOT / "assets" / "runs" / "load.json"
PAUSE = (2.0, 6.0)  # seconds between two things that a viewer does
STAY = 6  # things done on a page before the next one is opened
MOST_VIEWERS, MOST_SECONDS = 200, 600
SLOW = 5  # slowest controls that are named


def main(arguments: list[str]) -> None:
    """Measure, print a line for every number of viewers and one JSON line, write the file."""
    options = _options(arguments)
    rows = []
    for n_servers, n in ((s, n) for s in options.servers for n in options.viewers):
        with _served(n_servers) as (address, servers):
            for direct in servers:
                asyncio.run(_warm(direct, options.pages))
            row = asyncio.run(_class(address, n, options.seconds, options.pages))
            held = sum(resident(process.pid) for process in servers.values())
            rows.append(row | {"servers": n_servers, "rss_mb": round(held / 1e6)})
        print(_line(rows[-1]), flush=True)
    what = "seconds from a control to the last part of the answer, for n viewers at once"
    result = head("load", arguments, what) | {"pages": options.pages, "runs": rows}
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps({"viewers": rows[-1]["viewers"], **{k: rows[-1][k] for k in ("median_s", "p95_s", "lost", "errors")}}))


@contextmanager
def _served(n: int):
    """One server, or several behind nginx: the address to go to, and address -> process."""
    if n > 1:
        with behind_nginx(n) as found:
            yield found
        return
    with serving(ROOT / "app.py") as (address, process):
        yield address, {address: process}


async def _warm(address: str, pages: list[str]) -> None:
    async with Viewer(address) as viewer:
        for page in pages:
            await viewer.open(page)


async def _class(address: str, n: int, seconds: float, pages: list[str]) -> dict:
    """`n` viewers for some seconds; what they saw together."""
    end = asyncio.get_running_loop().time() + seconds
    seen: list[Answer] = []
    lost: Counter[str] = Counter()
    await asyncio.gather(*(_one(address, random.Random(i), end, pages, seen, lost) for i in range(n)))
    moved, opened = [a for a in seen if a.control], [a for a in seen if not a.control]
    times = sorted(a.seconds for a in moved)
    slow: dict[str, list[float]] = {}
    for a in moved:
        slow.setdefault(a.control, []).append(a.seconds)
    by_control = {control: round(statistics.median(found), 2) for control, found in slow.items()}
    return {
        "viewers": n,
        "seconds": seconds,
        "answers": len(moved),
        "pages_opened": len(opened),
        "median_s": _at(times, 0.5),
        "p95_s": _at(times, 0.95),
        "first_median_s": _at(sorted(a.first for a in moved), 0.5),
        "open_median_s": _at(sorted(a.seconds for a in opened), 0.5),
        "errors": sum(len(a.errors) for a in seen),
        "sentences": [text for text, _ in Counter(text for a in seen for text in a.errors).most_common(3)],
        "lost": sum(lost.values()),
        "lost_at": dict(lost),
        "slowest": dict(sorted(by_control.items(), key=lambda item: -item[1])[:SLOW]),
    }


async def _one(address: str, rng: random.Random, end: float, pages: list[str], seen: list[Answer], lost: Counter) -> None:
    """One viewer, until the time is over."""
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(rng.uniform(0, PAUSE[1]))
    try:
        async with Viewer(address, language=rng.choice(("en", "de"))) as viewer:
            while clock() < end:
                seen.append(await viewer.open(rng.choice(pages)))
                for _ in range(STAY):
                    await asyncio.sleep(rng.uniform(*PAUSE))
                    if clock() >= end:
                        return
                    if viewer.movable:
                        seen.append(await viewer.move(rng))
    except (Lost, OSError) as error:
        lost[str(error)[:80]] += 1


def _at(times: list[float], share: float) -> float | None:
    return round(times[min(int(share * len(times)), len(times) - 1)], 3) if times else None


def _line(row: dict) -> str:
    return (
        f"{row['viewers']:4} viewers  {row['servers']} servers  {row['answers']:5} answers  "
        f"median {row['median_s']} s  95 % {row['p95_s']} s  open {row['open_median_s']} s  "
        f"lost {row['lost']}  errors {row['errors']}  {row['rss_mb']} MB"
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    known = pages_to_move()
    parser = argparse.ArgumentParser(prog="python -m core.bench load", description=__doc__.split("\n")[0])
    parser.add_argument("--viewers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 25, 50])
    parser.add_argument("--seconds", type=float, default=60.0, help=f"for each number of viewers, at most {MOST_SECONDS}")
    parser.add_argument("--servers", type=lambda text: [int(n) for n in text.split(",")], default=[1], help="1, or 2 behind nginx")
    parser.add_argument("--pages", type=lambda text: text.split(","), default=known, help="only these: " + ",".join(known))
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    if not all(1 <= n <= MOST_VIEWERS for n in options.viewers) or not 1 <= options.seconds <= MOST_SECONDS:
        parser.error(f"1 to {MOST_VIEWERS} viewers for 1 to {MOST_SECONDS} seconds")
    if not set(options.servers) <= {1, 2}:
        parser.error("1 or 2 servers")
    unknown = set(options.pages) - set(known)
    if unknown:
        parser.error(f"no such pages: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options
