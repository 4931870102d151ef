"""A whole network in few bits: sharing, bytes, and the same numbers packed or unpacked."""

import pytest
import torch

from core.kv_cache import make_cache
from core.models import Decoder, DecoderConfig, LanguageModel
from core.quantization import (
    FORMATS,
    QuantizedEmbedding,
    QuantizedLinear,
    model_bytes,
    prepare,
    quantize,
    quantize_model,
    report,
    rounded_model,
    unpacked_model,
)
from core.quantization.kernels import HalfLinear

CONFIG = DecoderConfig(n_layers=2, d_model=48, n_heads=4, n_kv_heads=2, d_ff=80, vocab_size=101, context_length=64, head_dim=12)
# embedding, then q, k, v, o and gate, up, down of two layers
WEIGHTS = 101 * 48 + 2 * (48 * 48 + 24 * 48 + 24 * 48 + 48 * 48 + 3 * 80 * 48)
GAINS = 48 * (2 * 2 + 1)
IDS = [3, 1, 4, 1, 5, 92, 65, 35]


@pytest.fixture
def lm():
    torch.manual_seed(0)
    network = Decoder(CONFIG)
    for weight in network.parameters():
        if weight.ndim == 2:  # bell-shaped, as trained weights are
            torch.nn.init.normal_(weight, std=0.2)
    return LanguageModel("small", network, tokenizer=None)


@pytest.mark.parametrize("format", FORMATS)
def test_logits_are_those_of_a_model_with_rounded_weights(lm, format):
    by_hand = Decoder(CONFIG)
    by_hand.load_state_dict(lm.network.state_dict())
    for name, weight in by_hand.named_parameters():
        if weight.ndim == 2 and name != "unembed.weight":
            weight.data = quantize(weight, format, "group", 32).dequantize()
    by_hand.unembed.weight = by_hand.embed.weight
    expected = LanguageModel("by hand", by_hand, None).logits(IDS)
    torch.testing.assert_close(quantize_model(lm, format, "group", 32).logits(IDS), expected, rtol=0, atol=1e-5)


def test_the_original_is_never_touched_and_the_rest_is_shared(lm):
    before = {name: value.clone() for name, value in lm.network.state_dict().items()}
    logits, modules = lm.logits(IDS), dict(lm.network.named_modules())
    small = quantize_model(lm, "int4", "channel")
    assert not torch.equal(small.logits(IDS), logits)
    assert torch.equal(lm.logits(IDS), logits)
    assert all(torch.equal(value, before[name]) for name, value in lm.network.state_dict().items())
    assert dict(lm.network.named_modules()) == modules
    assert small.network.blocks[1].ln2.weight is lm.network.blocks[1].ln2.weight
    assert small.network.ln_final.weight is lm.network.ln_final.weight
    assert small.tokenizer is lm.tokenizer and small.config == lm.config


def test_the_name_says_what_was_done(lm):
    assert quantize_model(lm, "int4", "group", 32).name == "small-int4-group32"
    assert quantize_model(lm, "nf4", "tensor").name == "small-nf4-tensor"
    assert quantize_model(lm, "bf16", "group", 32).name == "small-bf16"  # no scales, no granularity


def test_tied_embeddings_are_stored_once(lm):
    network = quantize_model(lm, "int8").network
    assert isinstance(network.embed, QuantizedEmbedding) and isinstance(network.unembed, QuantizedLinear)
    assert network.embed.quantized is network.unembed.quantized
    skipped = quantize_model(lm, "int8", skip=("embed",)).network
    assert skipped.embed.weight is lm.network.embed.weight is skipped.unembed.weight
    assert isinstance(skipped.blocks[0].attn.q, QuantizedLinear)


def test_untied_embeddings_are_two_matrices():
    torch.manual_seed(0)
    config = DecoderConfig(n_layers=1, d_model=24, n_heads=2, n_kv_heads=2, d_ff=32, vocab_size=50, head_dim=12, tied_embeddings=False)
    lm = LanguageModel("untied", Decoder(config), None)
    small = quantize_model(lm, "int8", skip=("unembed",))
    assert isinstance(small.network.embed, QuantizedEmbedding)
    assert small.network.unembed.weight is lm.network.unembed.weight
    assert [row.name for row in report(lm, small)][0::8] == ["embed", "unembed"]


@pytest.mark.parametrize(
    ("format", "granularity", "expected"),
    [
        ("fp32", "tensor", 4 * WEIGHTS),
        ("fp16", "channel", 2 * WEIGHTS),
        ("int8", "tensor", WEIGHTS + 4 * 15),  # 15 matrices, one fp32 scale each
        ("int4", "channel", WEIGHTS // 2 + 4 * (101 + 2 * (48 + 24 + 24 + 48 + 80 + 80 + 48))),
        # rows of 48 and 80 have 2 and 3 groups of 32, an fp16 scale each
        ("nf4", "group", WEIGHTS // 2 + 2 * (2 * 101 + 2 * (2 * (48 + 24 + 24 + 48 + 80 + 80) + 3 * 48))),
    ],
)
def test_bytes_by_hand(lm, format, granularity, expected):
    small = quantize_model(lm, format, granularity, 32)
    assert model_bytes(small) == expected + 4 * GAINS
    assert sum(row.bytes_after for row in report(lm, small)) == expected


def test_the_report_names_every_matrix_once(lm):
    rows = report(lm, quantize_model(lm, "int4", "group", 32, skip=("*.down",)))
    assert len(rows) == 15 and rows[0].name == "embed" and rows[0].layer is None
    assert [row.part for row in rows[1:8]] == ["q", "k", "v", "o", "gate", "up", "down"]
    assert {row.layer for row in rows[1:]} == {0, 1}
    for row in rows:
        assert row.bytes_before == 4 * row.shape[0] * row.shape[1]
        if row.part == "down":
            assert row.relative_error == 0.0 and row.bytes_after == row.bytes_before
        else:
            weight = lm.network.get_submodule(row.name).weight
            x_hat = quantize(weight, "int4", "group", 32).dequantize()
            assert row.relative_error == pytest.approx(float((x_hat - weight).norm() / weight.norm()))


@pytest.mark.parametrize("format", FORMATS)
def test_unpacking_once_changes_no_number(lm, format):
    packed = quantize_model(lm, format, "group", 32, skip=("blocks.0.attn.q",))
    plain = unpacked_model(packed)
    assert torch.equal(plain.logits(IDS), packed.logits(IDS))
    assert not any(isinstance(m, (QuantizedLinear, QuantizedEmbedding)) for m in plain.network.modules())
    assert plain.network.embed.weight is plain.network.unembed.weight
    assert plain.network.blocks[0].attn.q.weight is lm.network.blocks[0].attn.q.weight


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_rounding_matrix_by_matrix_gives_the_same_model_and_report(lm, format, prepared):
    lm = prepare(lm) if prepared else lm
    packed = quantize_model(lm, format, "group", 32)
    rounded, rows = rounded_model(lm, format, "group", 32)
    close = {"rtol": 0, "atol": 0} if FORMATS[format].scaled or format == "fp32" else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(rounded.logits(IDS), unpacked_model(packed).logits(IDS), **close)
    assert rounded.name == packed.name and rows == report(lm, packed)
    assert rounded.network.ln_final.weight is lm.network.ln_final.weight


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("format", FORMATS)
def test_scaling_what_comes_out_is_scaling_the_weights(lm, format, granularity):
    packed = quantize_model(lm, format, granularity)
    rounded, rows = rounded_model(lm, format, granularity)
    assert rounded.name == packed.name and rows == report(lm, packed)
    torch.testing.assert_close(rounded.logits(IDS), unpacked_model(packed).logits(IDS), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(rounded.logits(IDS[:1]), packed.logits(IDS[:1]), rtol=1e-5, atol=1e-5)
    halves = [module for module in rounded.network.modules() if isinstance(module, HalfLinear)]
    assert len(halves) == (0 if format in ("fp32", "nf4") else 15)  # neither random fp32 nor NF4's levels fit into 16 bits
    for name, module in rounded.network.named_modules():
        if isinstance(module, HalfLinear):
            torch.testing.assert_close(module.weight, packed.network.get_submodule(name).weight, rtol=1e-6, atol=2**-25)


def test_a_quantized_model_runs_with_a_cache(lm):
    small = quantize_model(lm, "int8", "group", 32)
    cache = make_cache("full", small.config)
    parts = [small.forward(torch.tensor([IDS[i : i + 3]]), cache=cache)[0] for i in range(0, len(IDS), 3)]
    torch.testing.assert_close(torch.cat(parts), small.logits(IDS), rtol=1e-4, atol=1e-4)


def test_eight_bits_lose_less_than_four(lm):
    def error(format):
        rows = report(lm, quantize_model(lm, format, "group", 32))
        return sum(row.relative_error for row in rows) / len(rows)

    assert error("fp32") == 0.0
    assert error("fp16") < error("bf16") < error("int8") < error("fp8_e4m3") < error("fp8_e5m2") < error("nf4") < error("int4")


def test_bad_requests_are_named(lm):
    with pytest.raises(ValueError, match=r"skip: no matrix is called 'blocks.9.\*'; there are embed, blocks.0.attn.q"):
        quantize_model(lm, "int8", skip=("blocks.9.*",))
    with pytest.raises(ValueError, match="unknown format 'int3'"):
        quantize_model(lm, "int3")
    with pytest.raises(ValueError, match="small-int8-channel is quantized already"):
        quantize_model(quantize_model(lm, "int8"), "int4")
