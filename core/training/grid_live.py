"""One more run of the grid, trained in front of the viewer: a shape, an encoding, rows and a recipe of the grid, on less text.

Its text is the part that is shipped (grid_rows.py); a run on more than that sees it several times.
"""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.decoder import Decoder
from core.scaling.counting import counted
from core.training.grid import CONTEXT, SIZES, held_out_loss, learning_rate_of, rows_a_step
from core.training.grid_rows import read_rows
from core.training.live import train_step
from core.training.loop import Recipe, initialise, learning_rate, make_optimizer

LOOKS = 16  # measurements along the way, on every LOOK_ROWS-th held-out row; the last one takes them all
LOOK_ROWS = 10


@dataclass(frozen=True)
class GridRecipe:
    """A run of the grid."""

    size: str = "0.1M"
    tokens: int = 384_000  # about; whole steps are done
    n_steps: int = 0
    seed: int = 0
    kind: str = "grid"

    @staticmethod
    def of(size: str, tokens: int, seed: int = 0) -> "GridRecipe":
        return GridRecipe(size, tokens, max(1, round(tokens / (rows_a_step(tokens) * CONTEXT))), seed)


class GridTrainer:
    """As `live.Trainer`: `record()` before the first step, then `step()` until `finished`."""

    def __init__(self, recipe: GridRecipe):
        self.recipe, self.config, self.rows = recipe, SIZES[recipe.size], rows_a_step(recipe.tokens)
        self.train, self.held_out = read_rows()
        self.plan = Recipe(
            batch_rows=self.rows, learning_rate=learning_rate_of(self.config),
            warmup_steps=min(100, max(1, recipe.n_steps // 10)), seed=recipe.seed,
        )  # fmt: skip
        self.network = Decoder(self.config)
        initialise(self.network, recipe.seed)
        self.optimizer = make_optimizer(self.network, self.plan, fused=True)
        self.done, self.started = 0, time.perf_counter()

    @property
    def finished(self) -> bool:
        return self.done >= self.recipe.n_steps

    def describe(self) -> dict:
        """What is known before the first step."""
        return {"parameters": counted(self.config, 1).parameters, "size": self.recipe.size, "n_steps": self.recipe.n_steps}

    def batch(self) -> Tensor:
        """The next rows (B, CONTEXT + 1): the grid's first ones in the grid's order, and from the start again where they end."""
        return self.train[torch.arange(self.done * self.rows, (self.done + 1) * self.rows) % len(self.train)]

    def step(self) -> dict:
        rate = learning_rate(self.done, self.recipe.n_steps, self.plan)
        loss, norm = train_step(self.network, self.optimizer, self.batch(), rate, self.plan.clip)
        self.done += 1
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.done = self.recipe.n_steps
            return self._place() | {"diverged": True}
        return self.record() | {"loss": loss, "gradient_norm": norm, "learning_rate": rate}

    def record(self) -> dict:
        """Where it stands; now and then with the loss on held-out rows, at the end on all of them."""
        found = self._place()
        if self.finished:
            found["held_out"], found["last"] = held_out_loss(self.network, self.held_out), True
        elif self.done % max(1, self.recipe.n_steps // LOOKS) == 0:
            found["held_out"] = held_out_loss(self.network, self.held_out[::LOOK_ROWS])
        return found

    def _place(self) -> dict:
        tokens = self.done * self.rows * CONTEXT
        return {
            "step": self.done, "tokens": tokens, "flops": counted(self.config, tokens).flops,
            "passes": tokens / (len(self.train) * CONTEXT), "seconds": time.perf_counter() - self.started,
        }  # fmt: skip
