"""Live training: the step against torch's own parts, the network on tiny texts, the desk with its places and queue."""

import math
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
import torch
import torch.nn.functional as F

from core.costs import parameters
from core.training import desk as desks
from core.training.desk import Desk, QueueFull
from core.training.live import SIZES, Characters, LiveRecipe, Trainer, draw_rows, split, train_step
from core.training.loop import learning_rate

PATTERN = "abcdefgh" * 60

# --- the step ---


def test_a_step_is_adamw_on_the_mean_cross_entropy_of_the_clipped_gradient():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Sequential(torch.nn.Embedding(11, 8), torch.nn.Linear(8, 11)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    options = {"lr": 0.5, "betas": (0.9, 0.95), "weight_decay": 0.1}
    mine, reference = torch.optim.AdamW(ours.parameters(), **options), torch.optim.AdamW(theirs.parameters(), **options)
    for seed in range(3):
        rows = torch.randint(0, 11, (4, 7), generator=torch.Generator().manual_seed(seed))
        loss, norm = train_step(ours, mine, rows, rate=0.01, clip=0.2)
        expected = F.cross_entropy(theirs(rows[:, :-1]).reshape(-1, 11), rows[:, 1:].reshape(-1))
        reference.zero_grad()
        expected.backward()
        length = math.sqrt(sum(float(p.grad.square().sum()) for p in theirs.parameters()))
        for p in theirs.parameters():
            p.grad *= min(1.0, 0.2 / length)
        reference.param_groups[0]["lr"] = 0.01
        reference.step()
        assert loss == pytest.approx(expected.item(), rel=1e-5) and norm == pytest.approx(length, rel=1e-4)
        for a, b in zip(ours.parameters(), theirs.parameters()):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_characters_come_back_and_rare_ones_are_one_sign():
    characters = Characters("Straße 😀\n")
    assert characters.decode(characters.encode("ß😀\nS")) == "ß😀\nS" and characters.encode("x") == [characters.n_vocab - 1]
    many = "".join(chr(0x4E00 + i) for i in range(2000)) + "ab" * 50
    characters = Characters(many)
    assert characters.n_vocab == 512 and characters.decode(characters.encode("ab")) == "ab"
    assert characters.decode(characters.encode(many)).count("\ufffd") > 1000


def test_the_end_is_held_out_and_rows_come_from_the_rest():
    train, held_out = split(torch.arange(1000))
    assert train.tolist() == list(range(900)) and held_out.tolist() == list(range(900, 1000))
    rows = draw_rows(train, 500, 65, torch.Generator().manual_seed(0))
    assert rows.shape == (500, 65) and (rows.diff(dim=1) == 1).all() and rows.min() >= 0 and rows.max() <= 899
    assert draw_rows(torch.arange(65), 3, 65, torch.Generator()).tolist() == [list(range(65))] * 3


@pytest.mark.parametrize("size, low, high", [("small", 0.2e6, 0.25e6), ("large", 0.9e6, 1.1e6)])
def test_sizes_are_as_the_page_says(size, low, high):
    trainer = Trainer(PATTERN, LiveRecipe(size))
    counted = trainer.describe()["parameters"]
    assert low < counted < high and counted == parameters(trainer.network.config)
    assert trainer.network.config.n_layers == SIZES[size].n_layers


def test_it_begins_at_even_guessing_learns_a_pattern_and_writes_it():
    trainer = Trainer(PATTERN, LiveRecipe(n_steps=40, learning_rate=0.01))
    first = trainer.record()
    assert first["held_out"] == pytest.approx(math.log(8), abs=0.4) and len(first["sample"]) == 100
    rows = []
    while not trainer.finished:
        rows.append(trainer.step())
    assert [row["step"] for row in rows] == list(range(1, 41)) and rows[-1]["held_out"] < 0.5 < rows[0]["loss"]
    assert rows[-1]["tokens"] == 40 * 16 * trainer.context
    assert (rows[-1]["given"] + rows[-1]["sample"])[:40] in PATTERN
    assert [row["learning_rate"] for row in rows[::13]] == [learning_rate(i, 40, trainer.recipe.schedule()) for i in range(0, 40, 13)]
    assert trainer.network.training or trainer.network.embed.weight.requires_grad  # samples leave it able to learn


def test_the_same_seed_trains_the_same_and_a_broken_loss_ends_it():
    one, two = (Trainer(PATTERN, LiveRecipe(n_steps=3)) for _ in range(2))
    assert [one.step()["loss"] for _ in range(3)] == [two.step()["loss"] for _ in range(3)]
    broken = Trainer(PATTERN, LiveRecipe(n_steps=50))
    with torch.no_grad():
        broken.network.embed.weight[0, 0] = math.nan
    assert broken.step()["diverged"] and broken.finished


# --- the desk ---


def until(condition, seconds=110.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def desk():
    made = Desk(1)
    yield made
    for run in list(made._runs):
        made.stop(run)


def recipe(n_steps):
    return asdict(LiveRecipe(n_steps=n_steps))


def test_a_training_pauses_steps_goes_on_and_ends(desk):
    run = desk.start(PATTERN, recipe(4), going=False)
    until(lambda: len(run.rows) == 1)
    assert run.rows[0]["train"] == 432 and run.rows[0]["step"] == 0 and run.status == desks.PAUSING
    desk.step(run)
    until(lambda: len(run.rows) == 2)
    desk.step(run)
    until(lambda: len(run.rows) == 3)
    assert run.rows[-1]["step"] == 2 and run.status == desks.PAUSING
    desk.go(run)
    assert run.status == desks.RUNNING
    until(lambda: run.status == desks.DONE)
    here = Trainer(PATTERN, LiveRecipe(n_steps=4))
    losses = [here.step()["loss"] for _ in range(4)]
    assert [row["loss"] for row in run.rows[1:]] == pytest.approx(losses, rel=1e-4)


def test_others_wait_are_told_their_place_and_come_in_turn(desk):
    first = desk.start(PATTERN, recipe(10_000))
    second, third = (desk.start(PATTERN, recipe(1)) for _ in range(2))
    assert [run.status for run in (first, second, third)] == [desks.RUNNING, desks.WAITING, desks.WAITING]
    assert [desk.place(run) for run in (first, second, third)] == [0, 1, 2] and desk.training() == 1
    desk.stop(first)
    assert first.status == desks.STOPPED and first.process.poll() is not None
    assert second.status == desks.RUNNING and desk.place(third) == 1
    desk.stop(third)  # who gives up waiting is gone
    until(lambda: second.status == desks.DONE)
    assert third.process is None and desk.training() == 0


def test_at_most_so_many_wait(desk, monkeypatch):
    monkeypatch.setattr(desks, "LONGEST_QUEUE", 2)
    monkeypatch.setattr(Desk, "_begin", lambda self, run: setattr(run, "status", desks.RUNNING))
    monkeypatch.setattr(Desk, "_keep_watch", lambda self: None)
    for _ in range(3):
        desk.start(PATTERN, recipe(1))
    with pytest.raises(QueueFull):
        desk.start(PATTERN, recipe(1))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def watched(monkeypatch):
    """A desk whose clock stands still, with a process that only sleeps."""
    monkeypatch.setattr(Desk, "_keep_watch", lambda self: None)

    def begin(self, run):
        run.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], stdin=subprocess.PIPE, text=True)
        run.status = desks.RUNNING if run.going else desks.PAUSING

    monkeypatch.setattr(Desk, "_begin", begin)
    clock = Clock()
    made = Desk(1, clock=clock)
    yield made, clock
    for run in list(made._runs):
        made.stop(run)


def test_it_is_cancelled_when_the_session_is_gone(watched):
    desk, _ = watched
    here = [True]
    run = desk.start(PATTERN, recipe(1), alive=lambda: here[0])
    desk.tidy()
    assert run.status == desks.RUNNING
    here[0] = False
    desk.tidy()
    assert run.status == desks.LEFT and run.process.poll() is not None


def test_it_is_cancelled_when_nobody_looks_and_the_next_one_begins(watched):
    desk, clock = watched
    run, following = desk.start(PATTERN, recipe(1)), desk.start(PATTERN, recipe(1))
    clock.now = desks.UNSEEN - 1
    desk.tidy()
    desk.look(following)
    assert run.status == desks.RUNNING and following.status == desks.WAITING
    clock.now = desks.UNSEEN + 1
    desk.tidy()
    assert run.status == desks.LEFT and following.status == desks.RUNNING


def test_a_pause_keeps_its_place_longer_when_nobody_waits(watched):
    desk, clock = watched
    run = desk.start(PATTERN, recipe(1), going=False)
    clock.now = desks.PAUSED - 1
    desk.tidy()
    assert run.status == desks.PAUSING
    following = desk.start(PATTERN, recipe(1))
    desk.tidy()
    assert run.status == desks.LEFT and following.status == desks.RUNNING


def test_the_process_ends_when_nobody_listens_any_more():
    code = f"from core.training.desk import Desk; r = Desk(1).start({PATTERN!r}, {recipe(100_000)!r}); print(r.process.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=desks.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: not _runs(child))


def _runs(pid):
    try:
        return open(f"/proc/{pid}/stat").read().split(")")[-1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_process_that_fails_is_said(desk):
    run = desk.start(PATTERN, {"size": "no such size"})
    until(lambda: run.status == desks.FAILED)
    assert run.rows == []
