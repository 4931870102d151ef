"""What the server holds in memory: after start, after every page was opened, and after many viewers came and went.

    python -m core.bench memory [--rounds 10] [--sessions 50] [--told 690] [--pages next_token,attention] [--out FILE]

Resident size of the server's process, and what of it is its own: the rest are pages of files (PyTorch's libraries), which
the system takes back when it must. In a round `sessions` viewers, ten at a time, open a page, move something on it and
leave. What counts is that the last rounds stay flat. `--told` is what the server is told to hold at most, as a small host
would ($GLASSBOX_MEMORY). Results: assets/runs/memory.json.

    python -m core.bench memory --model smollm2-135m --mode int8 --sessions 30

The whole app with another model as the server's own: the first six labs, each opened by its share of the viewers, who
all stay until the last has come. Those that need exact weights are opened with the bundled model, as where memory is
short. Results: assets/runs/memory_model.json.
"""

import argparse
import asyncio
import json
import os
import random
import time
from pathlib import Path

from core.bench._served import ROOT, head, pages_to_move, serving
from core.bench._viewer import Viewer, highest, own, resident

OUT = ROOT / "assets" / "runs" / "memory.json"
WITH_MODEL = OUT.with_name("memory_model.json")
LABS = ("next_token", "beam_search", "attention", "context_window", "kv_cache", "quantization")
EXACT, BUNDLED = ("quantization",), "mini"  # the lab that needs exact weights, and the model that it falls back to
MOVES = 3  # of each viewer who stays
AT_ONCE = 10
LAST = 5  # rounds that must be flat
REST = 2.0  # seconds until a server that was started or moved is at rest
LEFT = 24.0  # seconds after which sessions that were left are forgotten: disconnectedSessionTTL, and the watcher of core/ui/freed.py


def main(arguments: list[str]) -> None:
    """Measure, print a line a step and one JSON line, write the file."""
    options = _options(arguments)
    if options.model:
        return _beside_model(options, arguments)
    if options.told:
        os.environ["GLASSBOX_MEMORY"] = str(options.told)
    with serving(ROOT / "app.py") as (address, server):
        time.sleep(REST)
        mb = lambda of=resident: round(of(server.pid) / 1e6)  # noqa: E731
        start, pages, rounds = mb(), {}, []
        for page in options.pages:
            asyncio.run(_visit(address, page, random.Random(0)))
            pages[page] = mb()
            print(f"{page:24} {pages[page]:5} MB", flush=True)
        owned = [mb(own)]
        for n in range(options.rounds):
            asyncio.run(_round(address, options, random.Random(n)))
            time.sleep(LEFT)
            rounds.append(mb())
            owned.append(mb(own))
            print(f"round {n + 1:3} {rounds[-1]:5} MB, own {owned[-1]:5} MB", flush=True)
        most = mb(highest)
    last = rounds[-LAST:]
    result = head("memory", arguments, "MB that the server's process holds") | {
        "start_mb": start,
        "after_page_mb": pages,
        "sessions_a_round": options.sessions,
        "after_round_mb": rounds,
        "own_mb": {"after_pages": owned[0], "after_rounds": owned[1:]},
        "highest_mb": most,
        "told_mb": options.told,
        "spread_of_last_rounds": round(max(last) / min(last) - 1, 3) if last else None,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps({"start_mb": start, "most_mb": max([start, *pages.values(), *rounds]), "spread": result["spread_of_last_rounds"]}))


def _beside_model(options, arguments: list[str]) -> None:
    os.environ |= {"GLASSBOX_MODEL": options.model, "GLASSBOX_MODE": options.mode}
    with serving(ROOT / "app.py") as (address, server):
        time.sleep(REST)
        held, answers = [resident(server.pid)], []
        asyncio.run(_together(address, options.sessions, lambda answer: (answers.append(answer), held.append(resident(server.pid)))))
        time.sleep(REST)
        after = resident(server.pid)
    result = head("memory", arguments, "MB that the server's process holds") | {
        "model": options.model, "mode": options.mode, "sessions": options.sessions, "pages": LABS,
        "without_model": [page for page in LABS if page in EXACT], "start_mb": round(held[0] / 1e6),
        "all_there_mb": round(held[-1] / 1e6), "most_mb": round(max(held) / 1e6), "after_mb": round(after / 1e6),
        "answers": len(answers), "errors": sum(len(answer.errors) for answer in answers),
    }  # fmt: skip
    (WITH_MODEL if options.out == OUT else options.out).write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps({key: result[key] for key in ("start_mb", "all_there_mb", "most_mb", "after_mb", "answers", "errors")}))


async def _together(address: str, sessions: int, seen) -> None:
    """All viewers open their page and move something on it, ten at a time; nobody leaves before the last is done."""
    gate, done = asyncio.Semaphore(AT_ONCE), asyncio.Barrier(sessions)

    async def one(n: int):
        page, rng = LABS[n % len(LABS)], random.Random(n)
        async with gate:
            viewer = await Viewer(address).__aenter__()
            seen(await viewer.open(page, f"model={BUNDLED}" if page in EXACT else ""))
            for _ in range(MOVES if viewer.movable else 0):
                seen(await viewer.move(rng))
        await done.wait()
        await viewer.__aexit__()

    await asyncio.gather(*(one(n) for n in range(sessions)))


async def _round(address: str, options, rng: random.Random) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(page: str):
        async with gate:
            await _visit(address, page, rng)

    await asyncio.gather(*(one(rng.choice(options.pages)) for _ in range(options.sessions)))


async def _visit(address: str, page: str, rng: random.Random) -> None:
    async with Viewer(address) as viewer:
        await viewer.open(page)
        if viewer.movable:
            await viewer.move(rng)


def _options(arguments: list[str]) -> argparse.Namespace:
    known = pages_to_move()
    parser = argparse.ArgumentParser(prog="python -m core.bench memory", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--pages", type=lambda text: text.split(","), default=known, help="only these: " + ",".join(known))
    parser.add_argument("--told", type=int, help="MB that the server is told to hold at most")
    parser.add_argument("--model", help="all viewers at once with this downloaded model, nothing else")
    parser.add_argument("--mode", default="int8", help="how its numbers are stored")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    if not 1 <= options.rounds <= 50 or not 1 <= options.sessions <= 200:
        parser.error("1 to 50 rounds of 1 to 200 sessions")
    return options
