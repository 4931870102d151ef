"""Bytes by arithmetic, histograms of levels, and what a comparison of two models measures."""

import math

import numpy as np
import pytest
import torch

from core.costs import models, parameters
from core.measure import kl
from core.measure.weight_drift import agreement, changed_tokens, score, shared_start
from core.models import Decoder, DecoderConfig, LanguageModel
from core.quantization import FORMATS, GRANULARITIES, matrix, quantize, quantize_model
from core.quantization.histogram import level_histogram
from core.quantization.model import matrices
from core.quantization.sizes import count, matrix_shapes, stored_size


def bell(rows=64, columns=256, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.05


# ---- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("shape", [(3, 64), (5, 33), (1, 7)])
def test_arithmetic_is_what_is_really_held(format, granularity, shape):
    held = quantize(torch.randn(shape), format, granularity, 32)
    size = stored_size([shape, shape], format, granularity, 32)
    assert size.total == 2 * held.bytes and size.scales == 2 * held.scale_bytes


@pytest.mark.parametrize("tied", [True, False])
def test_shapes_are_those_of_the_network(tied):
    config = DecoderConfig(n_layers=2, d_model=16, n_heads=4, n_kv_heads=2, d_ff=24, vocab_size=50, head_dim=4, tied_embeddings=tied)
    lm = LanguageModel("small", Decoder(config), None)
    network = [tuple(module.weight.shape) for module in matrices(lm).values()]
    assert sorted(matrix_shapes(config)) == sorted(network)


def test_seventy_billion_weights():
    shapes = matrix_shapes(models()["Llama-3-70B"])
    assert count(shapes) == 80 * (2 * 8192**2 + 2 * 1024 * 8192 + 3 * 28672 * 8192) + 2 * 128256 * 8192
    gains = (2 * 80 + 1) * 8192
    assert count(shapes) + gains == parameters(models()["Llama-3-70B"])
    gigabytes = {name: stored_size(shapes, name, "tensor").total / 1e9 for name in FORMATS}
    rule_of_thumb = {"fp32": 280, "fp16": 140, "bf16": 140, "fp8_e4m3": 70, "fp8_e5m2": 70, "int8": 70, "int4": 35, "nf4": 35}
    assert gigabytes == pytest.approx(rule_of_thumb, rel=0.01)


@pytest.mark.parametrize(("format", "group_size", "bits"), [("int4", 32, 4.5), ("int8", 32, 8.5), ("nf4", 64, 4.25), ("int4", 128, 4.125)])
def test_bits_a_weight_of_groups(format, group_size, bits):
    shapes = matrix_shapes(models()["Llama-3-70B"])
    assert 8 * stored_size(shapes, format, "group", group_size).total / count(shapes) == bits


# ---- histogram --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_histogram_counts_every_weight_once(format, granularity):
    weight = bell()
    h = level_histogram(weight, quantize(weight, format, granularity, 32))
    width = h.centers[1] - h.centers[0]
    assert h.density.sum() * width == pytest.approx(1.0, abs=2e-3)
    if FORMATS[format].scaled:
        assert h.share.sum() == pytest.approx(1.0, abs=1e-5)
        assert h.levels[0] == -1.0 and h.levels[-1] == 1.0 and (np.diff(h.levels) > 0).all()
    else:
        assert len(h.levels) == 0


def test_levels_and_shares_by_hand():
    weight = torch.tensor([[7.0, 3.2, 2.9, 0.4, -0.4, -7.0, 0.0, 1.0]])
    h = level_histogram(weight, quantize(weight, "int4", "tensor"))
    assert h.levels.tolist() == pytest.approx([i / 7 for i in range(-7, 8)])
    found = {round(level * 7): share * 8 for level, share in zip(h.levels, h.share) if share}
    assert found == pytest.approx({-7: 1, 0: 3, 1: 1, 3: 2, 7: 1})
    assert h.used == 5 and h.zeros == pytest.approx(3 / 8)


def test_odd_rows_do_not_count_the_padding():
    weight = bell(5, 33)
    h = level_histogram(weight, quantize(weight, "int4", "group", 32))
    zeros = (quantize(weight, "int4", "group", 32).dequantize() == 0).float().mean()
    assert h.zeros == pytest.approx(float(zeros))


def test_finer_scales_use_the_axis_better():
    weight = bell()
    weight[3, 5] = 2.0  # one outlier, forty times the rest

    def spread(granularity):
        h = level_histogram(weight, quantize(weight, "int4", granularity, 32))
        return math.sqrt((h.density * h.centers**2).sum() / h.density.sum())

    assert spread("group") > spread("channel") > 5 * spread("tensor")
    assert level_histogram(weight, quantize(weight, "int4", "tensor")).zeros > 0.9


def test_a_tooth_is_as_high_as_the_curve():
    weight = bell(512, 512)
    for format in ("int8", "int4", "nf4", "fp8_e4m3", "fp8_e5m2"):
        h = level_histogram(weight, quantize(weight, format, "channel"))
        inside = np.abs(h.levels) < 0.4
        curve = np.interp(h.levels, h.centers, h.density)
        assert np.abs(h.level_density - curve)[inside].max() < 0.06 * h.density.max()


# ---- what changes in the predictions ----------------------------------------------------------------------


def test_score_is_the_mean_surprise(tiny):
    ids = list(b"Anna's dog is called Bello. " * 6)[:150]  # longer than one chunk
    scores = score(tiny, ids)
    logits = tiny.logits(ids)
    nll = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
    torch.testing.assert_close(scores.nll, nll, rtol=1e-4, atol=1e-4)
    assert torch.equal(scores.top, logits.argmax(-1))
    assert scores.perplexity == pytest.approx(math.exp(float(nll.mean())), rel=1e-4)
    with pytest.raises(ValueError, match="needs at least 2 tokens, got 1"):
        score(tiny, ids[:1])


def test_fewer_bits_stray_further(tiny):
    ids = list(b"The capital of France is")
    before, logits = score(tiny, ids), tiny.logits(ids)[-1]

    def drift(format):
        small = quantize_model(tiny, format, "group", 32)
        return float(kl(logits, small.logits(ids)[-1])), agreement(before, score(small, ids))

    assert drift("fp32") == (0.0, 1.0)
    strayed = [drift(format)[0] for format in ("fp16", "int8", "int4")]
    assert 0 <= strayed[0] < strayed[1] < strayed[2]
    assert drift("int8")[1] >= drift("int4")[1]


def test_shared_start():
    assert shared_start([1, 2, 3], [1, 2, 4]) == 2
    assert shared_start([1, 2], [1, 2, 3]) == 2
    assert shared_start([5], [6]) == 0


def test_changed_tokens():
    assert changed_tokens([1, 2, 3, 4], [1, 9, 3, 4, 5]) == ([False, True, False, False], [False, True, False, False, True])
    assert changed_tokens([1, 2], [1, 2]) == ([False, False], [False, False])
    assert changed_tokens([], [3]) == ([], [True])


def test_matrix_by_its_short_name(tiny):
    for part, module in (("q", "attn.q"), ("o", "attn.o"), ("gate", "mlp.gate"), ("down", "mlp.down")):
        assert matrix(tiny, 1, part) is tiny.network.get_submodule(f"blocks.1.{module}")


def test_the_table_of_seventy_billion_weights():
    """The rule of thumb (280, 140, 70, 35 GB), and what files with scales need: 8.5, 4.5 and 4.127 bits a weight."""
    from core.charts.quantization import REAL_FORMATS, seventy_data

    table = seventy_data({name: name for name in REAL_FORMATS}).set_index("format")
    assert table["nominal"].to_dict() == pytest.approx(
        {"fp32": 280, "fp16": 140, "fp8_e4m3": 70, "int8": 70, "q8_0": 74.375, "int4": 35, "nf4": 39.375, "q4_0": 39.375, "nf4_double": 36.11},
        abs=0.006,
    )
    assert table["llama"]["fp16"] == pytest.approx(141.1, abs=0.05)
