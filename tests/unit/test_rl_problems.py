"""Problems, answers, votes and learning of the tiny reckoner, without its weights."""

import random

import numpy as np
import pytest
import torch
from scipy.stats import binom, hypergeom

from core.measure.association import interval
from core.rl import voting
from core.rl.answers import read, short, write
from core.rl.group import one_update
from core.rl.learning import Recipe, learn, roll_out
from core.rl.people import BASE, LABELLERS, document, solve
from core.rl.policy import CONFIG, sample, token_logprobs
from core.rl.problems import LANGUAGES, Problem, allowed, any_question, ask, draw_problem, language_of, read_problem, steps
from core.rl.rewards import equations, reward_named, rules
from core.rl.trend import trend
from core.rl.vocabulary import END, FILL, MOST_ANSWER, PROMPT, TOKENS, encode, prompt_ids, words_of


def problems(n, **wanted):
    rng = random.Random(n)
    return [draw_problem(rng, **wanted) for _ in range(n)]


def solution(problem):
    """The right answer with its steps."""
    return write(problem, steps(problem), problem.answer)


# --- problems ---


def test_solutions_are_those_of_python():
    for problem in problems(500):
        assert problem.answer == eval(str(problem).replace("×", "*"))
        for left, operation, right, result in steps(problem):
            assert result == eval(f"{left} {operation.replace('×', '*')} {right}")


def test_from_the_left_is_the_usual_mistake():
    problem = Problem((4, 3, 5), ("+", "×"))
    assert (problem.answer, steps(problem, from_the_left=True)[-1][3], problem.mixed) == (19, 35, True)


def test_training_never_sees_what_is_held_out():
    rng = random.Random(0)
    kept = {ask(problem, language, wording) for problem in problems(300, held_out=True) for language in LANGUAGES for wording in range(4)}
    for habits in (BASE, LABELLERS):
        for _ in range(3000):
            said = words_of(document(habits, rng)[:PROMPT]).replace(FILL, "").strip()
            assert said not in kept
    share = sum(problem.held_out for problem in problems(4000)) / 4000
    assert 0.09 < share < 0.16


def test_every_question_and_answer_has_tokens():
    rng = random.Random(1)
    for problem in problems(300):
        question, right = any_question(problem, rng), solution(problem)
        assert words_of(prompt_ids(question)).replace(FILL, "").strip() == question
        assert len(prompt_ids(question)) == PROMPT and len(encode(right)) <= MOST_ANSWER and allowed(problem)
    assert len(set(TOKENS)) == len(TOKENS) == CONFIG.vocab_size
    with pytest.raises(ValueError, match="at most 9 tokens"):
        prompt_ids("1 + " * 6 + "1 ?")


@pytest.mark.parametrize("typed, expected", [
    ("What is 4 + 3 × 5?", "4 + 3 × 5"), ("wie viel ist sieben", None), ("Was ist 4 plus 3 mal 5", "4 + 3 × 5"), ("9-2", "9 - 2"), ("7*8=", "7 × 8"),
    ("3 x 4 minus 2", "3 × 4 - 2"), ("10 and 10", "10 + 10"), ("11 + 2", None), ("0 + 2", None), ("4 / 2", None), ("(4 + 3) × 5", None), ("5", None), ("", None),
    ("2 - 9", None), ("1 + 1 + 1 + 1", None), ("😀 3 + 4 <b>", "3 + 4"), ("٣ + ٤", "3 + 4"), ("9" * 500, None), ("4 ++ 3", "4 + 3"), ("3 4", None),
    ("²+3", None),
])  # fmt: skip
def test_what_somebody_typed(typed, expected):
    problem = read_problem(typed)
    assert (str(problem) if problem else None) == expected


@pytest.mark.parametrize(
    "typed, otherwise, expected",
    [("Was ist 1 + 2?", "en", "de"), ("how much is 1 + 2", "de", "en"), ("1 + 2", "de", "de"), ("1 mal 2", "en", "de")],
)
def test_the_language_of_a_question(typed, otherwise, expected):
    assert language_of(typed, otherwise) == expected


def test_people_make_the_mistakes_they_should():
    rng, mixed = random.Random(2), Problem((4, 3, 5), ("+", "×"))
    values = [solve(mixed, BASE, rng)[1] for _ in range(2000)]
    assert 0.4 < values.count(35) / 2000 < 0.65 and 0.2 < values.count(19) / 2000 < 0.4


# --- answers ---


@pytest.mark.parametrize("answer, formatted, right, thought", [
    ("<think> 3 × 5 = 15 ; 4 + 15 = 19 </think> <answer> 19 </answer> <end>", True, True, True),
    ("<answer> 19 </answer> <end>", True, True, False), ("<answer> 35 </answer> <end>", True, False, False), ("<answer> 19 </answer>", False, False, False),
    ("that is 19 . <end>", False, False, False), ("<answer> 19 19 </answer> <end>", False, False, False), ("<think> 19 </think> <end>", False, False, True),
    ("<think> 4 + 3 = 7 <answer> 19 </answer> <end>", False, False, False), ("<answer> + </answer> <end>", False, False, False), ("", False, False, False),
])  # fmt: skip
def test_answers_are_checked_by_rule(answer, formatted, right, thought):
    problem = Problem((4, 3, 5), ("+", "×"))
    found = read(answer, problem)
    assert (found.formatted, found.right, found.thought) == (formatted, right, thought)
    assert rules(answer, problem) == formatted + right


def test_solutions_are_right():
    for problem in problems(200):
        found = read(solution(problem), problem)
        assert found.right and found.thought and found.tokens == len(solution(problem).split())
        assert equations(solution(problem), problem) == len(steps(problem))


def test_short_forms():
    problem = Problem((4, 3, 5), ("+", "×"))
    assert short(solution(problem)) == "3 × 5 = 15; 4 + 15 = 19 ▸ 19" and short("<answer> 35 </answer> <end>") == "▸ 35"
    assert short("that is 19 . <end>") == "that is 19 ."


def test_an_unknown_reward_is_named():
    with pytest.raises(ValueError, match="rules, equations"):
        reward_named("applause")


# --- votes ---


@pytest.mark.parametrize("n", [1, 3, 15, 63])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_the_ideal_vote_is_the_binomial(p, n):
    assert voting.majority_probability(p, n) == pytest.approx(binom.sf(n // 2, n, p), abs=1e-12)
    with pytest.raises(ValueError, match="odd"):
        voting.majority_probability(p, n + 1)


@pytest.mark.parametrize("n", [1, 5, 32, 64])
def test_one_right_among_n_is_the_hypergeometric(n):
    right = np.random.default_rng(0).random((20, 64)) < np.linspace(0, 0.4, 20)[:, None]
    expected = np.mean([1 - hypergeom.pmf(0, 64, c, n) for c in right.sum(1)])
    assert voting.any_right(right, n) == pytest.approx(expected)
    with pytest.raises(ValueError, match="from 1 to the 64"):
        voting.any_right(right, 65)


def test_votes_of_independent_voters_follow_the_binomial():
    """Between two numbers, drawn anew: measured votes of 15 agree with scipy's binomial."""
    values = np.where(np.random.default_rng(1).random((400, 64)) < 0.6, 7, 8)
    measured = voting.vote_accuracy(values, np.full(400, 7), 15, draws=5)
    assert measured == pytest.approx(binom.sf(7, 15, 0.6), abs=0.04)


def test_ties_and_missing_numbers():
    none = voting.NONE
    assert voting.vote([3, 5, 5, 3]) == 3 and voting.vote([none, none, 4]) == 4 and voting.vote([none]) == none


def test_the_reward_model_picks_the_best_scored():
    right, scores = np.array([[False, True, False]]), np.array([[0.1, 0.9, 0.5]])
    assert voting.best_scored(right, scores, 3) == 1.0 and 0.4 < voting.best_scored(right, scores, 1, draws=400) * 1.5 < 0.6
    low, high = interval([1, 0, 1, 1] * 25)
    assert 0.6 < low < 0.75 < high < 0.9


# --- the network ---


@pytest.fixture(scope="module")
def network():
    from core.models.decoder import Decoder

    torch.manual_seed(0)
    network = Decoder(CONFIG)
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.15)
    return network.eval()


def test_what_is_drawn_has_the_probability_that_is_noted(network):
    """With one cache for the batch, and read anew without any."""
    prompts = torch.tensor([prompt_ids(ask(problem, "de")) for problem in problems(6)])
    answers = sample(network, prompts, torch.Generator().manual_seed(0))
    again = token_logprobs(network, prompts, answers.ids)
    torch.testing.assert_close(answers.logprobs, (again * answers.mask).detach(), rtol=1e-4, atol=1e-4)
    for ids, mask in zip(answers.ids, answers.mask):
        ends = (ids == encode(END)[0]).nonzero()
        assert mask.sum() == (int(ends[0]) + 1 if len(ends) else MOST_ANSWER)


def test_a_given_start_stays_and_may_have_ended(network):
    prompts = torch.tensor([prompt_ids("was ist 1 + 2 ?")] * 2)
    start = torch.tensor([encode("<answer> 3"), encode(f"3 {END}")])
    answers = sample(network, prompts, torch.Generator().manual_seed(0), start=start)
    assert answers.ids[:, :2].tolist() == start.tolist() and answers.mask[1].sum() == 2
    assert set(answers.ids[1, 2:].tolist()) == {encode(END)[0]}


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_learning_makes_paid_answers_likelier(network, method):
    """Paid for beginning with a number: the share rises within a few updates."""
    import copy

    pupil = copy.deepcopy(network)
    recipe = Recipe(method=method, updates=12, questions=4, group=16, learning_rate=5e-3, beta=0.0)
    found = list(learn(pupil, recipe, lambda answer, problem: float(answer.split()[0].isdecimal()), seed=0))
    assert found[-1].reward > found[0].reward + 0.1 and found[0].kl == pytest.approx(0, abs=1e-6) and found[-1].kl > 0


def test_equal_rewards_leave_the_weights_alone(network):
    import copy

    pupil = copy.deepcopy(network)
    list(learn(pupil, Recipe(updates=1, questions=2, group=4, steps=1), lambda answer, problem: 1.0, seed=0))
    for before, after in zip(network.parameters(), pupil.parameters()):
        torch.testing.assert_close(before, after, rtol=0, atol=1e-7)


def test_one_update_moves_probabilities_the_way_of_the_advantages(network):
    problem = Problem((4, 3, 5), ("+", "×"))
    weights = [parameter.clone() for parameter in network.parameters()]
    rollout = roll_out(network, [problem], [ask(problem, "en")], 16, equations, torch.Generator().manual_seed(1))
    found = one_update(network, rollout, 8)
    assert all(torch.equal(before, after) for before, after in zip(weights, network.parameters()))
    for advantage, before, after in zip(found.advantages, found.before, found.after):
        assert advantage == 0 or (after > before) == (advantage > 0)


def test_a_rise_is_told_from_noise():
    rng = np.random.default_rng(0)
    assert (
        trend(list(rng.normal(size=30) + np.arange(30))).clear and not trend(list(rng.normal(size=20))).clear and trend([1.0] * 5) is None
    )


# --- charts ---


def test_the_right_number_keeps_its_bar_among_many():
    from core.charts.test_time import MOST_BARS, vote_data

    values = [n for n in range(20, 40) for _ in range(2)] + [19, voting.NONE]
    data = vote_data(values, 19, voting.NONE, "others", "none")
    assert len(data) == MOST_BARS and data["votes"].sum() == len(values)
    assert data.query("right")["answer"].tolist() == ["19"] and data["answer"].iloc[-1] == "others"


@pytest.mark.parametrize(
    ("answers", "said"),
    [([7] * 5 + [1, 2, 3, 4, 5, 6, 8, 9], "helps"), ([7] * 6 + [1] * 4, "most"), ([7] * 3 + [1] * 6, "hurts"), ([7] * 4, "always"), ([1, 2, 3], "never")],
)
def test_what_is_said_of_a_vote_is_what_the_vote_does(answers, said):
    share = answers.count(7) / len(answers)
    won = float(voting.vote(answers) == 7)  # the vote of all
    assert voting.prospect(share, won) == said
