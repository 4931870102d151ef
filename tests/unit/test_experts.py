"""What is measured of mixtures of experts, against loops, scikit-learn and hand computation; steering leaves the shared network alone."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score

from core import costs
from core.charts import experts as charts
from core.measure.experts import (
    KINDS,
    changed,
    explained,
    information,
    kinds_of,
    loss,
    losses_without,
    routes,
    same_as_next,
    same_expert,
    typical,
)
from core.models import DecoderConfig
from core.models.language_model import LanguageModel
from core.models.moe import MoEConfig, load, routers, with_experts

CONFIG = DecoderConfig(n_layers=3, d_model=16, n_heads=2, n_kv_heads=2, d_ff=32, vocab_size=40, context_length=32, head_dim=8)
IDS = [3, 7, 7, 1, 3, 22, 39, 0, 3, 14]


@pytest.fixture(scope="module")
def lm():
    torch.manual_seed(0)
    network = with_experts(CONFIG, MoEConfig(n_experts=5, top_k=2, d_expert=8)).eval()
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.4)
    routers(network)[1].bias.copy_(torch.tensor([0.4, 0.0, -0.3, 0.0, 0.2]))
    return LanguageModel("experts", network, None)


@torch.no_grad()
def test_routes_are_what_each_router_says_to_each_token(lm):
    """Token by token, from the input that the layer really got."""
    found, inputs = routes(lm, IDS), []
    hooks = [layer.register_forward_hook(lambda module, args, out: inputs.append(args[0][0])) for layer in routers(lm.network)]
    lm.logits(IDS)
    for hook in hooks:
        hook.remove()
    for i, (layer, x) in enumerate(zip(routers(lm.network), inputs)):
        counts = [0] * 5
        for token in range(len(IDS)):
            scores = [float(x[token] @ row) for row in layer.router.weight]
            probs = torch.tensor(scores).softmax(0)
            chosen = sorted(range(5), key=lambda e: float(probs[e] + layer.bias[e]), reverse=True)[:2]
            total = sum(float(probs[e]) for e in chosen)
            by_weight = sorted(chosen, key=lambda e: -float(probs[e]))
            assert found.experts[i, token].tolist() == by_weight
            assert found.weights[i, token].tolist() == pytest.approx([float(probs[e]) / total for e in by_weight], abs=1e-5)
            assert found.probs[i, token].tolist() == pytest.approx(probs.tolist(), abs=1e-5)
            for e in chosen:
                counts[e] += 1
        assert found.loads[i].tolist() == pytest.approx([c / (2 * len(IDS)) for c in counts])


def test_a_changed_network_does_as_if_the_rule_stood_in_it_and_the_shared_one_does_not(lm):
    before, layer = lm.logits(IDS), routers(lm.network)[1]
    for way, name in (("forbid", "forbidden"), ("force", "forced")):
        other = changed(lm, 1, 4, way)
        assert torch.equal(lm.logits(IDS), before) and layer.forced == layer.forbidden == ()
        has = (routes(other, IDS).experts[1] == 4).any(-1)
        assert has.all() if way == "force" else not has.any()
        assert torch.equal(routes(other, IDS).experts[0], routes(lm, IDS).experts[0])
        setattr(layer, name, (4,))
        expected = lm.logits(IDS)
        setattr(layer, name, ())
        torch.testing.assert_close(other.logits(IDS), expected)
        assert not torch.equal(expected, before)
    assert all(a is b for a, b in zip(other.network.parameters(), lm.network.parameters()))  # no second copy in memory
    with pytest.raises(ValueError, match="way must be forbid or force, got 'ask'"):
        changed(lm, 0, 0, "ask")


def test_losses_without_each_expert_are_those_of_the_changed_networks(lm):
    expected = float(torch.nn.functional.cross_entropy(lm.logits(IDS)[:-1], torch.tensor(IDS[1:])))
    assert loss(lm, IDS) == pytest.approx(expected, rel=1e-5)
    found = {(layer, expert): value for layer, expert, value in losses_without(lm, IDS)}
    assert len(found) == 15
    unused = [(i, e) for i, loads in enumerate(routes(lm, IDS).loads.tolist()) for e, share in enumerate(loads) if share == 0]
    assert all(found[cell] == pytest.approx(expected, abs=1e-6) for cell in unused)
    assert found[1, 0] != pytest.approx(expected, abs=1e-4)
    for way in ("forbid", "force"):
        for layer, expert, value in losses_without(lm, IDS, way):
            assert value == pytest.approx(loss(changed(lm, layer, expert, way), IDS), abs=1e-5)
    with pytest.raises(ValueError, match="at least 2 tokens"):
        loss(lm, [3])


def test_information_is_scikit_learns():
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 6, 4_000)
    experts = np.where(rng.random(4_000) < 0.5, factor % 4, rng.integers(0, 4, 4_000))
    assert information(experts, factor) == pytest.approx(mutual_info_score(experts, factor) / np.log(2))
    # (I - E[I]) / (H - E[I]) with H the smaller entropy, here that of the experts
    adjusted = adjusted_mutual_info_score(experts, factor, average_method="min")
    assert explained(experts, factor) == pytest.approx(adjusted, abs=2e-3)


def test_what_a_factor_explains_is_between_nothing_and_all():
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1], 3_000)
    fine = group * 50 + rng.integers(0, 50, 6_000)  # a division of the groups that says nothing more
    experts = np.where(rng.random(6_000) < 0.8, group, rng.integers(0, 4, 6_000))
    assert explained(experts, experts) == pytest.approx(1.0)
    assert explained(experts, rng.integers(0, 3_000, 6_000)) == pytest.approx(0, abs=0.02)  # many values fit anything, but for chance
    assert explained(experts, fine) == pytest.approx(explained(experts, group), abs=0.02) and explained(experts, group) > 0.3
    assert explained(experts, fine, given=group) == pytest.approx(0, abs=0.01)
    assert explained(np.zeros(100, int), np.arange(100)) == 0


def test_neighbours_and_equal_tokens_by_counting():
    experts, ids = np.array([0, 0, 1, 1, 1, 2]), np.array([5, 6, 5, 7, 6, 5])
    assert same_as_next(experts) == (pytest.approx(3 / 5), pytest.approx((4 + 9 + 1) / 36))
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    equal = [(i, j) for i, j in pairs if ids[i] == ids[j]]
    found = same_expert(experts, ids)
    assert found[2] == len(equal) == 4
    assert found[0] == pytest.approx(np.mean([experts[i] == experts[j] for i, j in equal]))
    assert found[1] == pytest.approx(np.mean([experts[i] == experts[j] for i, j in pairs]))
    assert same_expert(experts[:2], ids[:2])[2] == 0


def test_typical_tokens_are_frequent_and_the_experts_own():
    ids = np.array([1] * 50 + [2] * 50 + [3] * 5)
    experts = np.array([0] * 50 + [0] * 10 + [1] * 40 + [1] * 5)
    assert typical(experts, ids, 0) == [(1, 1.0)]
    assert [token for token, _ in typical(experts, ids, 1)] == [2, 3] and typical(experts, ids, 1)[0][1] == pytest.approx(0.8)
    assert typical(experts, ids, 7) == []


def test_kinds_of_tokens():
    tokens = [b"Ein", b" Haus", b"boot", b",", b" 19", b"84", b"\n\n", b"Das", b" ", b"\xf0\x9f", " „".encode(), "ß".encode(), b"e"]
    expected = "start start inside sign number number space start space other sign start inside"
    assert kinds_of(tokens) == expected.split() and set(expected.split()) == set(KINDS)


def test_published_models_hold_and_read_what_their_makers_say():
    """Billions: gpt-oss model card (21 / 3.6 and 117 / 5.1), DeepSeek-V3 report (671 / 37), Mixtral paper (47 / 13), Llama 4 cards."""
    one = charts.models_data("count", 1).set_index("model")
    published = {"gpt-oss-20b": (21, 3.6), "gpt-oss-120b": (117, 5.1), "DeepSeek-V3": (671, 37), "Mixtral 8x7B": (46.7, 12.9)}
    published |= {"Llama-4 Scout": (109, 17), "Llama-4 Maverick": (400, 17)}
    for name, (held, read) in published.items():
        assert one.loc[name, "held"] == pytest.approx(held, rel=0.02) and one.loc[name, "read"] == pytest.approx(read, rel=0.06), name
    assert charts.models_data("bf16", 1)["held"].iloc[0] == pytest.approx(costs.weight_bytes(costs.models()["gpt-oss-20b"], "bf16") / 1e9)
    many = charts.models_data("count", 128).set_index("model")
    assert (many["read"] >= one["read"]).all() and many.loc["Mixtral 8x7B", "read_share"] > 0.99
    assert many.loc["Llama-3-70B", "read"] == pytest.approx(one.loc["Llama-3-70B", "read"], rel=0.02)


def test_the_charts_hold_what_was_computed():
    loads = np.stack([load(torch.tensor([[0, 1], [0, 2]]), 3).numpy()] * 2)
    data = charts.shares_data(loads)
    assert data["share"].tolist() == pytest.approx([0.5, 0.25, 0.25] * 2) and data["expert"].tolist() == ["1", "2", "3"] * 2
    cells = charts.grid_data(np.array([[0.0, 1.0], [-0.5, 2.0]]), (1, 1))
    assert cells["change"].tolist() == [0, 1, -0.5, 2] and cells["framed"].tolist() == [0, 0, 0, 1]
    kinds = charts.kinds_data([[1, 3], [0, 0]], {"a": "A", "b": "B"}, "all")
    assert kinds["share"].tolist() == [0.25, 0.75, 0.25, 0.75, 0, 0] and kinds["tokens"].sum() == 8
