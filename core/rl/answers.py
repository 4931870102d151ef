"""What an answer says, and what is right about it."""

from dataclasses import dataclass

from core.rl.problems import Problem, Step
from core.rl.vocabulary import ANSWER, ANSWERED, END, THINK, THOUGHT


@dataclass(frozen=True)
class Reading:
    """An answer taken apart."""

    formatted: bool  # <answer> N </answer>, before it at most one <think> ... </think>, and nothing else
    value: int | None  # the number answered, where there is one in the right place
    right: bool  # formatted, and the number is the solution
    thought: bool  # steps were written between the tags
    tokens: int  # its length, the end included


def write(problem: Problem, written: list[Step] | None, value: int) -> str:
    """An answer in the required form, with or without written steps."""
    thought = f"{THINK} {' ; '.join(said(step) for step in written)} {THOUGHT} " if written else ""
    return f"{thought}{ANSWER} {value} {ANSWERED} {END}"


def said(step: Step) -> str:
    """One step as it is written: "3 × 5 = 15"."""
    return f"{step[0]} {step[1]} {step[2]} = {step[3]}"


def read(answer: str, problem: Problem) -> Reading:
    """Take an answer apart and check it by rule; no model judges."""
    words = answer.split()
    ended = END in words
    words = words[: words.index(END)] if ended else words
    n = len(words) + ended
    thought = THINK in words and THOUGHT in words[words.index(THINK) :]
    rest = words
    if words[:1] == [THINK] and THOUGHT in words:
        rest = words[words.index(THOUGHT) + 1 :]
    formatted = ended and len(rest) == 3 and rest[0] == ANSWER and rest[1].isdecimal() and rest[2] == ANSWERED
    value = int(rest[1]) if formatted else None
    return Reading(formatted, value, value == problem.answer, thought, n)


def short(answer: str) -> str:
    """An answer as it is shown in little space: steps, then "▸ 35"; without the form, as it was written."""
    words = answer.replace(f" {END}", "").replace(END, "")
    for tag, sign in ((THINK + " ", ""), (f" {THOUGHT} {ANSWER}", " ▸"), (f"{ANSWER} ", "▸ "), (f" {ANSWERED}", ""), (" ;", ";")):
        words = words.replace(tag, sign)
    return words
