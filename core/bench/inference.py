"""python -m core.bench inference: how fast and how big every mode is, beside transformers on the same weights.

All contestants take turns in every round, so that a slow moment hits them alike; ratios are formed within a round
and their median is reported. Random token ids: the work is the same for every text. Needs requirements-dev.txt.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import torch

from core import load_model
from core.bench._machine import memory, one_core_busy, processor, read_bandwidth
from core.decoding import beam_search, generate
from core.kv_cache import make_cache
from core.models import trace
from core.models.language_model import LanguageModel
from core.quantization import MODES, model_bytes, prepare

OUT = Path(__file__).resolve().parents[2] / "assets" / "runs" / "inference.json"
MODELS = ("mini", "smollm2-135m")
ROUNDS, ROUNDS_SHORT = 7, 15  # the second for calls under 100 ms
Contestants = dict[str, Callable[[], object]]


def race(contestants: Contestants, rounds: int | None = None) -> dict[str, dict[str, float]]:
    """Run everybody in turn; median milliseconds, and the median ratio of the first one's time to each one's."""
    for run in contestants.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    first = next(iter(contestants))
    while len(times[first]) < (rounds or (ROUNDS_SHORT if times[first] and times[first][0] < 0.1 else ROUNDS)):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {
        name: {"ms": round(1000 * median(own), 2), "times_as_fast": round(median(a / b for a, b in zip(times[first], own)), 3)}
        for name, own in times.items()
    }


def random_ids(lm: LanguageModel, n: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, lm.config.vocab_size - 1, (1, n), generator=torch.Generator().manual_seed(seed))


def greedy(lm: LanguageModel, ids: torch.Tensor, n: int) -> list[int]:
    return [step.token for step in generate(lm, ids, n, temperature=0, stop=-1)]


def maps(lm: LanguageModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The attention weights of all heads and the scores of all positions, as transformers returns them."""
    return trace(lm, ids, keep=lambda name: name.endswith("hook_pattern"))


def typed_token(lm: LanguageModel, ids: torch.Tensor) -> Callable[[], object]:
    """One more token behind a text that was read before, its attention rows included."""
    cache = make_cache("full", lm.config)
    lm.forward(ids[:, :-1], cache, last_only=True)
    before = list(cache.seen)

    def run():
        cache.seen, cache.lengths = list(before), list(before)  # as if it had not been typed yet
        rows = {}
        lm.forward(ids[:, -1:], cache, tap=lambda name, value: rows.setdefault(name, value), last_only=True)
        return rows

    return run


@torch.inference_mode()
def speed(name: str, modes: tuple[str, ...], rounds: int | None, llama_python: str | None = None) -> dict:
    """All races of one model; with llama.cpp where there is an interpreter for it and the model is a GGUF file."""
    from core.bench._reference import Transformers

    lm = load_model(name)
    theirs = {"transformers fp32": Transformers(lm), "transformers bf16": Transformers(lm, torch.bfloat16)}
    ours = {mode: prepare(lm, mode) for mode in modes}
    prompt, long, text = random_ids(lm, 32), random_ids(lm, 128), random_ids(lm, 64)
    same = greedy(lm, prompt, 64) == theirs["transformers fp32"].greedy(prompt, 64)
    tasks = {
        "greedy 128": (lambda m: m.greedy(prompt, 128), lambda m: greedy(m, prompt, 128)),
        "beam 4 x 64": (lambda m: m.beam(prompt, 64), lambda m: beam_search(m, prompt, 4, 64, stop=-1)),
        "prefill 128": (lambda m: m.prefill(long), lambda m: m.forward(long, make_cache("full", m.config), last_only=True)),
        "maps of 64": (lambda m: m.maps(text), lambda m: maps(m, text)),
    }
    found = {"parameters": model_bytes(lm) // 4, "same_64_greedy_tokens": same}
    llama = _llama_cpp(name, llama_python)
    llama_tasks = {"greedy 128": lambda: llama.greedy(prompt[0].tolist(), 128), "prefill 128": lambda: llama.prefill(long[0].tolist())}
    for task, (run_theirs, run_ours) in tasks.items():
        contestants = {n: lambda m=m, run=run_theirs: run(m) for n, m in theirs.items()}
        contestants |= {n: lambda m=m, run=run_ours: run(m) for n, m in ours.items()}
        if llama and task in llama_tasks:
            contestants["llama.cpp, the GGUF as it is"] = llama_tasks[task]
        found[task] = race(contestants, rounds)
        show(name, task, found[task])
    if llama:
        llama.close()
    typed = {"fresh pass, transformers fp32": lambda: theirs["transformers fp32"].maps(text), "fresh pass, fp32": lambda: maps(lm, text)}
    found["one more token"] = race(typed | {mode: typed_token(m, text) for mode, m in ours.items()}, rounds)
    show(name, "one more token", found["one more token"])
    found["bandwidth"] = bandwidth(ours["fp32"], prompt, found["greedy 128"]["fp32"]["ms"] / 128)
    print(f"{name}: reading {found['bandwidth']['share']:.0%} of {found['bandwidth']['bytes_per_second'] / 1e9:.0f} GB/s", flush=True)
    found["one core busy"] = busy(ours, prompt)
    show(name, "one core busy", found["one core busy"])
    return found


def _llama_cpp(name: str, python: str | None):
    from core.bench._llama_cpp import LlamaCpp
    from core.checkpoints.registry import locate

    place = locate(name)
    files = [place] if place.is_file() else sorted(place.glob("*.gguf"))
    return LlamaCpp(python, str(files[0]), torch.get_num_threads()) if python and files else None


def bandwidth(lm: LanguageModel, prompt: torch.Tensor, ms_per_token: float) -> dict[str, float]:
    """What share of the memory's speed fp32 decoding reaches: every token reads every weight once."""
    speed = read_bandwidth()
    return {"bytes_per_second": speed, "share": round(model_bytes(lm) / (ms_per_token / 1000) / speed, 3)}


def busy(ours: dict[str, LanguageModel], prompt: torch.Tensor) -> dict[str, dict[str, float]]:
    """Tokens a second with one thread (as served) and with all, idle and while another process takes a core."""
    found = {}
    all_threads = torch.get_num_threads()
    for threads in (1, all_threads):
        torch.set_num_threads(threads)
        idle = {mode: race({mode: lambda m=m: greedy(m, prompt, 32)}, 3)[mode]["ms"] for mode, m in ours.items()}
        with one_core_busy():
            loaded = {mode: race({mode: lambda m=m: greedy(m, prompt, 32)}, 3)[mode]["ms"] for mode, m in ours.items()}
        for mode in ours:
            found[f"{mode}, {threads} threads"] = {"ms": loaded[mode], "times_as_fast": round(idle[mode] / loaded[mode], 3)}
    torch.set_num_threads(all_threads)
    return found


def sizes(name: str, modes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Resident memory and the peak while loading, each mode in a process of its own."""
    found = {}
    for mode in modes:
        answer = subprocess.run([sys.executable, "-m", "core.bench.inference", name, mode], capture_output=True, text=True, check=True)
        found[mode] = json.loads(answer.stdout)
        print(f"{name:14} {mode:6} {found[mode]['rss']:.0f} MiB, at most {found[mode]['peak']:.0f} while loading", flush=True)
    return found


def show(name: str, task: str, found: dict[str, dict[str, float]]) -> None:
    row = " | ".join(f"{who} {value['ms']:.1f} ms ({value['times_as_fast']:.2f} x)" for who, value in found.items())
    print(f"{name:14} {task:14} {row}", flush=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.bench inference", description=__doc__.split("\n")[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--llama-cpp", metavar="PYTHON", help="an interpreter that has llama-cpp-python, for a column of its own")
    parser.add_argument("--quick", action="store_true", help="three rounds; nothing is written")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    modes = tuple(chosen.modes.split(","))
    record = {
        "command": f"python -m core.bench inference --models {chosen.models} --modes {chosen.modes} --threads {chosen.threads}",
        "date": date.today().isoformat(),
        "machine": processor(),
        "torch": torch.__version__,
        "models": {},
    }
    for name in chosen.models.split(","):
        record["models"][name] = speed(name, modes, 3 if chosen.quick else None, chosen.llama_cpp) | {"memory_mib": sizes(name, modes)}
    if not chosen.quick:
        OUT.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record))


if __name__ == "__main__":  # one model in one mode, for `sizes`
    torch.set_num_threads(1)
    lm = load_model(*sys.argv[1:3])
    lm.logits([1, 2, 3])
    print(json.dumps(memory()))
