"""What the in-context learning lab keeps and asks: examples and a question, shots with heads on and off, scores of heads."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st
import torch
from torch import Tensor

from core.measure.attention_stats import head_profile, random_twice
from core.measure.heads import read_heads
from core.measure.in_context import (
    Head,
    Shot,
    beside,
    few_shot,
    few_shot_prompts,
    few_shot_runs,
    induction_scores,
    losses,
    strongest,
)
from core.measure.recorded import recorded as recorded_run
from core.ui import controls, heads
from core.ui.kept import Kept

MOST_EXAMPLES, MOST_TOKENS = 8, 300
JOINERS = {"line": "\n", "comma": ", ", "stop": ". "}
DRAWS = 3  # of other heads, to compare with
READINGS = 6  # of random tokens, whose losses are averaged
HALF = 25  # random tokens read twice in the pictures
_shots, _runs, _heads, _twice = Kept(100, long=True), Kept(100, long=True), Kept(4, long=True), Kept(32, long=True)

Share = Callable[[float], None]


@dataclass(frozen=True)
class Asked:
    """Examples, a question and its right answer, cut to what is read."""

    counts: tuple[int, ...]  # how many examples stand before the question: 0, 1, 2, ...
    texts: list[str]  # the question after so many
    prompts: tuple[tuple[int, ...], ...]  # the same as token ids
    answer: tuple[int, ...]

    @property
    def most(self) -> int:
        """How many examples there are."""
        return self.counts[-1]


def asked(page) -> Asked:
    """The viewer's examples (one a line), question and answer; what is too much is said in one sentence."""
    encode = page.lm.tokenizer.encode
    typed = controls.text(page, "examples")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        question = controls.text(page, "question", most_signs=200, one_line=True).strip()
        answer = controls.text(page, "answer", most_signs=60, one_line=True).strip()
        joiner = JOINERS[controls.segmented(page, "joiner", list(JOINERS), "line")]
    lines = [line.strip() for line in typed.splitlines() if line.strip()]
    room = MOST_TOKENS - len(encode(question))
    if len(lines) > MOST_EXAMPLES:
        page.note("examples.many", n=MOST_EXAMPLES, all=len(lines))
        lines = lines[:MOST_EXAMPLES]
    while len(lines) > 1 and len(encode(joiner.join(lines))) > room:
        lines.pop()
    if len(ids := encode(joiner.join(lines))) > room:
        lines = [page.lm.tokenizer.decode(ids[:room]).strip("\ufffd")]
        page.note("notes.tokens_head", n=room, all=len(ids))
    texts = few_shot_prompts(lines, question, joiner)
    return Asked(tuple(range(len(texts))), texts, tuple(tuple(encode(text)) for text in texts), tuple(encode(f" {answer}")))


def shots(lm, asked: Asked, on_step: Share = lambda share: None) -> list[Shot]:
    """A shot for every number of examples (kept)."""

    def compute() -> list[Shot]:
        found: list[Shot] = []
        on_step(0.0)
        for shot in few_shot(lm, asked.prompts, asked.answer):
            found.append(shot)
            on_step(len(found) / len(asked.prompts))
        return found

    return _shots.get((lm.name, asked.prompts, asked.answer), compute)


def with_few(asked: Asked) -> Asked:
    """The same with 0, 1, 2, 4 and all examples only."""
    chosen = sorted({0, 1, 2, 4, asked.most} & set(range(asked.most + 1)))
    return replace(asked, counts=tuple(chosen), texts=[asked.texts[n] for n in chosen], prompts=tuple(asked.prompts[n] for n in chosen))


def without_heads(lm, asked: Asked, n: int, on_step: Share) -> dict[str, list[float]]:
    """Probabilities of the answer without as many other heads of the same layers (mean of DRAWS), without the n strongest
    induction heads, and with all."""
    off = tuple(strongest(scores(lm), n))
    runs = ((), off, *(tuple(beside(off, lm.config.n_heads, seed)) for seed in range(DRAWS)))

    def compute() -> list[list[float]]:
        found: list[list[float]] = []  # a prompt each, its runs
        on_step(0.0)
        for shots in few_shot_runs(lm, asked.prompts, asked.answer, runs):
            found.append([shot.probability for shot in shots])
            on_step(len(found) / len(asked.prompts))
        return found

    every, without, *others = zip(*_runs.get((lm.name, asked.prompts, asked.answer, runs), compute))
    mean = [sum(column) / DRAWS for column in zip(*others)]
    return {"others": mean, "induction": list(without), "all": list(every)}  # the last one is drawn on top


def shot_numbers(page, asked: Asked, found: list[Shot], n: int) -> dict[str, str | float]:
    """For sentences: the answer and what it gets with none, one, n and all examples, and what is likeliest then."""
    label = page.lm.tokenizer.label
    says = {"answer": page.lm.tokenizer.decode(list(asked.answer)).strip(), "n": n, "most": asked.most, "says": label(found[n].says)}
    best = max(range(len(found)), key=lambda i: found[i].probability)
    shares = {"none": found[0], "one": found[min(1, asked.most)], "now": found[n], "last": found[-1], "highest": found[best]}
    return says | {"best": best} | {name: shot.probability for name, shot in shares.items()}


def scores(lm) -> Tensor:
    """Induction scores (L, H) of a model, measured once for all viewers."""
    return _heads.get(lm.name, lambda: induction_scores(lm))


def are_scored(lm) -> bool:
    return lm.name in _heads


def opened(page, found: Tensor) -> Head:
    """The head whose map is open: the one with the highest score (of `found` (L, H)) until a viewer chose."""
    return heads.chosen(page) or strongest(found, 1)[0]


def twice(lm, n_off: int) -> dict[str, Tensor]:
    """Losses along random tokens read twice, mean of READINGS, as in `without_heads`."""

    def compute():
        off = strongest(scores(lm), n_off)
        runs = {"others": beside(off, lm.config.n_heads), "induction": off, "all": ()}
        texts = [random_twice(lm, HALF, seed) for seed in range(READINGS)]
        return {name: torch.stack([losses(lm, ids, run) for ids in texts]).mean(0) for name, run in runs.items()}

    return _twice.get(("losses", lm.name, n_off), compute)


def twice_heads(lm) -> tuple[list[int], object]:
    """Random tokens read twice, and all heads on them."""
    ids = random_twice(lm, HALF)
    return ids, _twice.get(("heads", lm.name), lambda: read_heads(lm, ids))


def twice_numbers(curves: dict[str, Tensor]) -> dict[str, float]:
    """For sentences: mean loss of the first reading and of the second, with all heads on and with others off."""
    second = {name: float(nll[HALF:].mean()) for name, nll in curves.items()}
    return {"first": float(curves["all"][: HALF - 1].mean()), **second}


def score_on(pattern: Tensor, ids) -> float:
    """A head's induction score on one text, from its map (T, T)."""
    return float(head_profile(pattern[None], torch.tensor(ids)).induction[0])


def recorded(language: str) -> tuple[int, list[dict]]:
    """Width of a bin in bytes, and the models that `python -m core.bench in_context` measured in a language, smallest first."""
    run = recorded_run("in_context")
    models = [{**model, **model["languages"][language]} for model in run["models"] if language in model["languages"]]
    return run["bin"], sorted(models, key=lambda model: model["parameters"])


def place_numbers(models: list[dict], width: int) -> pd.DataFrame:
    """A row a recorded model: bits per byte at first and after 2,048 bytes, the score with its error, and what copying has become.

    `names` is the share of new names that it repeats 200 tokens after they were told; empty where that was not asked.
    """
    rows = []
    for model in models:
        rows.append({
            "model": model["title"], "parameters": round(model["parameters"] / 1e6, 1),
            "induction": model["strongest_induction"], "names": model.get("names", {}).get("200"),
            "first": model["bits_per_byte"][0], "late": round(_late(model, width), 2),
            "score": model["score"], "error": model["score_error"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def _late(model: dict, width: int) -> float:
    """Mean bits per byte of what stands after 2,048 bytes."""
    late = model["bits_per_byte"][2048 // width :]
    return sum(late) / len(late)


def grown(models: list[dict], width: int) -> dict[str, float]:
    """For a sentence: the smallest and the largest of the models that were asked for names."""
    asked = [model for model in models if "names" in model]
    says = {}
    for place, model in (("small", asked[0]), ("large", asked[-1])):
        says[f"{place}_parameters"], says[f"{place}_names"] = model["parameters"] / 1e6, model["names"]["200"]
        says[f"{place}_induction"] = model["strongest_induction"]
        says[f"{place}_first"], says[f"{place}_late"] = model["bits_per_byte"][0], _late(model, width)
    return says
