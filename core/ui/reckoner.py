"""What the pages on post-training and on longer thinking keep: the tiny models, groups, recorded runs, a run in progress."""

import copy
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import streamlit as st
import torch

from core.measure.recorded import RUNS, recorded
from core.rl.answers import short
from core.rl.family import Family, load_family
from core.rl.group import Group, one_update
from core.rl.learning import Recipe, Rollout, Update, learn, roll_out
from core.rl.problems import MOST_TERM, Problem, ask, language_of, read_problem
from core.rl.rewards import reward_named
from core.rl.thinking import Tried, revise, try_often
from core.rl.voting import any_right, majority_probability, vote_accuracy
from core.ui import controls
from core.ui.kept import Kept

LIVE = Recipe(updates=60, questions=8, group=8, steps=2, learning_rate=8e-4)
MOST_PAID = {"rules": 2.0, "equations": 8.0}  # where the axis of rewards ends
MOST, ROUNDS = 64, 8  # answers to one problem, revisions of one
MOST_GROUP = 16  # answers drawn; smaller groups are the first of them
_rollouts, _tried = Kept(64, long=True), Kept(64, long=True)
_groups, _odds = Kept(64), Kept(64)


def seed_of(page) -> int:
    """The seed of the answers that this viewer sees."""
    return st.session_state.get(page.key("draw"), 0)


def draw_again(page) -> None:
    """Other answers: the next seed."""
    st.session_state[page.key("draw")] = seed_of(page) + 1


def family() -> Family:
    """The tiny models by stage."""
    return load_family()


def asked(page, most_signs: int = 300) -> tuple[Problem, str]:
    """The viewer's problem and the question as the model reads it; one sentence where the text holds no such problem.

    Texts: `prompt.label`, `.default`, `.unknown`.
    """
    typed = controls.text(page, "prompt", most_signs=most_signs, live=True)
    if read_problem(typed) is None:
        typed = page.t.plain("prompt.default")
        page.note("prompt.unknown", problem=str(read_problem(typed)), most=MOST_TERM)
    return problem_of(typed, page.language)


def problem_of(text: str, language: str) -> tuple[Problem, str]:
    """The problem in a text that holds one, and its question in the text's language, else in `language`."""
    problem = read_problem(text)
    return problem, ask(problem, language_of(text, language))


def group(stage: str, problem: Problem, question: str, size: int, reward: str, seed: int) -> Group:
    """A group of answers and what one update does; the same settings give the same group."""
    network, key = family().networks[stage], (stage, question, reward, seed)

    def drawn() -> Rollout:
        return roll_out(network, [problem], [question], MOST_GROUP, reward_named(reward), torch.Generator().manual_seed(seed))

    return _groups.get((*key, size), lambda: one_update(network, _rollouts.get(key, drawn), size))


@cache
def curves() -> pd.DataFrame:
    """Every update of the recorded runs: reward_of, method, seed, update and what core.rl.learning.Update holds."""
    return pd.read_csv(RUNS / "post_training_curves.csv")


def evaluation() -> dict:
    """What was measured of every stage on held-out problems."""
    return recorded("post_training_evaluation")


class LiveRun:
    """GRPO on a copy of the fine-tuned model, one update at a time; lives in one viewer's session until it is done."""

    def __init__(self, reward: str, seed: int):
        self.reward = reward
        self.updates: list[Update] = []
        self._steps = learn(copy.deepcopy(family().networks["tuned"]), LIVE, reward_named(reward), seed)

    @property
    def running(self) -> bool:
        return self._steps is not None

    def step(self) -> None:
        """One more update; after the last one the copy is let go."""
        found = next(self._steps, None) if self._steps else None
        if found:
            self.updates.append(found)
        if found is None or len(self.updates) == LIVE.updates:
            self.stop()

    def stop(self) -> None:
        self._steps = None


def live_run(page) -> LiveRun | None:
    """The run of this session."""
    return st.session_state.get(page.key("run"))


def stop_run(page) -> None:
    """End the run of this session; what it recorded stays."""
    run = live_run(page)
    if run:
        run.stop()


def start_run(page, reward: str) -> None:
    """Begin anew, each time with other problems."""
    n = st.session_state[page.key("runs")] = st.session_state.get(page.key("runs"), 0) + 1
    st.session_state[page.key("run")] = LiveRun(reward, seed=n)


def tried(stage: str, problem: Problem, question: str, way: str, temperature: float, seed: int) -> Tried:
    """MOST answers to one problem; the same settings give the same answers."""
    key = (stage, question, way, temperature, seed)
    models = family()
    return _tried.get(key, lambda: try_often(models.networks[stage], models.judge, [problem], [question], MOST, way, temperature, seed))


def revisions(stage: str, problem: Problem, question: str, temperature: float, seed: int) -> list[Tried]:
    """One answer and what becomes of it in ROUNDS revisions."""
    key = (stage, question, "revised", temperature, seed)
    models = family()
    return _tried.get(key, lambda: revise(models.networks[stage], models.judge, [problem], [question], ROUNDS, temperature, seed))


def odds(found: Tried, solution: int, sizes: tuple[int, ...]) -> dict[str, list[float]]:
    """Probability of a right result with n of the answers: by vote, with a verifier, and of an idealised vote.

    An even number of idealised votes is worth what one vote less is, if a coin decides a tie.
    """
    return _odds.get((found.values.tobytes(), solution, sizes), lambda: _measured_odds(found, solution, sizes))


def _measured_odds(found: Tried, solution: int, sizes: tuple[int, ...]) -> dict[str, list[float]]:
    share = float(found.right.mean())
    return {
        # a vote of one is the answer itself: its probability is known, not drawn
        "vote": [share if n == 1 else vote_accuracy(found.values, np.array([solution]), n, draws=200) for n in sizes],
        "verifier": [any_right(found.right, n) for n in sizes],
        "ideal": [majority_probability(share, max(n - 1, 1)) for n in sizes],
    }


def vote_interval(stage: str) -> dict[str, float]:
    """95 % interval of the recorded vote with written steps."""
    rows, _ = thinking()
    found = rows.query("stage == @stage and way == 'steps' and method == 'vote_interval'").iloc[0]
    return {"low": float(found["low"]), "high": float(found["high"])}


@cache
def samples() -> pd.DataFrame:
    """Recorded answers: one row a question, a column a stage; ✓ and ✗ say whether they are right."""
    found = pd.DataFrame(recorded("post_training_samples")["answers"])
    mark = np.where(found["right"], "✓ ", "✗ ")
    found["shown"] = mark + found["answer"].map(short) + found["right_of_64"].map(" ({}/64)".format)
    table = found.pivot_table(index=["question"], columns="stage", values="shown", aggfunc="first", sort=False)
    return table.reset_index()


@cache
def thinking() -> tuple[pd.DataFrame, dict]:
    """The recorded accuracy of all ways to spend tokens, and what else was recorded."""
    run = recorded("post_training_thinking")
    return pd.DataFrame(run["rows"]), run


def versions(chain: Sequence[Tried]) -> pd.DataFrame:
    """Every version of a revised answer: its round, what stands there, whether it is right, the tokens written in that round."""
    return pd.DataFrame(
        {
            "round": range(len(chain)), "answer": [short(one.texts[0]) for one in chain], "right": [bool(one.right[0, 0]) for one in chain],
            "score": [round(float(one.scores[0, 0]), 2) for one in chain], "tokens": [int(one.tokens[0, 0]) for one in chain],
        }
    )  # fmt: skip


@cache
def results() -> dict[str, float]:
    """Accuracies of the recorded runs and the rewards of the careless one, by the names that texts use."""
    accuracy, careless = evaluation()["accuracy"], curves().query("reward_of == 'equations'")
    spans = {f"{method}_{end}": accuracy[method][end] for method in ("ppo", "grpo", "zero") for end in ("mean", "low", "high")}
    stages = {stage: accuracy[stage]["right"] for stage in ("base", "tuned", "hacked")}
    paid = {
        "paid_before": float(careless["reward"].iloc[0]),
        "paid_after": float(careless["reward"].iloc[-1]),
        "hack_best": float(careless["right"].max()),
    }
    seeds = accuracy["grpo"]["seeds"]
    mixed = {
        "tuned_mixed": accuracy["tuned"]["right_mixed"],
        "grpo_mixed": sum(accuracy[f"grpo_{seed}"]["right_mixed"] for seed in range(seeds)) / seeds,
    }
    return spans | stages | paid | mixed | {"seeds": seeds}
