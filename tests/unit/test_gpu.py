"""Why GPUs: the measuring code on a clock of our own, reading and writing by hand, the pictures' data."""

import subprocess
import sys

import numpy as np
import pytest

from core import costs
from core.charts.gpu import measured_data, roofline_data, ticks_data
from core.measure.matrix_products import REPEATS, rates, torch_product

MODELS, GPUS = costs.models(), costs.gpus()


class Clock:
    """Moves on only when something is multiplied."""

    def __init__(self, seconds):
        self.now, self.seconds, self.products = 0.0, seconds, 0

    def __call__(self):
        return self.now

    def multiply(self, size):
        def product():
            self.now += self.seconds(size, self.products)
            self.products += 1

        return product


def test_a_rate_is_flops_over_seconds():
    clock = Clock(lambda size, _: 2 * size**3 / 5e9)  # 5 GFLOP/s whatever the size
    found = list(rates(1, clock.multiply, (32, 64), 0.01, clock))
    assert [(r.size, r.saturating) for r in found] == [(32, False), (64, False), (64, True)]
    assert [r.gflops for r in found] == pytest.approx([5] * 3)


def test_the_fastest_repetition_counts():
    clock = Clock(lambda size, i: 0.001 if i % 7 == 3 else 0.1)
    assert next(rates(1, clock.multiply, (10,), 2, clock)).gflops == pytest.approx(2e3 / 0.001 / 1e9)


def test_no_rate_lies_above_the_limit_whatever_the_clock_does():
    """Also where the long run over the largest size is slower than a small product that stays in the cache."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        clock = Clock(lambda size, _: float(rng.uniform(1e-6, 1e-2)))
        found = [rate for n in (1, 2) for rate in rates(n, clock.multiply, (8, 16, 32), 0.02, clock)]
        data = measured_data(found, {1: "1", 2: "2"})
        assert len(data) == 6 and (data["gflops"] <= data["limit"]).all() and (data["gflops"] > 0).all()
        assert data.groupby("threads")["limit"].nunique().eq(1).all()


def test_a_clock_that_stands_still_ends_the_run():
    clock = Clock(lambda size, _: 0.0)
    assert [r.gflops for r in rates(1, clock.multiply, (8,), 1, clock)] == [0, 0]
    assert clock.products == 2 * (REPEATS + 1)


def test_the_product_is_a_product():
    import torch

    product = torch_product(16)
    generator = torch.Generator().manual_seed(16)
    a, b = torch.randn(16, 16, generator=generator), torch.randn(16, 16, generator=generator)
    np.testing.assert_allclose(product().numpy(), a.numpy() @ b.numpy(), rtol=1e-4, atol=1e-5)


def test_the_tables_know_no_torch():
    code = "import sys, core.costs; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_reading_and_writing_by_hand():
    """Llama-3-8B: 8,030,261,248 weights, 525,336,576 of them a table that is looked up; 131,072 bytes of cache a token."""
    spec, used = MODELS["Llama-3-8B"], 8_030_261_248 - 525_336_576
    write, read = costs.decode_work(spec, 1000), costs.prefill_work(spec, 1000)
    assert write.bytes == read.bytes == 2 * used + 131_072_000
    assert write.flops == 2 * 8_030_261_248 + 4 * 32 * 32 * 128 * 1000
    assert read.flops == 2 * 8_030_261_248 * 1000 + 4 * 32 * 32 * 128 * 1000 * 1001 / 2
    h100 = GPUS["H100 SXM"]
    slow, fast = (costs.roofline(w.flops, w.bytes, h100) for w in (write, read))
    assert slow.bound == "memory" and slow.seconds == pytest.approx(15_140_921_344 / 3.35e12)
    assert fast.bound == "compute" and fast.seconds == pytest.approx(read.flops / 989e12)
    many = costs.decode_work(spec, 1000, 10)
    assert many.bytes == 2 * used + 10 * 131_072_000 and many.flops == 10 * write.flops and many.tokens == 10


def test_an_indexer_reads_fewer_vectors():
    """DeepSeek-V3.2 at 10,000 tokens: 2,048 latent vectors of 576 numbers and 10,000 index keys of 132 bytes a layer."""
    less = costs.decode_work(MODELS["DeepSeek-V3.2"], 10_000).bytes - costs.decode_work(MODELS["DeepSeek-V3.2"], 0).bytes
    assert less == 61 * (2048 * 576 * 2 + 10_000 * 132)


@pytest.mark.parametrize("name", GPUS)
def test_the_points_lie_on_or_below_the_roof(name):
    gpu = GPUS[name]
    for model in ("Llama-3-8B", "DeepSeek-V3", "Gemma-3-27B"):
        works = {"prefill": costs.prefill_work(MODELS[model], 2000, 4), "decode": costs.decode_work(MODELS[model], 2000, 4)}
        data = roofline_data(name, works)
        points = data[data["kind"] == "point"]
        roof = np.minimum(gpu.tflops(), points["intensity"] * gpu.bandwidth_tb)
        np.testing.assert_allclose(points["tflops"], roof)
        assert set(data.loc[data["kind"] == "roof", "name"]) == {name}


def test_side_by_side_helps_reading_not_writing():
    assert [costs.tokens_done(3, 24, n, waits) for n, waits in ((1, False), (8, False), (8, True))] == [3, 24, 3]
    data = ticks_data(2, 24, 8, {"one": "a", "side_by_side": "b", "chain": "c"})
    counts = data.groupby(["lane", "role"]).size()
    assert counts["b", "computed"] == counts["b", "reused"] == counts["b", "dropped"] == 8
    assert (counts["c", "computed"], counts["c", "reused"], counts["c", "dropped"]) == (1, 1, 22)
