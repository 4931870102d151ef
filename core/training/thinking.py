"""What longer thinking is worth, measured on held-out problems: accuracy against tokens for several ways to spend them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from core.measure.association import interval
from core.models.decoder import Decoder
from core.rl.answers import read
from core.rl.family import Family, load_family
from core.rl.judge import Judge
from core.rl.learning import roll_out
from core.rl.problems import Problem, held_out_questions
from core.rl.rewards import rules
from core.rl.thinking import BEGINNINGS, Tried, revise, try_often
from core.rl.voting import any_right, best_scored, vote, vote_accuracy

SIZES = (1, 2, 4, 8, 16, 32, 64)
PROBLEMS, SEED = 256, 11
STAGES = ("tuned", "grpo")


def measure(folder: Path, n_problems: int = PROBLEMS, sizes: tuple[int, ...] = SIZES) -> dict:
    """Vote, verifier, reward model and revision, for two stages; writes thinking.json into `folder`."""
    family = load_family(folder)
    problems, questions = held_out_questions(n_problems, SEED)
    rows: list[dict] = []
    for stage in STAGES:
        network = family.networks[stage]
        for way in BEGINNINGS:
            tried = try_often(network, family.judge, problems, questions, max(sizes), way, 1.0, seed=0)
            rows += [{"stage": stage, "way": way} | row for row in spent(tried, problems, sizes)]
        rows += [{"stage": stage, "way": "steps"} | row for row in revised(network, family.judge, problems, questions, max(sizes), sizes)]
    result = {"command": "python -m core.training post_training --out OUT", "problems": n_problems, "temperature": 1.0, "rows": rows}
    (folder / "thinking.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    samples = {"command": result["command"], "answers": side_by_side(family)}
    (folder / "samples.json").write_text(json.dumps(samples, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return {"thinking": len(rows), "samples": len(samples["answers"])}


def side_by_side(family: Family, n: int = 5, seed: int = 4) -> list[dict]:
    """The first answer of every stage to n held-out questions, and how many of 64 answers are right."""
    problems, questions = held_out_questions(n, seed)
    found = []
    for i, (problem, question) in enumerate(zip(problems, questions)):
        for stage, network in family.networks.items():
            rollout = roll_out(network, [problem], [question], 64, rules, torch.Generator().manual_seed(100 * seed + i))
            right = [read(text, problem).right for text in rollout.texts]
            first = {"answer": rollout.texts[0], "right": right[0], "right_of_64": sum(right)}
            found.append({"question": question, "solution": problem.answer, "stage": stage} | first)
    return found


def spent(tried: Tried, problems: list[Problem], sizes: tuple[int, ...]) -> Iterator[dict]:
    """Accuracy with n answers a problem: by vote, by a verifier that is never wrong, by the reward model."""
    solutions, tokens = np.array([problem.answer for problem in problems]), float(tried.tokens.mean())
    for n in sizes:
        yield {"method": "vote", "n": n, "tokens": n * tokens, "accuracy": vote_accuracy(tried.values, solutions, n)}
        yield {"method": "verifier", "n": n, "tokens": n * tokens, "accuracy": any_right(tried.right, n)}
        yield {"method": "reward_model", "n": n, "tokens": n * tokens, "accuracy": best_scored(tried.right, tried.scores, n)}
    whole = [vote(row) == solution for row, solution in zip(tried.values, solutions)]
    low, high = interval(whole)
    every = {"n": sizes[-1], "tokens": sizes[-1] * tokens, "accuracy": float(np.mean(whole))}
    yield {"method": "vote_interval", "low": low, "high": high} | every


def revised(
    network: Decoder, judge: Judge, problems: list[Problem], questions: list[str], rounds: int, sizes: tuple[int, ...]
) -> Iterator[dict]:
    """Accuracy of one answer after so many versions of it, and all tokens written on the way."""
    chain = revise(network, judge, problems, questions, rounds - 1, 1.0, seed=0)
    for n in sizes:
        tokens = sum(float(tried.tokens.mean()) for tried in chain[:n])
        yield {"method": "revision", "n": n, "tokens": tokens, "accuracy": float(chain[n - 1].right.mean())}
