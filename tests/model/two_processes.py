"""Run by test_training under torchrun: train a small network and save what each process ends with."""

import os
import sys
from pathlib import Path

import torch

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.training.batches import plan_rows
from core.training.loop import Recipe, train

SHAPE = DecoderConfig(n_layers=2, d_model=32, n_heads=2, n_kv_heads=2, d_ff=64, head_dim=16, vocab_size=257)
RECIPE = Recipe(batch_rows=4, learning_rate=1e-2, warmup_steps=1, log_every=1)


def train_small(data: Path, n_steps: int = 5) -> tuple[Decoder, list[dict]]:
    torch.set_num_threads(1)
    network = Decoder(SHAPE)
    return network, train(network, plan_rows(data, {"de": 2}, 0, "cpu"), n_steps, RECIPE)


if __name__ == "__main__":
    data, out = map(Path, sys.argv[1:])
    rank = os.environ["RANK"]
    network, records = train_small(data)
    torch.save({"weights": network.state_dict(), "losses": [r["loss"] for r in records]}, out / f"{rank}.pt")
