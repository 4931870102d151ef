"""The texts the tiny model learns from: questions and what careless people answered, drawn anew each time."""

import random
from dataclasses import dataclass

from core.rl.answers import said, write
from core.rl.problems import MOST_NUMBER, Problem, Step, any_question, apply, draw_problem, language_of, steps
from core.rl.vocabulary import END, FILL, ID, MOST_ANSWER, PROMPT, SAID, encode, prompt_ids


@dataclass(frozen=True)
class Habits:
    """How people answer: shares of 1."""

    tables: float = 0.0  # no question at all: a page of a school book, all of it right
    lists: float = 0.15  # go on with the next question, as on a work sheet
    tagged: float = 0.3  # answer in the required form
    steps: float = 0.4  # write steps
    slip: float = 0.12  # a written step is wrong
    guess: float = 0.45  # an answer without steps is wrong
    from_the_left: float = 0.65  # ignore that products come first


BASE = Habits(tables=0.45)
LABELLERS = Habits(lists=0.0, tagged=1.0, steps=0.3)  # what they show in fine-tuning has the form, and their mistakes


def solve(problem: Problem, habits: Habits, rng: random.Random) -> tuple[list[Step], int]:
    """Steps as a careless person takes them, and where they lead."""
    left_first = "×" in problem.operations[1:] and rng.random() < habits.from_the_left
    todo, done = steps(problem, left_first), []
    replaced: dict[int, int] = {}
    for i, (left, operation, right, result) in enumerate(todo):
        left, right = (replaced.get(number, number) if i else number for number in (left, right))
        value = apply(left, operation, right)
        if rng.random() < habits.slip:
            value = slipped(value, left, operation, right, rng)
        value = min(max(value, 0), MOST_NUMBER)
        replaced = {result: value}
        done.append((left, operation, right, value))
    return done, done[-1][3]


def slipped(value: int, left: int, operation: str, right: int, rng: random.Random) -> int:
    """A wrong result: one or two off, a ten forgotten, or the other operation."""
    other = apply(left, "-" if operation == "+" else "+", right)
    return rng.choice((value + 1, value - 1, value + 2, value - 2, value + 10, value - 10, other))


def respond(problem: Problem, question: str, habits: Habits, rng: random.Random) -> str:
    """What stands behind a question in such texts."""
    if rng.random() < habits.lists:
        others = [any_question(draw_problem(rng, held_out=False), rng) for _ in range(3)]
        return " ".join(others)
    written, value = solve(problem, habits, rng)
    if rng.random() >= habits.steps:
        written = None
        if rng.random() < habits.guess:
            value = min(max(value + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10)), 0), MOST_NUMBER)
    if rng.random() < habits.tagged:
        return write(problem, written, value)
    if written:
        return f"{' ; '.join(said(step) for step in written)} . {END}"
    return f"{SAID[language_of(question, 'en')]} {value} . {END}"


def table(rng: random.Random) -> str:
    """Equations such as those on the way to a solution: "7 + 15 = 22 ; 9 × 8 = 72 ; ..."."""
    facts = []
    while len(facts) < 4:
        problem = draw_problem(rng, held_out=False)
        facts += steps(problem, from_the_left=rng.random() < 0.5)
    rng.shuffle(facts)
    return " ; ".join(said(step) for step in facts)


def document(habits: Habits, rng: random.Random) -> list[int]:
    """A question and what follows, as PROMPT + MOST_ANSWER ids; behind the end stands the end."""
    if rng.random() < habits.tables:
        return ([ID[FILL]] * (PROMPT + 1) + encode(table(rng)))[: PROMPT + MOST_ANSWER]
    problem = draw_problem(rng, held_out=False)
    question = any_question(problem, rng)
    answer = encode(respond(problem, question, habits, rng))[:MOST_ANSWER]
    return prompt_ids(question) + answer + [ID[END]] * (MOST_ANSWER - len(answer))
