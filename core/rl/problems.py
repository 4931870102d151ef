"""Arithmetic problems: drawing them, asking them in German or English, solving them, and reading what somebody typed."""

import random
import re
import zlib
from dataclasses import dataclass

LANGUAGES = ("en", "de")
OPERATIONS = ("+", "-", "×")
MOST_TERM = 10  # the largest number a problem asks about
MOST_NUMBER = 199  # the largest number there is a token for
MOST_TERMS = 3
HELD_OUT = 8  # one problem of so many is never trained on
# How a problem is asked; the slot takes the terms. Every word is a token.
QUESTIONS = {
    "en": ("what is {} ?", "how much is {} ?", "calculate {} .", "please calculate {} ."),
    "de": ("was ist {} ?", "wie viel ist {} ?", "berechne {} .", "bitte berechne {} ."),
}
WORDS = {"en": {"+": "plus", "-": "minus", "×": "times"}, "de": {"+": "plus", "-": "minus", "×": "mal"}}
_READ = {"+": "+", "plus": "+", "und": "+", "and": "+", "-": "-", "−": "-", "–": "-", "minus": "-", "less": "-", "weniger": "-",
         "×": "×", "*": "×", "·": "×", "⋅": "×", "x": "×", "times": "×", "mal": "×"}  # fmt: skip
_PIECE = re.compile(r"\d+|[^\W\d_]+|[^\w\s]", re.UNICODE)


@dataclass(frozen=True)
class Problem:
    """terms[0] operations[0] terms[1] operations[1] terms[2] ..."""

    terms: tuple[int, ...]
    operations: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([str(self.terms[0]), *(f"{op} {term}" for op, term in zip(self.operations, self.terms[1:]))])

    @property
    def answer(self) -> int:
        return steps(self)[-1][3]

    @property
    def held_out(self) -> bool:
        """Whether training never sees it, in any language or wording."""
        return zlib.crc32(str(self).encode()) % HELD_OUT == 0

    @property
    def mixed(self) -> bool:
        """A product that stands behind another operation: who works from left to right gets it wrong."""
        return any(later == "×" != before for before, later in zip(self.operations, self.operations[1:]))


Step = tuple[int, str, int, int]  # left, operation, right, result


def apply(left: int, operation: str, right: int) -> int:
    """One operation."""
    return {"+": left + right, "-": left - right, "×": left * right}[operation]


def steps(problem: Problem, from_the_left: bool = False) -> list[Step]:
    """The operations one by one with their results, products first.

    `from_the_left` ignores that rule, as many people do: 4 + 3 × 5 becomes 7 × 5.
    """
    terms, operations, done = list(problem.terms), list(problem.operations), []
    while operations:
        i = operations.index("×") if "×" in operations and not from_the_left else 0
        left, operation, right = terms[i], operations.pop(i), terms.pop(i + 1)
        terms[i] = apply(left, operation, right)
        done.append((left, operation, right, terms[i]))
    return done


def allowed(problem: Problem) -> bool:
    """Whether every number on the way, from the left too, has a token."""
    ways = steps(problem) + steps(problem, from_the_left=True)
    return all(0 <= number <= MOST_NUMBER for step in ways for number in (step[0], step[2], step[3]))


def draw_problem(rng: random.Random, held_out: bool | None = None) -> Problem:
    """A random problem; `held_out` asks for one that training sees (False) or never sees (True)."""
    while True:
        n = rng.choices((2, 3), (1, 3))[0]
        problem = Problem(tuple(rng.randint(1, MOST_TERM) for _ in range(n)), tuple(rng.choice(OPERATIONS) for _ in range(n - 1)))
        if allowed(problem) and held_out in (None, problem.held_out):
            return problem


def ask(problem: Problem, language: str, wording: int = 0, in_words: bool = False) -> str:
    """The question as the model reads it, its words between spaces: "was ist 4 + 3 × 5 ?"."""
    said = str(problem)
    if in_words:
        said = " ".join(WORDS[language].get(word, word) for word in said.split())
    return QUESTIONS[language][wording].format(said)


def any_question(problem: Problem, rng: random.Random) -> str:
    """The question in a random language and wording."""
    language = rng.choice(LANGUAGES)
    return ask(problem, language, rng.randrange(len(QUESTIONS[language])), rng.random() < 0.3)


def held_out_questions(n: int, seed: int) -> tuple[list[Problem], list[str]]:
    """n problems that training never saw, and how they are asked; the same seed gives the same ones."""
    rng = random.Random(seed)
    problems = [draw_problem(rng, held_out=True) for _ in range(n)]
    return problems, [any_question(problem, rng) for problem in problems]


def read_problem(text: str) -> Problem | None:
    """The problem somebody typed, in any wording; None where there is no such problem in it.

    A known problem has two or three numbers from 1 to 10 with + - × or their words between them, and nothing
    else of that kind; every number on the way must be one from 0 to 199.
    """
    parts: list[int | str] = []
    for piece in _PIECE.findall(text[:400].lower()):
        if piece.isdecimal():
            parts.append(int(piece[:9]))
        elif piece in _READ and parts and isinstance(parts[-1], int):
            parts.append(_READ[piece])
        elif piece in ("/", ":", "÷", "^", "(", ")", "[", "]", "%", "√") and parts:
            return None  # of a kind that changes the meaning
    if parts and isinstance(parts[-1], str):
        parts.pop()
    terms, operations = tuple(parts[0::2]), tuple(parts[1::2])
    if not 2 <= len(terms) <= MOST_TERMS or not all(isinstance(term, int) and 1 <= term <= MOST_TERM for term in terms):
        return None
    if not all(operation in OPERATIONS for operation in operations):
        return None
    problem = Problem(terms, operations)
    return problem if allowed(problem) else None


def language_of(text: str, otherwise: str) -> str:
    """The language a question was typed in, by its words."""
    words = set(_PIECE.findall(text[:400].lower()))
    found = [language for language in LANGUAGES if words & (_question_words(language) - _question_words(LANGUAGES[language == "en"]))]
    return found[0] if len(found) == 1 else otherwise


def _question_words(language: str) -> set[str]:
    said = {word for question in QUESTIONS[language] for word in question.split()}
    return (said | set(WORDS[language].values())) - {"{}", "?", "."}
