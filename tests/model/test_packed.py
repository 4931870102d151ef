"""Weights laid out for speed: the same numbers, on every path."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.decoding import beam_search, generate
from core.measure.forward import logit_lens
from core.measure.sparse_drift import read_full
from core.models import Decoder, DecoderConfig, LanguageModel, trace
from core.models.indexer import INDEXES, find_directions, make_index
from core.models.sparse_attention import rule_of, sparse_logits
from core.quantization import MODES, kernels, mode_of, model_bytes, packed, prepare, quantize, quantize_model
from core.quantization.kernels import (
    GROUP,
    HalfLinear,
    Int4Linear,
    Int8Linear,
    MixedLinear,
    OneDNNLinear,
    fits_half,
    int4_codes,
    int8_codes,
    supported,
)
from tests.model.reference import as_transformers, random_ids

LLAMA = DecoderConfig(n_layers=2, d_model=64, n_heads=4, n_kv_heads=2, d_ff=96, vocab_size=257, context_length=128, head_dim=16)
FAMILIES = {
    "llama": LLAMA,
    "untied": replace(LLAMA, tied_embeddings=False),
    "qwen2": replace(LLAMA, qkv_bias=True),
    "qwen3": replace(LLAMA, qk_norm=True),
    "gpt2": replace(LLAMA, n_kv_heads=4, learned_positions=True, layer_norm=True, biases=True, gated=False, activation="gelu_tanh"),
}
ROWS = (1, 2, 4, 5, 9, 40)
CLOSE = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.05, "mixed": 0.05}  # ‖difference‖ / ‖logits‖ of a random network


def random_model(config, seed=0, stored=torch.float32):
    """Weights as from a checkpoint that stores them so."""
    torch.manual_seed(seed)
    network = Decoder(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.2)
        parameter.data = parameter.data.to(stored).float()
    return LanguageModel("random", network, tokenizer=None)


def relative(ours, expected):
    return float((ours.float() - expected).norm() / expected.norm())


@pytest.fixture
def without_operators(monkeypatch):
    """As on a processor where none of the operators is there."""
    monkeypatch.setattr(kernels, "supported", lambda kernel: False)
    monkeypatch.setattr(packed, "supported", lambda kernel: False)


# --- the products ---


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("biased", [False, True])
def test_every_product_is_that_of_the_weight_it_holds(rows, biased):
    generator = torch.Generator().manual_seed(rows)
    weight, x = torch.randn(96, 64, generator=generator), torch.randn(2, rows, 64, generator=generator)
    bias = torch.randn(96, generator=generator) if biased else None
    half = bias if bias is None else bias.bfloat16()
    layers = {"fp32": OneDNNLinear(weight, bias), "bf16": OneDNNLinear(weight.bfloat16(), half)}
    layers["fp16"] = HalfLinear(weight.half(), bias)
    layers["int8"] = Int8Linear(*int8_codes(weight), half)
    layers["int4"] = Int4Linear(*int4_codes(weight), half)
    layers["mixed"] = MixedLinear(layers["int4"], layers["bf16"])
    for name, layer in layers.items():
        with torch.inference_mode():
            y = layer(x if name in ("fp32", "fp16") else x.bfloat16())
        held = layer.many.weight if name == "mixed" and 2 * rows > MixedLinear.most_rows else layer.weight
        assert y.shape == (2, rows, 96) and held.shape == weight.shape
        assert relative(y, F.linear(x, held, bias)) < (1e-6 if name in ("fp32", "fp16") else 0.01), name
    one = x[0, 0]
    torch.testing.assert_close(layers["fp16"](one), F.linear(one, weight.half().float(), bias), atol=1e-5, rtol=1e-5)


def test_int8_and_int4_hold_what_our_quantizers_make():
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
    ours = quantize(weight, "int8", "channel")
    held = Int8Linear(*int8_codes(weight, rows_at_once=24))
    assert (held.codes.int() - ours.codes.int()).abs().max() <= 1  # the scales are those of the quantizer, in bf16
    torch.testing.assert_close(held.scale.float(), ours.scale[:, 0], rtol=0.004, atol=0)
    assert relative(held.weight, weight) == pytest.approx(ours.error(weight).relative, rel=0.05)
    codes, scale, offset = int4_codes(weight)
    unpacked = Int4Linear(codes, scale, offset).weight
    by_hand = (codes - 8) * scale.float().repeat_interleave(GROUP, 1) + offset.float().repeat_interleave(GROUP, 1)
    assert relative(unpacked, by_hand) < 0.003
    spread = weight.view(64, -1, GROUP).amax(-1) - weight.view(64, -1, GROUP).amin(-1)
    most = (0.5 / 15 + 0.02) * spread.repeat_interleave(GROUP, 1)  # half a step, and what bf16 rounds away
    assert ((by_hand - weight).abs() <= most).all()
    symmetric = quantize(weight, "int4", "group", GROUP).error(weight).relative
    assert relative(by_hand, weight) < symmetric  # 16 levels between the extremes beat 15 around zero


def test_a_group_of_equal_weights_is_exact_and_odd_shapes_are_refused():
    flat = torch.full((32, 32), 0.5)
    assert torch.equal(Int4Linear(*int4_codes(flat)).weight, flat)
    with pytest.raises(ValueError, match="groups of 32"):
        int4_codes(torch.zeros(32, 40))


def test_16_bits_hold_what_was_stored_in_16_bits():
    weight = torch.randn(300, 70, generator=torch.Generator().manual_seed(0)) * 0.05
    assert fits_half(weight.half().float()) and fits_half(weight.bfloat16().float())
    assert not fits_half(weight) and not fits_half(weight.half().float() * 1.0001) and not fits_half(torch.tensor([[1e6]]))
    held = HalfLinear(weight.half().float())
    assert torch.equal(held.weight, weight.half().float()) and held.nbytes == 2 * weight.numel()


# --- whole models ---


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_from_16_bits_stay_in_16_bits_and_compute_in_32(family, stored):
    lm = random_model(FAMILIES[family], stored=stored)
    fast = prepare(lm)
    assert not any(isinstance(module, OneDNNLinear) for module in fast.network.modules())
    for rows in (1, 3, 30):
        ids = random_ids(lm, rows, seed=rows)[0]
        assert fast.logits(ids).dtype == torch.float32 and relative(fast.logits(ids), lm.logits(ids)) < 1e-5
    for name, value in fast.network.state_dict().items():
        torch.testing.assert_close(value, lm.network.state_dict()[name], atol=2**-25, rtol=0)
    if family in ("llama", "untied"):  # without biases
        gains = sum(p.nbytes for p in lm.network.parameters() if p.ndim == 1)
        assert model_bytes(fast) == gains + (model_bytes(lm) - gains) // 2
    again = prepare(fast, "bf16")
    assert relative(again.logits(ids), lm.logits(ids)) < CLOSE["bf16"]
    assert relative(prepare(fast, "int8").logits(ids), prepare(lm, "int8").logits(ids)) < 1e-5
    small = quantize_model(fast, "int4", "group", 32)
    torch.testing.assert_close(small.logits(ids), quantize_model(lm, "int4", "group", 32).logits(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_what_plain_layers_with_its_weights_do(family, mode):
    lm = random_model(FAMILIES[family])
    fast = prepare(lm, mode)
    same_weights = Decoder(lm.config)
    same_weights.load_state_dict(fast.network.state_dict())
    by_hand = LanguageModel("by hand", same_weights, None)
    for rows in (1, 3, 30):
        ids = random_ids(lm, rows, seed=rows)[0]
        four_bits = mode == "mixed" and rows <= MixedLinear.most_rows
        assert relative(fast.logits(ids), (by_hand if four_bits or mode == "int8" else lm).logits(ids)) < CLOSE[mode]
    assert lm.network.state_dict().keys() == fast.network.state_dict().keys()
    assert mode_of(fast) == mode and mode_of(lm) is None
    expected = lm.network.state_dict()
    if mode == "fp32":
        assert all(torch.equal(value, expected[name]) for name, value in fast.network.state_dict().items())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_operators_the_numbers_are_the_same(family, mode, without_operators):
    lm = random_model(FAMILIES[family])
    fallback = prepare(lm, mode)
    assert not any(isinstance(module, (OneDNNLinear, HalfLinear, MixedLinear)) for module in fallback.network.modules())
    ids = random_ids(lm, 12)[0]
    assert relative(fallback.logits(ids), lm.logits(ids)) < CLOSE[mode]
    assert [s.token for s in generate(fallback, ids, 4, temperature=0, stop=-1)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_while_being_read_equals_packed_afterwards(family, mode):
    lm = random_model(FAMILIES[family])
    stored = lm.network.state_dict()
    with torch.device("meta"):
        empty = Decoder(lm.config)
    asked = []
    packed.pack(empty, mode, lambda name: asked.append(name) or stored[name].clone())
    ids = random_ids(lm, 9)
    with torch.inference_mode():
        assert torch.equal(empty(ids), prepare(lm, mode).forward(ids))
    assert sorted(asked) == sorted(name for name, _ in lm.network.named_parameters())  # each once, a tied matrix too


def test_greedy_text_is_identical_and_so_is_beam_search(tiny, mini):
    from core.checkpoints.folder import load_folder
    from core.checkpoints.registry import MODELS

    plain = load_folder(MODELS / "mini")
    assert mode_of(mini) == "fp32" and mode_of(plain) is None
    for lm, fast in ((plain, mini), (tiny, prepare(tiny))):
        ids = random_ids(lm, 12, seed=2)
        ours, theirs = ([s.token for s in generate(m, ids, 64, temperature=0, stop=-1)] for m in (fast, lm))
        assert ours == theirs
        assert [h.ids for h in beam_search(fast, ids, 4, 12).hypotheses] == [h.ids for h in beam_search(lm, ids, 4, 12).hypotheses]


@torch.inference_mode()
def test_the_bundled_model_is_fast_by_default_and_still_transformers(mini):
    reference = as_transformers(mini)
    ids = random_ids(mini, 8)
    out = reference.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False, eos_token_id=None)
    assert [s.token for s in generate(mini, ids, 64, temperature=0, stop=-1)] == out[0, 8:].tolist()


@pytest.mark.parametrize("mode", MODES)
def test_a_trace_and_its_parts_hold_in_every_mode(tiny, mode):
    lm = prepare(tiny, mode)
    ids = random_ids(lm, 20)[0]
    acts, plain = trace(lm, ids), trace(tiny, ids)
    assert acts.keys() == plain.keys()
    assert all(value.dtype == torch.float32 for value in acts.values())
    for layer in range(2):
        pattern = acts[f"blocks.{layer}.attn.hook_pattern"]
        torch.testing.assert_close(pattern.sum(-1), torch.ones(4, 20), atol=0.02, rtol=0)
    torch.testing.assert_close(acts["logits"], lm.logits(ids), atol=1e-5 if mode == "fp32" else 0.3, rtol=0.05)


@pytest.mark.parametrize("cache", ["none", "full", "window", "sinks", "heavy_hitters", "int8", "int4", "paged"])
def test_every_cache_works_in_half_precision(tiny, cache):
    lm = prepare(tiny, "bf16")
    assert len(list(generate(lm, random_ids(lm, 80), 4, cache=cache, stop=-1))) == 4


# --- from one to another ---


def test_quantizing_a_packed_model_is_quantizing_the_plain_one(tiny):
    ids = random_ids(tiny, 10)
    fast = quantize_model(prepare(tiny), "int4", "group", 32)
    torch.testing.assert_close(fast.logits(ids), quantize_model(tiny, "int4", "group", 32).logits(ids), atol=1e-4, rtol=1e-4)
    assert mode_of(fast) is None
    with pytest.raises(ValueError, match="few bits"):
        prepare(fast)


def test_only_the_original_can_be_made_faster(tiny):
    with pytest.raises(ValueError, match="no mode"):
        prepare(tiny, "int3")
    with pytest.raises(ValueError, match="int8 already"):
        prepare(prepare(tiny, "int8"), "bf16")
    fast = prepare(tiny)
    assert prepare(fast).network.mode == "fp32" and mode_of(prepare(fast, "bf16")) == "bf16"
    assert prepare(tiny).name == "tiny" and prepare(tiny, "mixed").name == "tiny-mixed"  # results are kept by name


def test_bytes_are_those_that_are_held():
    lm = random_model(LLAMA)
    plain = model_bytes(lm)
    assert model_bytes(prepare(lm)) == plain
    gains = 64 * 5 * 4
    assert model_bytes(prepare(lm, "bf16")) == (plain - gains) // 2 + gains
    weights = (plain - gains) // 4
    rows = 257 + 2 * (64 + 32 + 32 + 64 + 96 + 96 + 64)
    assert model_bytes(prepare(lm, "int8")) == weights + 2 * rows + gains


def test_probes_notice_a_wrong_operator(monkeypatch):
    monkeypatch.setattr(OneDNNLinear, "forward", lambda self, x: F.linear(x, self.weight.to(x.dtype)) * 1.1)
    assert not supported.__wrapped__("fp32") and not supported.__wrapped__("bf16")
    monkeypatch.setattr(HalfLinear, "forward", lambda self, x: F.linear(x, self.weight) * 1.1)
    assert not supported.__wrapped__("fp16")
    monkeypatch.setattr(OneDNNLinear, "__init__", lambda self, weight: (_ for _ in ()).throw(AttributeError("no such operator")))
    assert not supported.__wrapped__("fp32")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_read_off_between_the_layers_holds_in_every_mode(tiny, mode):
    """The logit lens after the last layer gives the model's own logits, and masks that hide nothing change nothing."""
    lm = prepare(tiny, mode)
    ids = random_ids(lm, 20)[0]
    own, last = lm.logits(ids), trace(lm, ids)["blocks.1.hook_resid_post"]
    close = {"atol": 1e-5, "rtol": 1e-4} if mode == "fp32" else {"atol": 0.1, "rtol": 0.02}
    torch.testing.assert_close(logit_lens(lm, last), own, **close)
    torch.testing.assert_close(lm.unembed(read_full(lm, ids)), own, **close)
    directions = find_directions(lm, ids, 4)
    for kind in INDEXES[1:]:
        rule = rule_of("top_k", 20, make_index(kind, directions))
        torch.testing.assert_close(sparse_logits(lm, ids, rule), own, **close)
