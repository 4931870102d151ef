"""The process that trains for one viewer: a request on the first line of its input, then commands; rows on its output.

It takes one thread and stands back behind everything else on the machine, and it ends when nobody listens any more.
Commands: "go", "pause", "step" (one step, then pause). Every row is one line of JSON.
"""

import json
import os
import sys
import threading


class Orders:
    """What the other side wants: it goes on, waits, or does one step."""

    def __init__(self, going: bool):
        self._changed = threading.Condition()
        self._going, self._steps = going, 0

    def listen(self, lines) -> None:
        """Follow commands until there are none to come: then the whole process ends."""
        for line in lines:
            with self._changed:
                command = line.strip()
                self._going = {"go": True, "pause": False, "step": False}.get(command, self._going)
                self._steps += command == "step"
                self._changed.notify()
        os._exit(0)

    def wait(self) -> None:
        """Return when the next step is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._going or self._steps)
            self._steps = max(self._steps - 1, 0)


def say(row: dict) -> None:
    print(json.dumps(row), flush=True)


def trainer_for(text: str, recipe: dict, **_):
    """What trains: a network on the viewer's text, or one more run of the grid of sizes and amounts of text."""
    if recipe.get("kind") == "grid":
        from core.training.grid_live import GridRecipe, GridTrainer

        return GridTrainer(GridRecipe(**recipe))
    from core.training.live import LiveRecipe, Trainer

    return Trainer(text, LiveRecipe(**recipe))


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(10)  # before anything heavy: others' labs come first
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    request = json.loads(sys.stdin.readline())
    orders = Orders(request["going"])
    threading.Thread(target=orders.listen, args=(sys.stdin,), daemon=True).start()

    import torch

    torch.set_num_threads(1)
    trainer = trainer_for(**request)
    say(trainer.describe() | trainer.record())
    while not trainer.finished:
        orders.wait()
        say(trainer.step())
    os._exit(0)  # the thread that listens would hold up an ordinary end


if __name__ == "__main__":
    main()
