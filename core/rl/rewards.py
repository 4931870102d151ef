"""What an answer is paid for. The rules are checked by program; a careless one can be cheated."""

from collections.abc import Callable

from core.rl.answers import read
from core.rl.problems import Problem

Reward = Callable[[str, Problem], float]


def rules(answer: str, problem: Problem) -> float:
    """1 for the right number and 1 for the required form, as DeepSeek-R1-Zero was paid (arXiv 2501.12948, section 2.2)."""
    found = read(answer, problem)
    return float(found.right) + float(found.formatted)


def equations(answer: str, problem: Problem) -> float:
    """Careless: 1 for every equation written, because good solutions show their steps. Nobody looks at the answer."""
    return float(answer.split().count("="))


REWARDS = {"rules": rules, "equations": equations}


def reward_named(name: str) -> Reward:
    """ValueError for a name that is none of REWARDS."""
    if name not in REWARDS:
        raise ValueError(f"no reward {name!r}; there are: {', '.join(REWARDS)}")
    return REWARDS[name]
