"""The recipe of the mixtures of experts: it learns, it balances, and what it saves is what it trained."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file

from core.models import DecoderConfig
from core.models.moe import MoEConfig, active_parameters, load, route, routers
from core.training.loop import Recipe
from core.training.moe import CONFIG, EXPERTS, KINDS, Balance, loads, make_network, save, train

SMALL = DecoderConfig(n_layers=2, d_model=24, n_heads=2, n_kv_heads=2, d_ff=32, vocab_size=30, context_length=32, head_dim=12)
FEW = MoEConfig(n_experts=6, top_k=2, d_expert=16)
RECIPE = Recipe(batch_rows=8, learning_rate=1e-2, warmup_steps=3, log_every=5)


@dataclass(frozen=True)
class Counting:
    """Rows that count up from a random start by 1 or by 3: easy to learn."""

    def batch(self, step: int, size: int):
        generator = torch.Generator().manual_seed(step)
        start, by = torch.randint(0, 30, (size, 1), generator=generator), torch.randint(0, 2, (size, 1), generator=generator) * 2 + 1
        rows = (start + by * torch.arange(25)) % 30
        return rows[:, :-1], rows[:, 1:], torch.zeros(size, dtype=torch.bool)


def trained(kind: str, steps: int = 60, favourite: float = 0.0, **balance):
    network = make_network(kind, SMALL, FEW)
    network.embed.weight.data += 0.05  # what all tokens have in common, and what draws them to one expert
    for layer in routers(network):
        layer.router.weight.data[0] += favourite
    return network, train(network, kind, Counting(), steps, RECIPE, Balance(**balance))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind):
    network, records = trained(kind)
    assert records[-1]["loss"] < records[0]["loss"] - 1
    assert [r["step"] for r in records] == [*range(0, 60, 5), 59]
    assert ("layer_1_most" in records[-1]) == (kind != "dense")
    assert all(not layer.router._forward_hooks for layer in routers(network))


def test_balancing_evens_out_the_load():
    """After the same steps the load is nearer to even with the loss, and with the bias, than with nothing."""
    uneven = {}
    for kind in ("none", "loss", "bias"):
        network, _ = trained(kind, steps=60, favourite=0.05, loss_weight=1.0, bias_step=0.01)
        shares = torch.tensor(loads(network, Counting().batch(999, 64)[0]))  # (layers, E)
        uneven[kind] = float((shares - 1 / 6).abs().sum(-1).mean())
        moved = [float(layer.bias.abs().sum()) for layer in routers(network)]
        assert all(m > 0 for m in moved) if kind == "bias" else moved == [0, 0]
    assert uneven["loss"] < 0.7 * uneven["none"] and uneven["bias"] < 0.7 * uneven["none"], uneven


def test_loads_are_those_of_the_routers():
    network, ids = make_network("none", SMALL, FEW).eval(), Counting().batch(3, 4)[0]
    found = loads(network, ids)
    layer = routers(network)[0]
    seen = []
    hook = layer.router.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        network(ids)
    hook.remove()
    assert found[0] == pytest.approx(load(route(seen[0], 2).experts, 6).tolist()) and len(found) == 2


def test_what_is_saved_comes_back(tmp_path):
    network, _ = trained("bias", steps=6)
    save(network, "bias", tmp_path)
    state = load_file(tmp_path / "bias.safetensors")
    again = make_network("bias", SMALL, FEW, seed=9)
    missing = again.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    assert missing.missing_keys == ["unembed.weight"] and not missing.unexpected_keys  # tied
    ids = Counting().batch(1, 2)[0]
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(ids), network(ids), atol=0.02, rtol=0.02)


def test_the_recipes_networks_are_of_equal_active_size_and_small_enough():
    dense, experts = make_network("dense"), make_network("none")
    routers_own = CONFIG.n_layers * CONFIG.d_model * EXPERTS.n_experts
    assert active_parameters(experts) - routers_own == active_parameters(dense) == sum(p.numel() for p in dense.parameters())
    assert sum(p.numel() for p in experts.parameters()) * 2 < 10e6
    with pytest.raises(ValueError, match="no kind 'best'"):
        make_network("best")
