"""What the machine is and can do, measured beside what ran on it."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import torch


def processor() -> str:
    """The processor's name, family and model as Linux states them."""
    lines = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    return f"{facts.get('model name', 'unknown')} (family {facts.get('cpu family')}, model {facts.get('model')}), {os.cpu_count()} cores"


def read_bandwidth(n_bytes: int = 256 << 20) -> float:
    """Bytes a second at which the threads in use add up numbers that fit in no cache; the best of five."""
    numbers = torch.ones(n_bytes // 4)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - start)
    return n_bytes / best


@contextmanager
def one_core_busy():
    """Another process computes all the time, as a second viewer would."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def memory() -> dict[str, float]:
    """Resident size of this process now and at its peak, MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    values = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM"))}
    return {"rss": values["VmRSS"], "peak": values["VmHWM"]}
