"""The GRU against torch.nn.GRU, the gradient's reach against differences, and the recipe that compares both architectures."""

import copy
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from core.measure.gradient_reach import gradient_by_distance
from core.models.recurrent import RecurrentConfig, RecurrentLM, gru_layers, gru_step, initialise
from core.training import architectures
from core.training.bpe import save_ranks
from core.training.loop import Recipe

SMALL = RecurrentConfig(n_layers=2, d_model=6, d_state=10, vocab_size=40)


@pytest.fixture
def network():
    found = RecurrentLM(SMALL).eval()
    initialise(found, 3)
    return found


def test_layers_equal_torch():
    torch.manual_seed(0)
    for n_layers in (1, 3):
        gru = torch.nn.GRU(5, 7, n_layers, batch_first=True)
        x, state = torch.randn(4, 9, 5), torch.randn(n_layers, 4, 7)
        for start in (None, state):
            for ours, theirs in zip(gru_layers(gru, x, start), gru(x, start)):
                torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_step_equals_torchs_cell_and_a_closed_gate_remembers():
    cell = torch.nn.GRUCell(5, 7)
    x, state = torch.randn(3, 5), torch.randn(3, 7)
    weights = cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh
    torch.testing.assert_close(gru_step(x, state, *weights), cell(x, state))
    closed = cell.bias_ih.detach().clone()
    closed[7:14] = 100.0  # the update gate stays at 1
    torch.testing.assert_close(gru_step(x, state, cell.weight_ih, cell.weight_hh, closed, cell.bias_hh), state)


def test_the_state_is_all_that_is_kept(network):
    ids = torch.tensor([[3, 9, 1, 4, 4, 20]])
    whole, last = network.read(ids)
    first, state = network.read(ids[:, :4])
    rest, state = network.read(ids[:, 4:], state)
    torch.testing.assert_close(torch.cat((first, rest), 1), whole)
    torch.testing.assert_close(state, last)
    torch.testing.assert_close(network(ids), whole)
    assert whole.shape == (1, 6, 40) and state.shape == (2, 1, 10)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_the_gradients_length_equals_differences(kind, network, tiny):
    """Every number of every embedding pushed a little up and down, in double precision."""
    if kind == "transformer":
        network = tiny.network
    network = copy.deepcopy(network).double().requires_grad_(False)
    ids = torch.tensor([[3, 9, 1, 4, 20], [7, 7, 2, 30, 5]])
    found = gradient_by_distance(network, ids)
    expected, step = torch.zeros(2, 4, dtype=torch.float64), 1e-5

    def loss(row: int, t: int, push: torch.Tensor) -> float:
        def tap(name, value):
            if name == "hook_embed":
                value = value.clone()
                value[0, t] += push
            return value

        return float(F.cross_entropy(network(ids[row : row + 1, :-1], tap=tap)[:, -1], ids[row : row + 1, -1]))

    width = network.embed.weight.shape[1]
    for row in range(2):
        for t in range(4):
            pushes = torch.eye(width, dtype=torch.float64) * step
            slopes = [(loss(row, t, push) - loss(row, t, -push)) / (2 * step) for push in pushes]
            expected[row, 3 - t] = torch.tensor(slopes).norm()
    torch.testing.assert_close(found, expected.mean(0), atol=2e-4, rtol=2e-3, check_dtype=False)
    with pytest.raises(ValueError, match="ids must have shape"):
        gradient_by_distance(network, ids[0])


def test_both_networks_have_the_same_size():
    found = {name: architectures.parameters(network) for name, network in architectures.networks().items()}
    assert abs(found["gru"] / found["transformer"] - 1) < 0.05
    assert all(2 * n < 10e6 for n in found.values())  # bytes in fp16


@pytest.fixture
def data(tmp_path):
    """Encoded text of a few rows: a short pattern over and over."""
    folder = tmp_path / "data"
    folder.mkdir()
    pattern = np.tile(np.arange(5, 45, dtype=np.uint16), 200)
    for source in architectures.PASSES:
        np.save(folder / f"{source}.train.npy", pattern)
    for source in ("de-klexikon", "en-novels"):
        np.save(folder / f"{source}.val.npy", pattern[:2_100])
    np.save(folder / "curriculum.00.npy", pattern[: 2 * 1_025].reshape(2, 1_025))
    return folder


def test_the_recipe_learns_saves_and_evaluates(data, tmp_path, monkeypatch):
    """A handful of steps on the processor, with the tiny size."""
    monkeypatch.setattr(architectures, "DISTANCES", (20,))
    monkeypatch.setattr(architectures, "REACH", 64)
    monkeypatch.setattr(architectures, "TOLD", (10,))
    recipe = Recipe(batch_rows=1, learning_rate=2e-2, warmup_steps=2, log_every=3, evaluate_every=100)
    save_ranks({bytes([b]): b for b in range(256)}, tmp_path / "tokenizer.tiktoken")  # of bytes, so that scores are few
    result = architectures.run(data, tmp_path, tmp_path / "out", "tiny", 12, recipe, "cpu", most_probes=1)
    sizes = [found["parameters"] for found in result["networks"].values()]
    assert max(sizes) <= 1.05 * min(sizes)
    assert result["networks"]["gru"]["tokens_seen"] == result["networks"]["transformer"]["tokens_seen"]
    for name, found in result["networks"].items():
        log = (tmp_path / "out" / f"{name}.csv").read_text().splitlines()
        column = log[0].split(",").index("loss")
        assert float(log[-1].split(",")[column]) < float(log[1].split(",")[column]) - 1
        assert len(found["gradient_by_distance"]) == architectures.REACH and min(found["gradient_by_distance"]) >= 0
        assert set(found["names"]) == {str(distance) for distance in architectures.DISTANCES}
        assert all(2 < loss < 200 for told in found["memory"].values() for loss in told["10"].values())  # of six bytes or so
        weights = load_file(tmp_path / "out" / f"{name}.safetensors")
        assert all(value.dtype == torch.float16 for value in weights.values()) and "unembed.weight" not in weights
    assert json.loads((tmp_path / "out" / "gru.json").read_text())["d_state"] == 64
