"""From a text predictor to one that reasons: `python -m core.training post_training --out DIR`.

Base model, fine-tuning, reward model, PPO and GRPO over several seeds, a careless reward, and the curves of
longer thinking. Every stage is kept in DIR, so that an interrupted run goes on where it stopped.
"""

import copy
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from core.models.decoder import Decoder
from core.rl import losses
from core.rl.answers import read
from core.rl.judge import Judge, judge_from, scores
from core.rl.learning import Recipe, draw_training, learn
from core.rl.people import BASE, LABELLERS, Habits, document
from core.rl.policy import CONFIG, counted, sample
from core.rl.problems import held_out_questions
from core.rl.rewards import reward_named
from core.rl.vocabulary import ID, PROMPT, THINK, prompt_ids, words_of
from core.training.loop import write_csv

METHODS = ("ppo", "grpo", "zero")  # zero: GRPO straight from the base model, as DeepSeek-R1-Zero learned
SEEDS = (0, 1, 2)
EVALUATED = 1024  # held-out problems in the last evaluation
WATCHED = 256  # and in those on the way
STUDENT_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}  # 97.5 % quantiles by degrees of freedom


@dataclass(frozen=True)
class Stages:
    """How long each stage is and how it learns."""

    base_steps: int = 900
    base_rows: int = 128  # documents a step
    base_rate: float = 4e-3
    demonstrations: int = 2000  # the same few, again and again
    tuning_steps: int = 100
    tuning_rows: int = 64
    tuning_rate: float = 3e-4
    comparisons: int = 6000  # pairs of answers that a labeller ranked
    labeller_slips: float = 0.1  # share of comparisons turned round
    judge_steps: int = 600
    judge_rows: int = 64
    judge_rate: float = 1e-3  # falls to 0 on a straight line
    updates: int = 60  # of PPO and GRPO
    hack_updates: int = 30
    evaluate_every: int = 5


def document_loss(network: Decoder, ids: torch.Tensor) -> torch.Tensor:
    """Mean -log p of what follows the questions, the first end included, nats: documents (n, PROMPT + T)."""
    logits, targets = network(ids[:, :-1])[:, PROMPT - 1 :], ids[:, PROMPT:]
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
    return losses.masked_mean(nll, counted(targets))


def imitate(network: Decoder, rows: Callable[[], list[list[int]]], steps: int, rate: float, log: Callable[[int, float], None]) -> None:
    """Learn to predict documents, `rows()` a step; the rate rises for 50 steps and falls to 0 in the last part."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50, (steps - step) / (0.6 * steps))
        loss = document_loss(network, torch.tensor(rows()))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            log(step, loss.item())


def pretrain(stages: Stages, seed: int, log) -> Decoder:
    """The base model: careless people's texts, new ones every step."""
    torch.manual_seed(seed)
    network, rng = Decoder(CONFIG), random.Random(seed)
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    imitate(network, lambda: [document(BASE, rng) for _ in range(stages.base_rows)], stages.base_steps, stages.base_rate, log)
    return network


def fine_tune(base: Decoder, stages: Stages, seed: int, log, habits: Habits = LABELLERS) -> Decoder:
    """Supervised fine-tuning: a fixed set of demonstrations in the required form."""
    network, rng = copy.deepcopy(base).requires_grad_(True), random.Random(seed)
    shown = [document(habits, rng) for _ in range(stages.demonstrations)]
    imitate(network, lambda: rng.sample(shown, stages.tuning_rows), stages.tuning_steps, stages.tuning_rate, log)
    return network


def compare(network: Decoder, n: int, slips: float, seed: int) -> tuple[torch.Tensor, ...]:
    """n ranked pairs: prompts (n, PROMPT), and ids and masks (n, T) of the better and of the worse answer.

    Both answers have written steps or both are free to; the labeller prefers the right one and is sometimes
    mistaken. Pairs of two right or two wrong answers are left out.
    """
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    kept = []
    while len(kept) < n:
        asked = [draw_training(rng) for _ in range(256)]
        prompts = torch.tensor([prompt_ids(question) for _, question in asked])
        begun = torch.full((256, 1), ID[THINK]) if rng.random() < 0.7 else None
        pair = [sample(network, prompts, generator, start=begun) for _ in range(2)]
        for i, (problem, _) in enumerate(asked):
            found = [read(words_of(answers.ids[i].tolist()), problem) for answers in pair]
            if found[0].right != found[1].right:
                better = int(found[1].right) ^ (rng.random() < slips)
                kept.append((prompts[i], *(x for k in (better, 1 - better) for x in (pair[k].ids[i], pair[k].mask[i]))))
    return tuple(torch.stack(part) for part in zip(*kept[:n]))


def train_judge(network: Decoder, stages: Stages, seed: int, log) -> tuple[Judge, dict]:
    """The reward model, and how often it ranks new pairs as the problems' solutions would."""
    judge, rng = judge_from(network), random.Random(seed)
    pairs = compare(network, stages.comparisons, stages.labeller_slips, seed)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=stages.judge_rate, weight_decay=0.05)
    for step in range(stages.judge_steps):
        for group in optimizer.param_groups:
            group["lr"] = stages.judge_rate * (1 - step / stages.judge_steps)
        rows = torch.tensor(rng.sample(range(stages.comparisons), stages.judge_rows))
        prompts, good, good_mask, bad, bad_mask = (part[rows] for part in pairs)
        loss = losses.preference_loss(scores(judge, prompts, good, good_mask), scores(judge, prompts, bad, bad_mask))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == stages.judge_steps - 1:
            log(step, loss.item())
    with torch.no_grad():
        prompts, good, good_mask, bad, bad_mask = compare(network, 1000, 0.0, seed + 1)
        ranked = scores(judge, prompts, good, good_mask) > scores(judge, prompts, bad, bad_mask)
    return judge.eval(), {"pairs": len(prompts), "ranked_right": float(ranked.float().mean())}


def evaluate(network: Decoder, n: int = EVALUATED, temperature: float = 1.0, start: str | None = None, seed: int = 3) -> dict:
    """Shares of right, formatted and reasoned answers to n held-out problems, one drawn answer each."""
    problems, questions = held_out_questions(n, seed=7)
    prompts = torch.tensor([prompt_ids(question) for question in questions])
    begun = None if start is None else torch.full((n, 1), ID[start])
    answers = sample(network, prompts, torch.Generator().manual_seed(seed), temperature, begun)
    found = [read(words_of(ids), problem) for ids, problem in zip(answers.ids.tolist(), problems)]
    mixed = [one.right for one, problem in zip(found, problems) if problem.mixed]
    means = {name: sum(getattr(one, name) for one in found) / n for name in ("right", "formatted", "thought", "tokens")}
    return means | {"right_mixed": sum(mixed) / max(len(mixed), 1)}


def reinforce(start: Decoder, recipe: Recipe, reward: str, seed: int, every: int) -> tuple[Decoder, list[dict]]:
    """One run of PPO or GRPO from a fine-tuned model, with held-out accuracy on the way."""
    network = copy.deepcopy(start).requires_grad_(True)
    records, before = [], evaluate(network, WATCHED)
    for i, step in enumerate(learn(network, recipe, reward_named(reward), seed), 1):
        record = {"update": i} | asdict(step)
        if i == 1:
            record["held_out_right"] = before["right"]
        elif i % every == 0:
            record["held_out_right"] = evaluate(network, WATCHED)["right"]
        records.append(record)
        print("  ".join(f"{k} {v:.3g}" for k, v in record.items()), flush=True)
    return network.eval(), records


def run(out: Path, stages: Stages = Stages(), seeds: tuple[int, ...] = SEEDS) -> dict:
    """Every stage after another; writes curves.csv, evaluation.json, thinking.json and the weights into `out`."""
    kept = Stored(out)
    base = kept.model("base", lambda log: (pretrain(stages, 0, log), {}))
    tuned = kept.model("tuned", lambda log: (fine_tune(base, stages, 0, log), {}))
    judge = kept.model("judge", lambda log: train_judge(tuned, stages, 0, log), Judge)
    found = {"base": kept.result("base", lambda: evaluate(base)), "tuned": kept.result("tuned", lambda: evaluate(tuned))}
    curves, models = [], {"base": base, "tuned": tuned}
    for method in METHODS:
        recipe = Recipe(method="ppo" if method == "ppo" else "grpo", updates=stages.updates)
        start = base if method == "zero" else tuned
        for seed in seeds:
            trained, records, seconds = kept.run(f"{method}_{seed}", start, recipe, "rules", seed, stages.evaluate_every)
            curves += [{"reward_of": "rules", "method": method, "seed": seed} | record for record in records]
            measured = kept.result(f"{method}_{seed}", lambda: evaluate(trained))
            found[f"{method}_{seed}"] = measured | {"cpu_seconds": seconds}
            if seed == seeds[0] and method != "zero":
                models[method] = trained
    recipe = Recipe(updates=stages.hack_updates)
    models["hacked"], records, _ = kept.run("hacked", tuned, recipe, "equations", 0, stages.evaluate_every)
    curves += [{"reward_of": "equations", "method": "grpo", "seed": 0} | record for record in records]
    found["hacked"] = kept.result("hacked", lambda: evaluate(models["hacked"]))
    for method in METHODS:
        found[method] = over_seeds([found[f"{method}_{seed}"]["right"] for seed in seeds])
    write_csv(out / "curves.csv", curves)
    result = {
        "command": "python -m core.training post_training --out OUT", "stages": asdict(stages), "recipe": asdict(Recipe()),
        "config": asdict(CONFIG), "parameters": sum(p.numel() for p in base.parameters()), "torch": torch.__version__,
        "machine": "CPU, 1 thread", "held_out_problems": EVALUATED, "judge": kept.facts["judge"], "accuracy": found,
        "cpu_seconds": {name: kept.facts[name]["cpu_seconds"] for name in kept.facts},
    }  # fmt: skip
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    save(models | {"judge": judge}, out)
    return result


def over_seeds(shares: list[float]) -> dict:
    """Mean of several runs and its 95 % interval by Student's t."""
    mean, n = sum(shares) / len(shares), len(shares)
    spread = (sum((share - mean) ** 2 for share in shares) / (n - 1)) ** 0.5
    half = STUDENT_T[n - 1] * spread / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": n}


def save(models: dict[str, torch.nn.Module], out: Path) -> None:
    """All weights in one file, fp16, and the config."""
    weights = {f"{name}.{key}": w.half().contiguous() for name, model in models.items() for key, w in model.state_dict().items()}
    save_file(weights, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps({"network": asdict(CONFIG)}, indent=1) + "\n", "utf-8")


class Stored:
    """Stages that are done are read from the folder; weights stand there as they are shipped, rounded to fp16."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.facts: dict[str, dict] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def model(self, name: str, train: Callable, kind: type = Decoder) -> torch.nn.Module:
        """The model of a stage; `train(log)` returns it with what is to be told about it."""

        def trained():
            start = time.process_time()
            model, facts = train(lambda step, loss: print(f"{name} {step} loss {loss:.3f} {time.process_time() - start:.0f} s", flush=True))
            return model, facts | {"cpu_seconds": round(time.process_time() - start, 1)}

        return self._stage(name, trained, kind)[0]

    def run(self, name: str, start: Decoder, recipe: Recipe, reward: str, seed: int, every: int) -> tuple[Decoder, list[dict], float]:
        """A run of reinforcement learning: the model, its records, and its seconds of processor time."""

        def trained():
            begun = time.process_time()
            print(name, flush=True)
            model, records = reinforce(start, recipe, reward, seed, every)
            return model, {"records": records, "cpu_seconds": round(time.process_time() - begun, 1)}

        model, facts = self._stage(name, trained, Decoder)
        return model, facts["records"], facts["cpu_seconds"]

    def result(self, name: str, measure: Callable[[], dict]) -> dict:
        """What was measured of a stage."""
        file = self.folder / f"{name}.evaluation.json"
        if not file.exists():
            file.write_text(json.dumps(measure()), "utf-8")
            print(name, file.read_text("utf-8"), flush=True)
        return json.loads(file.read_text("utf-8"))

    def _stage(self, name: str, trained: Callable, kind: type) -> tuple[torch.nn.Module, dict]:
        weights, told = self.folder / f"{name}.pt", self.folder / f"{name}.json"
        if not told.exists():
            model, facts = trained()
            torch.save({key: w.half() for key, w in model.state_dict().items()}, weights)
            told.write_text(json.dumps(facts), "utf-8")
        model = kind(CONFIG)
        model.load_state_dict({key: w.float() for key, w in torch.load(weights).items()})
        self.facts[name] = json.loads(told.read_text("utf-8"))
        return model.eval().requires_grad_(False), self.facts[name]
