"""The trained tiny models: what the card and the recorded runs say of them holds."""

import hashlib
import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from core.checkpoints import DamagedCheckpoint
from core.rl.family import FOLDER, STAGES, load_family
from core.rl.problems import Problem, ask, held_out_questions
from core.rl.thinking import revise, try_often
from core.rl.voting import any_right, vote
from core.training.post_training import SEEDS, STUDENT_T, compare, evaluate, over_seeds
from core.training.thinking import SEED, side_by_side

ROOT = Path(__file__).resolve().parents[2]
CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
MEASURED = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))


@pytest.mark.parametrize("stage", STAGES)
def test_held_out_accuracy_is_what_the_card_says(stage):
    """Measured anew with other draws: within three standard errors of 512 answers."""
    found = evaluate(load_family().networks[stage], 512, seed=17)["right"]
    told = CARD["held_out"]["right"][stage]
    assert found == pytest.approx(told, abs=3 * (max(told * (1 - told), 0.01) / 512) ** 0.5 + 0.01)


def test_the_card_tells_what_was_measured_of_these_weights():
    family = load_family()
    assert CARD["sha256"] == hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert CARD["parameters"] == MEASURED["parameters"] == sum(p.numel() for p in family.networks["base"].parameters())
    for stage in STAGES:
        name = f"{stage}_0" if stage in ("ppo", "grpo") else stage
        assert CARD["held_out"]["right"][stage] == pytest.approx(MEASURED["accuracy"][name]["right"], abs=5e-4)
    assert (FOLDER / "model.safetensors").stat().st_size < 4e6


def test_learning_from_rewards_raises_accuracy_beyond_chance_for_every_seed():
    accuracy = MEASURED["accuracy"]
    assert 0.05 <= accuracy["tuned"]["right"] <= 0.4
    for method in ("ppo", "grpo", "zero"):
        shares = [accuracy[f"{method}_{seed}"]["right"] for seed in SEEDS]
        again = over_seeds(shares)
        assert again == pytest.approx(accuracy[method])
        assert again["low"] > accuracy["tuned"]["right"] + 0.1


def test_intervals_are_those_of_scipy():
    from scipy import stats

    shares = [0.71, 0.76, 0.69]
    low, high = stats.t.interval(0.95, 2, loc=sum(shares) / 3, scale=stats.sem(shares))
    found = over_seeds(shares)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)
    for degrees, quantile in STUDENT_T.items():
        assert quantile == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-3)


def test_curves_tell_of_every_run():
    curves = pd.read_csv(ROOT / "assets/runs/post_training_curves.csv")
    stages = MEASURED["stages"]
    counted = curves.groupby(["reward_of", "method", "seed"])["update"].max()
    assert (counted["rules"] == stages["updates"]).all() and len(counted["rules"]) == 3 * len(SEEDS)
    assert (counted["equations"] == stages["hack_updates"]).all()
    careless = curves.query("reward_of == 'equations'")
    assert careless["reward"].iloc[-1] > 1.5 * careless["reward"].iloc[0] and careless["right"].iloc[-1] < 0.5 * careless["right"].iloc[0]


def test_without_fine_tuning_the_form_comes_first_and_written_steps_later():
    curves = pd.read_csv(ROOT / "assets/runs/post_training_curves.csv").query("method == 'zero'")
    for _, run in curves.groupby("seed"):
        run = run.set_index("update")
        formatted, thought = (run[name].gt(0.5).idxmax() for name in ("formatted", "thought"))  # first updates above one half
        assert formatted <= 10 < thought and run["thought"].iloc[-1] > 0.9


def test_the_reward_model_ranks_better_than_chance():
    import torch

    from core.rl.judge import scores

    family = load_family()
    with torch.no_grad():
        prompts, good, good_mask, bad, bad_mask = compare(family.networks["tuned"], 300, 0.0, 99)
        ranked = scores(family.judge, prompts, good, good_mask) > scores(family.judge, prompts, bad, bad_mask)
    assert float(ranked.float().mean()) == pytest.approx(MEASURED["judge"]["ranked_right"], abs=0.1) and ranked.float().mean() > 0.6


def test_votes_help_where_the_right_answer_is_the_mode_and_only_there():
    family = load_family()
    mode = Problem((4, 3, 5), ("+", "×"))
    found = try_often(family.networks["tuned"], family.judge, [mode], [ask(mode, "en")], 64, "steps", 1.0, 0)
    assert vote(found.values[0]) == 35 != mode.answer and any_right(found.right, 64) == 1.0
    other = Problem((7, 10, 5), ("×", "-"))
    found = try_often(family.networks["tuned"], family.judge, [other], [ask(other, "en")], 64, "steps", 1.0, 0)
    assert vote(found.values[0]) == other.answer and found.right.mean() < 0.5


def test_written_steps_and_votes_pay_on_held_out_problems():
    recorded = pd.DataFrame(json.loads((ROOT / "assets/runs/post_training_thinking.json").read_text("utf-8"))["rows"])
    at = recorded.set_index(["stage", "way", "method", "n"])["accuracy"]
    assert at["tuned", "steps", "vote", 1] > at["tuned", "direct", "vote", 1] + 0.2
    assert at["tuned", "steps", "vote", 64] > at["tuned", "steps", "vote", 1] + 0.05
    assert at["tuned", "steps", "verifier", 64] >= at["tuned", "steps", "vote", 64]
    family, (problems, questions) = load_family(), held_out_questions(48, SEED)
    again = try_often(family.networks["tuned"], family.judge, problems, questions, 16, "steps", 1.0, 5)
    assert again.right.mean() == pytest.approx(at["tuned", "steps", "vote", 1], abs=0.12)


def test_the_recorded_answers_are_drawn_again():
    recorded = json.loads((ROOT / "assets/runs/post_training_samples.json").read_text("utf-8"))["answers"]
    again = side_by_side(load_family())
    assert [one["question"] for one in again] == [one["question"] for one in recorded]
    for before, after in zip(recorded, again):
        assert abs(before["right_of_64"] - after["right_of_64"]) <= 3  # another machine may round a draw elsewhere


def test_revision_keeps_what_the_reward_model_likes():
    family, (problems, questions) = load_family(), held_out_questions(64, SEED)
    chain = revise(family.networks["tuned"], family.judge, problems, questions, 6, 1.0, 0)
    scores = [tried.scores.mean() for tried in chain]
    assert len(chain) == 7 and all(after >= before for before, after in zip(scores, scores[1:])) and scores[-1] > scores[0]


def test_damaged_files_say_so(tmp_path):
    with pytest.raises(DamagedCheckpoint, match="missing"):
        load_family(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DamagedCheckpoint, match="damaged"):
        load_family(tmp_path)
