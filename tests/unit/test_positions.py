"""Positions: RoPE and its stretchings against transformers, sinusoids and ALiBi against their papers, what is left of order."""

import math

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from core.charts import positions as charts
from core.measure.positions import hands, order_effect, read_states, score_at, shuffled_words, turned_back, words_of
from core.models import Decoder, DecoderConfig, LanguageModel
from core.models.positions import alibi_bias, alibi_slopes, rope_angles, rope_frequencies, rotate, sinusoidal_positions
from core.models.repositioned import SCALINGS, rope_scaled, without_positions
from core.models.rope_scaling import linear_divisors, ntk_divisors, yarn_divisors, yarn_gain

CONFIG = DecoderConfig(n_layers=1, n_heads=1, n_kv_heads=1, head_dim=64)


def vectors(seed: int, n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, generator=generator), torch.randn(n, generator=generator)


# --- RoPE ---


def test_rotation_is_that_of_transformers():
    q, k = vectors(0)
    positions = torch.tensor([0, 1, 5, 900])
    angle = positions[:, None].float() / 10_000 ** (torch.arange(0, 64, 2) / 64)
    cos, sin = torch.cat((angle, angle), -1).cos()[None], torch.cat((angle, angle), -1).sin()[None]
    x = q.expand(1, 4, 1, 64), k.expand(1, 4, 1, 64)
    ours = [rotate(v, *rope_angles(positions, 64)) for v in x]
    theirs = apply_rotary_pos_emb(*(v.transpose(1, 2) for v in x), cos, sin)
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a.transpose(1, 2), b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("distance", [0, 1, 7, 100])
def test_a_score_depends_on_the_distance_alone(distance):
    q, k = vectors(1)
    scores = [score_at(q, k, at + distance, at, CONFIG) for at in (0, 1, 63, 500, 1000)]
    assert max(scores) - min(scores) < 2e-3
    assert abs(score_at(q, k, 3 + distance, 0, CONFIG) - scores[0]) > 1e-2  # another distance, another score
    assert float(hands(q, k, CONFIG).pair_scores(distance).sum()) == pytest.approx(scores[0], abs=2e-3)


def test_a_vector_turned_back_is_what_it_was():
    q, _ = vectors(2)
    cos, sin = rope_angles(torch.tensor([345]), 64)
    torch.testing.assert_close(turned_back(rotate(q[None, None, None], cos, sin)[0, 0, 0], 345, CONFIG), q, atol=1e-5, rtol=1e-5)


def test_hands_are_the_pairs_as_complex_numbers():
    q, k = vectors(3)
    found = hands(q, k, CONFIG)
    number = torch.complex(q[:32], q[32:])
    torch.testing.assert_close(torch.polar(found.query_length, found.query_angle), number, atol=1e-5, rtol=1e-5)
    assert float(found.frequency[0]) == 1.0 and float(found.frequency[-1]) == pytest.approx(10_000 ** (-62 / 64))


# --- stretched ---


def theirs(kind: str, factor: float, seq_len: int | None = None) -> tuple[torch.Tensor, float]:
    rope = {"rope_type": kind, "rope_theta": 10_000.0, "factor": factor}
    if kind == "yarn":
        rope["original_max_position_embeddings"] = 1024
    config = LlamaConfig(hidden_size=384, num_attention_heads=6, head_dim=64, max_position_embeddings=1024, rope_parameters=rope)
    return ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=seq_len)


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_stretched_frequencies_are_those_of_transformers(factor):
    whole = rope_frequencies(64)
    linear, _ = theirs("linear", factor)
    torch.testing.assert_close(whole / torch.tensor(linear_divisors(64, factor)), linear, rtol=1e-5, atol=0)
    yarn, gain = theirs("yarn", factor)
    torch.testing.assert_close(whole / torch.tensor(yarn_divisors(64, 1e4, factor, 1024)), yarn, rtol=1e-5, atol=0)
    assert yarn_gain(factor) == pytest.approx(gain)
    # "dynamic" takes the NTK base for a length: with its factor 1, one of `factor` times the trained length is stretched by just that
    dynamic, _ = theirs("dynamic", 1.0, seq_len=int(1024 * factor))
    torch.testing.assert_close(whole / torch.tensor(ntk_divisors(64, factor)), dynamic, rtol=1e-5, atol=0)


def test_ntk_leaves_the_fastest_pair_and_slows_the_slowest_by_the_factor():
    divisors = ntk_divisors(64, 4.0)
    assert divisors[0] == 1.0 and divisors[-1] == pytest.approx(4.0) and list(divisors) == sorted(divisors)


def test_a_stretched_model_shares_its_weights_and_leaves_the_original_alone(tiny):
    before = tiny.logits([1, 2, 3, 4])
    for method in SCALINGS:
        stretched = rope_scaled(tiny, method, 2)
        assert stretched.network.embed is tiny.network.embed and stretched.name != tiny.name
        same = torch.equal(stretched.logits([1, 2, 3, 4]), before)
        assert same == (method == "none")
    assert torch.equal(tiny.logits([1, 2, 3, 4]), before) and tiny.config.rope_divisors == ()
    with pytest.raises(ValueError, match="method must be one of none, linear, ntk, yarn, got other"):
        rope_scaled(tiny, "other", 2)


# --- without turning ---


def test_sinusoids_are_the_papers_formula():
    table = sinusoidal_positions(40, 16)
    for position in (0, 1, 39):
        for i in range(8):
            angle = position / 10_000 ** (2 * i / 16)
            assert float(table[position, 2 * i]) == pytest.approx(math.sin(angle), abs=1e-6)
            assert float(table[position, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-6)
    products = table @ table.T
    torch.testing.assert_close(products[3, 10], products[20, 27], atol=1e-4, rtol=1e-4)  # the same distance
    with pytest.raises(ValueError, match="d_model must be even, got 7"):
        sinusoidal_positions(3, 7)


def test_alibi_slopes_are_the_published_ones_and_blooms():
    assert alibi_slopes(8).tolist() == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]  # section 3 of the paper
    assert alibi_slopes(16)[:2].tolist() == pytest.approx([2**-0.5, 0.5])
    for n_heads in (6, 8, 12, 16, 112):  # 112: BLOOM itself
        bloom = build_alibi_tensor(torch.ones(1, 3), n_heads, torch.float32)  # slope · key position
        torch.testing.assert_close(alibi_slopes(n_heads), bloom[:, 0, 1])
        # the softmax of a row does not see a constant: minus the distance is the same as plus the key's position
        ours, row = alibi_bias(n_heads, 3)[:, 2], bloom[:, 0]
        torch.testing.assert_close(ours.softmax(-1), row.softmax(-1))


def test_alibi_takes_off_the_distance():
    bias = alibi_bias(2, 4)
    assert bias[1].tolist()[3] == pytest.approx([-3 / 256, -2 / 256, -1 / 256, 0.0]) and float(bias[0, 1, 3]) == 0.0


# --- order ---


def test_words_change_places_whole():
    pieces = ["Die", " Ka", "tze", " sieht", " Ma", "us", "."]
    assert words_of(pieces) == [[0], [1, 2], [3], [4, 5, 6]]
    for seed in range(5):
        order = shuffled_words(pieces, seed)
        assert sorted(order) == list(range(7)) and order[0] == 0 and order[-3:] == [4, 5, 6]
        assert order.index(2) == order.index(1) + 1
    assert shuffled_words(pieces, 3) == shuffled_words(pieces, 3)
    assert shuffled_words(["One"], 0) == [0] and shuffled_words(["a", " b"], 0) == [0, 1] and shuffled_words(["a", " b", " c"], 0) == [0, 1, 2]


@pytest.mark.parametrize("family", ["rotary", "learned"])
def test_what_is_left_of_order(tiny, family):
    """Without positions the first block cannot tell orders apart; later ones can, through the mask alone; without it nothing can."""
    lm = tiny
    if family == "learned":
        config = DecoderConfig(n_layers=2, d_model=32, n_heads=4, n_kv_heads=4, d_ff=64, vocab_size=257, context_length=64, head_dim=8, learned_positions=True)
        torch.manual_seed(2)
        network = Decoder(config)
        torch.nn.init.normal_(network.pos_embed, std=0.5)
        torch.nn.init.normal_(network.embed.weight, std=0.5)
        lm = LanguageModel("learned", network, tiny.tokenizer)
    ids, other = [5, 80, 33, 7, 90, 12], [5, 7, 90, 33, 80, 12]
    assert float(order_effect(lm, ids, other).min()) > 1e-3
    bare = without_positions(lm)
    effect = order_effect(bare, ids, other)
    assert float(effect[0]) < 1e-5 and float(effect[1]) > 1e-3
    assert float(order_effect(bare, ids, other, masked=False).max()) < 1e-5
    assert float(order_effect(lm, ids, other).min()) > 1e-3  # the original still has its positions


def test_last_states_are_those_of_the_trace(tiny):
    from core.models import trace

    found = trace(tiny, [4, 9, 2])
    states, logits = read_states(tiny, [4, 9, 2])
    torch.testing.assert_close(states[1], found["blocks.1.hook_resid_post"][-1])
    torch.testing.assert_close(logits, tiny.logits([4, 9, 2]))


# --- charts ---


def test_chart_data():
    found = hands(*vectors(4), CONFIG)
    data = charts.hands_data(found, 3, 9)
    assert len(data) == 32 and sorted(data["shown"][data["shown"] >= 0]) == list(range(8)) and set(data["gap"]) == {9}
    total = (data["query_length"] * data["key_length"] * (data["query_angle"] - data["key_angle"] + 9 * data["frequency"]).map(math.cos)).sum()
    assert total / 8 == pytest.approx(score_at(*vectors(4), 12, 3, CONFIG), abs=1e-3)  # what the browser writes above the hands
    assert charts.distance_data([1.0, 2.0], 1, 9)["real"].isna().all() and charts.distance_data([1.0, 2.0], 1, 1)["real"].max() == 1
    cells = charts.scheme_data(torch.tensor([[1.0, -2.0], [0.0, 0.5]]).numpy())
    assert cells["shade"].tolist() == [0.5, -1.0, 0.0, 0.25]
    assert charts.binned([1.0, 3.0, 5.0], 2).tolist() == [2.0, 5.0]
    assert charts.long_data({"yarn": [4.0, 3.0]}, 128)["position"].tolist() == [64.0, 192.0]
    assert len(charts.order_data({"mask": [0.1, 0.2], "neither": [0.0, 0.0]})) == 4


def test_specs_are_built_without_data():
    hand = charts.hands_chart(score="s", turns="t", query="q", key="k", shift="#a", gap="#b", language="de")
    assert {p["bind"]["element"] for p in hand["params"] if "bind" in p} == {"#a", "#b"}
    long = charts.long_chart(4096, 1024, position="p", nll="n", limit="l", computed="YaRN")
    assert long["height"] >= 200 and "datasets" not in long
