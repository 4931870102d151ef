"""Training in front of a class: a small decoder learns one text, character by character, step by step.

    python -m core.training live --text FILE --out FILE.csv

runs it to the end; the page runs the same in a process of its own (live_process.py).
"""

import copy
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from core.decoding import generate
from core.kv_cache import make_cache
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.training.exercises import inputs_and_targets
from core.training.loop import Recipe, initialise, learning_rate, make_optimizer, token_nll

CONTEXT = 64  # characters the network sees at most
MOST_CHARACTERS = 512  # in the vocabulary
SIZES = {
    "small": DecoderConfig(n_layers=4, d_model=64, n_heads=4, n_kv_heads=4, head_dim=16, d_ff=176, context_length=CONTEXT),
    "large": DecoderConfig(n_layers=4, d_model=144, n_heads=4, n_kv_heads=4, head_dim=36, d_ff=384, context_length=CONTEXT),
}
ROWS = {"small": 16, "large": 8}  # of CONTEXT characters a step
HELD_OUT = 0.1  # share of the text, its end, that is never trained on
HELD_OUT_ROWS = 24  # of them measured, at most
MEASURE_EVERY = 10  # steps between two looks at the held-out part
SAMPLE_AT = (0, 5, 10, 20, 40, 70, 100)  # then every 50 steps
WRITTEN = 100  # characters of a sample
GIVEN = 12  # characters of the held-out text that a sample goes on from


@dataclass(frozen=True)
class LiveRecipe:
    """One training; the text comes beside it."""

    size: str = "small"
    learning_rate: float = 3e-3
    n_steps: int = 300
    seed: int = 0

    def schedule(self) -> Recipe:
        return Recipe(learning_rate=self.learning_rate, warmup_steps=20, weight_decay=0.1, clip=1.0, seed=self.seed)


class Characters:
    """The characters of one text as a vocabulary; the rarest beyond MOST_CHARACTERS become U+FFFD."""

    eot = None

    def __init__(self, text: str):
        counted = [sign for sign, _ in Counter(text).most_common()]
        fits = len(counted) <= MOST_CHARACTERS
        self.signs = sorted(counted) if fits else [*sorted(counted[: MOST_CHARACTERS - 1]), "\ufffd"]
        self.ids = {sign: i for i, sign in enumerate(self.signs)}

    @property
    def n_vocab(self) -> int:
        return len(self.signs)

    def encode(self, text: str) -> list[int]:
        return [self.ids.get(sign, len(self.signs) - 1) for sign in text]

    def decode(self, ids) -> str:
        return "".join(self.signs[int(i)] for i in ids)


def split(ids: Tensor) -> tuple[Tensor, Tensor]:
    """A text (n,) -> the part to train on, and its end, which is held out."""
    cut = len(ids) - max(2, round(HELD_OUT * len(ids)))
    return ids[:cut], ids[cut:]


def draw_rows(ids: Tensor, n: int, length: int, generator: torch.Generator) -> Tensor:
    """`n` pieces of `length` tokens from random places of a text: (n, length)."""
    starts = torch.randint(0, len(ids) - length + 1, (n,), generator=generator)
    return ids[starts[:, None] + torch.arange(length)]


def train_step(network: nn.Module, optimizer: torch.optim.Optimizer, rows: Tensor, rate: float, clip: float) -> tuple[float, float]:
    """Guess, compare, and move every weight a little: rows (B, T + 1) -> loss in nats a token, length of the gradient."""
    inputs, targets = inputs_and_targets(rows)  # at each of the B · T places: what follows?
    logits = network(inputs)  # the guess: (B, T, V)
    loss = token_nll(logits, targets).mean()  # how wrong it was
    loss.backward()  # how each weight would have to move
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)  # but not too far at once
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()  # all weights move
    optimizer.zero_grad(set_to_none=True)
    return loss.item(), norm.item()


class Trainer:
    """One network in training on one text. `record()` before the first step, then `step()` until `finished`."""

    def __init__(self, text: str, recipe: LiveRecipe):
        self.recipe, self.characters = recipe, Characters(text)
        self.train, self.held_out = split(torch.tensor(self.characters.encode(text)))
        self.context = min(CONTEXT, len(self.held_out) - 1, len(self.train) - 1)
        self.network = Decoder(replace(SIZES[recipe.size], vocab_size=self.characters.n_vocab))
        initialise(self.network, recipe.seed)
        self.optimizer = make_optimizer(self.network, recipe.schedule(), fused=True)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.done, self.tokens, self.started = 0, 0, time.perf_counter()

    @property
    def finished(self) -> bool:
        return self.done >= self.recipe.n_steps

    def describe(self) -> dict:
        """What is known before the first step."""
        return {
            "parameters": sum(p.numel() for p in self.network.parameters()), "vocabulary": self.characters.n_vocab,
            "train": len(self.train), "held_out_size": len(self.held_out), "context": self.context,
        }  # fmt: skip

    def step(self) -> dict:
        """One training step, and what there is to say about it; a loss that is no number any more ends the training."""
        rows = draw_rows(self.train, ROWS[self.recipe.size], self.context + 1, self.generator)
        rate = learning_rate(self.done, self.recipe.n_steps, self.recipe.schedule())
        loss, norm = train_step(self.network, self.optimizer, rows, rate, self.recipe.schedule().clip)
        self.done += 1
        self.tokens += rows.shape[0] * self.context
        found = {"loss": loss, "gradient_norm": norm, "learning_rate": rate}
        if not (math.isfinite(loss) and math.isfinite(norm)):
            found = self._place() | {"diverged": True}
            self.done = self.recipe.n_steps
            return found
        return self.record() | found

    def record(self) -> dict:
        """Where it stands; now and then with the loss on the held-out part and something written."""
        found = self._place()
        if self.done % MEASURE_EVERY == 0 or self.finished:
            found["held_out"] = self.measure()
        if self.done in SAMPLE_AT or self.done % 50 == 0 or self.finished:
            found["given"], found["sample"] = self.write()
        return found

    def _place(self) -> dict:
        return {"step": self.done, "tokens": self.tokens, "seconds": time.perf_counter() - self.started}

    @cached_property
    def _measured(self) -> tuple[Tensor, Tensor]:
        n = min((len(self.held_out) - 1) // self.context, HELD_OUT_ROWS)
        whole = self.held_out[: n * self.context + 1]
        return whole[:-1].view(n, -1), whole[1:].view(n, -1)

    @torch.no_grad()
    def measure(self) -> float:
        """Mean loss on the held-out part, nats a character."""
        inputs, targets = self._measured
        return float(token_nll(self.network(inputs), targets).mean())

    def write(self) -> tuple[str, str]:
        """The beginning of the held-out part, and how the network goes on, drawn with temperature 0.8 and the same seed each time."""
        given = self.held_out[: min(GIVEN, self.context)].tolist()
        lm = LanguageModel("live", copy.deepcopy(self.network), self.characters)
        cache = make_cache("window", lm.config, window=self.context)  # never farther back than in training
        steps = generate(lm, given, WRITTEN, temperature=0.8, seed=self.recipe.seed, cache=cache)
        return self.characters.decode(given), self.characters.decode(step.token for step in steps)
