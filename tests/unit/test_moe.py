"""Mixture of experts: routing, load and output against a loop; what balances, balances."""

import pytest
import torch

from core.models import DecoderConfig
from core.models.moe import (
    MoE,
    MoEConfig,
    Routing,
    active_parameters,
    balanced_bias,
    balancing_loss,
    load,
    route,
    routers,
    with_experts,
)

CONFIG = DecoderConfig(n_layers=2, d_model=16, n_heads=2, n_kv_heads=2, d_ff=32, vocab_size=40, context_length=32, head_dim=8)
EXPERTS = MoEConfig(n_experts=6, top_k=2, d_expert=8)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return MoE(CONFIG, EXPERTS).eval().requires_grad_(False)


def by_hand(layer: MoE, x: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """One token after the other."""
    outs, counts = [], [0] * layer.moe.n_experts
    for token in x.reshape(-1, x.shape[-1]):
        scores = [float(token @ row) for row in layer.router.weight]
        probs = torch.tensor(scores).softmax(0)
        order = sorted(range(len(scores)), key=lambda e: float(probs[e] + layer.bias[e]), reverse=True)[: layer.moe.top_k]
        total = sum(float(probs[e]) for e in order)
        out = torch.zeros_like(token)
        for e in order:
            counts[e] += 1
            out = out + float(probs[e]) / total * layer.experts[e](token)
        outs.append(out)
    return torch.stack(outs).view_as(x), counts


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_output_and_load_against_a_loop(layer, bias):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 7, 16, generator=generator) * 2
    layer.bias.copy_(torch.randn(6, generator=generator) * bias)
    expected, counts = by_hand(layer, x)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)
    routing = route(layer.router(x.flatten(0, 1)), 2, layer.bias)
    assert load(routing.experts, 6).tolist() == pytest.approx([c / 42 for c in counts])
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(21))


def test_a_bias_changes_the_choice_but_never_the_weights():
    scores = torch.tensor([[2.0, 1.0, 0.0]])
    assert route(scores, 1).experts.tolist() == [[0]]
    assert route(scores, 1, torch.tensor([0.0, 0.0, 1.0])).experts.tolist() == [[2]]
    one = route(scores, 2, torch.tensor([0.0, -1.0, 0.0]))
    assert one.experts.tolist() == [[0, 2]]
    torch.testing.assert_close(one.weights, torch.tensor([[2.0, 0.0]]).softmax(-1))


def test_experts_can_be_forced_and_forbidden():
    scores = torch.randn(50, 6, generator=torch.Generator().manual_seed(2))
    assert (route(scores, 2, forced=[4]).experts == 4).any(-1).all()
    assert not (route(scores, 2, forbidden=[1, 3]).experts % 2 * (route(scores, 2, forbidden=[1, 3]).experts < 4)).any()
    both = route(scores, 2, forced=[0, 5])
    assert {tuple(sorted(row)) for row in both.experts.tolist()} == {(0, 5)}
    free, kept = route(scores, 2), route(scores, 2, forbidden=[5])
    untouched = (free.experts != 5).all(-1)
    assert torch.equal(free.experts[untouched], kept.experts[untouched])
    for settings in ({"forced": [1], "forbidden": [1]}, {"forced": [0, 1, 2]}, {"forbidden": [0, 1, 2, 3, 4]}):
        with pytest.raises(ValueError, match="cannot be chosen"):
            route(scores, 2, **settings)


def test_the_balancing_loss_is_smallest_when_all_is_uniform():
    E, N = 4, 400
    even = Routing(torch.full((N, E), 1 / E), torch.arange(N)[:, None] % E, torch.ones(N, 1))
    assert float(balancing_loss(even)) == pytest.approx(1.0)
    generator = torch.Generator().manual_seed(3)
    for sharpness in (0.5, 2.0, 8.0):  # the router chooses what it finds likeliest: then no routing is below 1
        scores = torch.randn(N, E, generator=generator) * sharpness + torch.randn(E, generator=generator)
        assert float(balancing_loss(route(scores, 1))) > 1.0
    collapsed = route(torch.tensor([[9.0, 0.0, 0.0, 0.0]]).expand(N, -1), 1)
    assert float(balancing_loss(collapsed)) == pytest.approx(E, rel=1e-2)


def test_the_balancing_loss_spreads_tokens():
    """Gradient steps on it alone even out the load of a router that prefers one expert."""
    generator = torch.Generator().manual_seed(4)
    x, weight = torch.randn(300, 8, generator=generator), torch.randn(4, 8, generator=generator) * 0.3
    offset = torch.tensor([2.0, 0.0, 0.0, 0.0])
    weight.requires_grad_()
    offset.requires_grad_()
    before = load(route(x @ weight.T + offset, 2).experts, 4).max()
    optimizer = torch.optim.Adam([weight, offset], 0.02)
    for _ in range(150):
        loss = balancing_loss(route(x @ weight.T + offset, 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = load(route(x @ weight.T + offset, 2).experts, 4)
    assert before > 0.4 and after.max() < 0.32 and float(loss.detach()) < 1.05


def test_deepseeks_bias_spreads_tokens_and_leaves_the_router_alone():
    generator = torch.Generator().manual_seed(5)
    scores, bias = torch.randn(2_000, 8, generator=generator) + torch.tensor([3.0, 1.0, 0, 0, 0, 0, 0, -2.0]), torch.zeros(8)
    before = load(route(scores, 2).experts, 8)
    for _ in range(1_500):
        shares = load(route(scores, 2, bias).experts, 8)
        moved = balanced_bias(bias, shares)
        assert ((moved - bias).abs() <= 0.001 + 1e-6).all() and ((moved - bias)[shares > 1 / 8] < 0).all()
        bias = moved
    assert before.max() > 0.4 and before.min() < 0.01
    assert load(route(scores, 2, bias).experts, 8).max() < 0.15
    torch.testing.assert_close(route(scores, 2, bias).probs, route(scores, 2).probs)


def test_one_expert_for_everything_is_a_plain_feed_forward_layer():
    torch.manual_seed(6)
    single = MoE(CONFIG, MoEConfig(n_experts=1, top_k=1, d_expert=32))
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(single(x), single.experts[0](x))
    with pytest.raises(ValueError, match="top_k must be in 1..3"):
        MoEConfig(n_experts=3, top_k=4)


def test_a_network_of_experts_counts_its_parameters_and_can_be_watched():
    network = with_experts(CONFIG, EXPERTS)
    expert = 3 * 16 * 8
    dense = sum(p.numel() for p in network.parameters()) - 2 * 6 * expert
    assert active_parameters(network) == dense + 2 * 2 * expert and len(routers(network)) == 2
    seen = {}
    ids = torch.randint(0, 40, (2, 9))
    with torch.no_grad():
        watched = network(ids, tap=lambda name, value: seen.setdefault(name, value))
        torch.testing.assert_close(watched, network(ids), atol=1e-5, rtol=1e-4)
    assert seen["blocks.1.mlp.hook_router"].shape == (2, 9, 6)


def test_cached_steps_equal_a_whole_pass():
    from core.kv_cache import make_cache

    torch.manual_seed(7)
    network, ids = with_experts(CONFIG, EXPERTS).eval(), torch.randint(0, 40, (1, 12))
    with torch.no_grad():
        cache = make_cache("full", CONFIG)
        steps = torch.cat([network(ids[:, i : i + 1], cache) for i in range(12)], 1)
        torch.testing.assert_close(steps, network(ids), atol=1e-4, rtol=1e-4)
