"""Number formats and quantizers against PyTorch's own casts, published tables and hand arithmetic."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantization import FORMATS, GRANULARITIES, quantize
from core.quantization.formats import NF4_LEVELS, decode_float, encode_float
from core.quantization.quantizers import pack_nibbles, unpack_nibbles

FLOAT8 = ["fp8_e4m3", "fp8_e5m2"]
SMALL = ["fp8_e4m3", "fp8_e5m2", "int8", "int4", "nf4"]
finite = st.floats(min_value=-1e6, max_value=1e6, width=32)


def random_matrix(rows=6, columns=96, seed=0, scale=0.02):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * scale


# ---- float8: our rounding is PyTorch's, bit for bit -------------------------------------------------------


@pytest.mark.parametrize("name", FLOAT8)
def test_every_float8_code_decodes_as_torch_reads_it(name):
    fmt = FORMATS[name]
    codes = torch.arange(256, dtype=torch.uint8)
    theirs = codes.view(fmt.torch_dtype).float()
    theirs[theirs.isinf()] = torch.nan  # E5M2 keeps codes for infinity; no weight uses them
    assert torch.equal(decode_float(codes, fmt).nan_to_num(nan=-1.0), theirs.nan_to_num(nan=-1.0))


@pytest.mark.parametrize("name", FLOAT8)
def test_float8_rounding_is_bit_exact(name):
    fmt = FORMATS[name]
    grid = torch.tensor(fmt.levels)
    between = torch.cat([grid[:-1] + (grid[1:] - grid[:-1]) * part for part in (0.25, 0.5, 0.75)])  # 0.5: the ties
    nudged = torch.cat([between.nextafter(torch.tensor(3e38)), between.nextafter(torch.tensor(-3e38))])
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    spread = noise * torch.exp2(torch.linspace(-24, 17, len(noise)))
    x = torch.cat([grid, between, nudged, spread, torch.tensor([0.0, -0.0, 1e-45, -1e-45, 1e30, -1e30])])
    theirs = x.clamp(-fmt.max, fmt.max).to(fmt.torch_dtype).view(torch.uint8)
    assert torch.equal(encode_float(x, fmt), theirs)


@pytest.mark.parametrize("name", FLOAT8)
@given(x=st.floats(allow_nan=False, allow_infinity=False, width=32))
@settings(max_examples=300, deadline=None)
def test_float8_rounding_is_bit_exact_for_any_float(name, x):
    fmt = FORMATS[name]
    value = torch.tensor([x])
    theirs = value.clamp(-fmt.max, fmt.max).to(fmt.torch_dtype).view(torch.uint8)
    assert int(encode_float(value, fmt)) == int(theirs)


@pytest.mark.parametrize(
    ("name", "count", "largest", "smallest_normal", "smallest"),
    [("fp8_e4m3", 253, 448.0, 2.0**-6, 2.0**-9), ("fp8_e5m2", 247, 57_344.0, 2.0**-14, 2.0**-16)],
)
def test_float8_levels_are_the_ocp_ones(name, count, largest, smallest_normal, smallest):
    levels = FORMATS[name].levels
    assert len(levels) == count and list(levels) == sorted(levels)
    assert levels[-1] == largest == -levels[0]
    positive = [x for x in levels if x > 0]
    assert positive[0] == smallest
    gaps = [b - a for a, b in zip(positive, positive[1:])]
    below = [gap for x, gap in zip(positive, gaps) if x < smallest_normal]
    assert set(below) == {smallest}  # the subnormals are evenly spaced


@pytest.mark.parametrize("name", ["fp32", "fp16", "bf16"])
def test_wide_floats_are_plain_casts(name):
    x = random_matrix()
    q = quantize(x, name)
    assert torch.equal(q.dequantize(), x.to(FORMATS[name].torch_dtype).float())
    assert q.scale is None and q.bytes == x.numel() * FORMATS[name].bits // 8


# ---- integers and NF4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 4])
def test_integers_equal_torch_per_channel(bits):
    x, top = random_matrix(), 2 ** (bits - 1) - 1
    q = quantize(x, f"int{bits}", "channel")
    scale = x.abs().amax(1) / top
    theirs = torch.fake_quantize_per_channel_affine(x, scale, torch.zeros(len(x), dtype=torch.int32), 0, -top - 1, top)
    torch.testing.assert_close(q.dequantize(), theirs, rtol=1e-6, atol=0)
    torch.testing.assert_close(q.scale[:, 0], scale)


def test_int8_equals_torch_per_tensor():
    x = random_matrix()
    q = quantize(x, "int8", "tensor")
    theirs = torch.fake_quantize_per_tensor_affine(x, float(x.abs().max() / 127), 0, -128, 127)
    torch.testing.assert_close(q.dequantize(), theirs, rtol=1e-6, atol=0)
    assert q.codes.dtype == torch.int8 and int(q.codes.abs().max()) == 127


def test_int4_by_hand():
    q = quantize(torch.tensor([[7.0, -3.4, 0.6, -7.0, 2.5]]), "int4", "tensor")
    assert float(q.scale) == 1.0
    assert unpack_nibbles(q.codes, 5).tolist() == [[15, 5, 9, 1, 10]]  # 7, -3, 1, -7, 2 (half to even), each + 8
    assert q.dequantize().tolist() == [[7.0, -3.0, 1.0, -7.0, 2.0]]
    assert q.codes.tolist() == [[0x5F, 0x19, 0x0A]]


def test_asymmetric_int4_by_hand():
    q = quantize(torch.tensor([[0.0, 15.0, 30.0]]), "int4", "tensor", symmetric=False)
    assert float(q.scale) == 2.0 and int(q.zero) == 0  # (30 - 0) / 15
    assert q.dequantize().tolist() == [[0.0, 16.0, 30.0]]  # 7.5 rounds to the even 8


@pytest.mark.parametrize("format", ["int8", "int4"])
def test_asymmetric_is_better_on_one_sided_numbers(format):
    x = random_matrix().abs()
    assert quantize(x, format, symmetric=False).error(x).relative < 0.6 * quantize(x, format).error(x).relative


def test_nf4_levels_are_the_published_ones():
    published = [-1, -0.69619, -0.52507, -0.39492, -0.28444, -0.18477, -0.09105, 0,
                 0.07958, 0.16093, 0.24611, 0.33792, 0.44071, 0.56262, 0.72296, 1]  # fmt: skip
    assert FORMATS["nf4"].levels == NF4_LEVELS
    assert NF4_LEVELS == pytest.approx(published, abs=6e-6)


def test_nf4_levels_hold_equal_shares_of_a_normal_distribution():
    """NF4's own idea: level i is a normal quantile, 8 on the left and 9 on the right sharing the zero."""
    quantile = torch.distributions.Normal(0.0, 1.0).icdf
    offset = 0.9677083
    right, left = quantile(torch.linspace(offset, 0.5, 9))[:-1], -quantile(torch.linspace(offset, 0.5, 8))[:-1]
    levels = torch.cat([left, torch.zeros(1), right]).sort().values
    torch.testing.assert_close(torch.tensor(NF4_LEVELS), levels / levels.max(), atol=2e-6, rtol=0)


def test_nf4_takes_the_nearest_level():
    x = random_matrix(4, 64)
    q = quantize(x, "nf4", "channel")
    levels = torch.tensor(NF4_LEVELS) * q.scale[:, :, None]
    nearest = (x[:, :, None] - levels).abs().argmin(-1)
    assert torch.equal(unpack_nibbles(q.codes, 64).long(), nearest)


# ---- bounds and round trips -------------------------------------------------------------------------------


@given(
    values=st.lists(finite, min_size=1, max_size=70),
    format=st.sampled_from(["int8", "int4"]),
    granularity=st.sampled_from(GRANULARITIES),
    group_size=st.sampled_from([1, 3, 32, 64]),
    symmetric=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_integers_are_never_further_off_than_half_a_step(values, format, granularity, group_size, symmetric):
    x = torch.tensor(values)
    if granularity == "group":
        x = x.clamp(-65_504, 65_504)  # scales are fp16 there
    q = quantize(x, format, granularity, group_size, symmetric)
    step = q.scale.float()
    if granularity == "group":
        step = step.repeat_interleave(group_size, dim=1)[:, : len(x)]
    slack = x.abs().max() * 1e-5 + 1e-37  # float32 arithmetic
    assert ((q.dequantize() - x).abs() <= step[0] / 2 + slack).all()


@given(values=st.lists(finite, min_size=1, max_size=50), format=st.sampled_from(SMALL), granularity=st.sampled_from(GRANULARITIES))
@settings(max_examples=300, deadline=None)
def test_what_was_quantized_once_stays(values, format, granularity):
    x = torch.tensor(values).clamp(-65_000, 65_000)
    once = quantize(x, format, granularity, 32).dequantize()
    twice = quantize(once, format, granularity, 32).dequantize()
    torch.testing.assert_close(twice, once, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("shape", [(1,), (7,), (5, 33), (3, 64), (2, 3, 37), (1, 1), (4, 1)])
def test_any_shape_comes_back(format, granularity, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    q = quantize(x, format, granularity, 32)
    back = q.dequantize()
    assert back.shape == x.shape and back.dtype == torch.float32
    assert q.error(x).relative < (0.35 if FORMATS[format].bits == 4 else 0.1)
    if q.scale is not None:
        assert all(back.flatten()[i].abs() <= q.scale.max() * FORMATS[format].max * 1.001 for i in range(back.numel()))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_zeros_stay_zero(format, granularity):
    x = torch.zeros(3, 40)
    x[1, 5] = 0.5  # a neighbour that is not zero
    q = quantize(x, format, granularity, 32)
    assert torch.equal(q.dequantize()[0], torch.zeros(40)) and torch.equal(q.dequantize()[2], torch.zeros(40))
    assert q.dequantize()[1, 5] == pytest.approx(0.5, rel=6e-3)  # fp16 scales are coarse below 6e-5
    assert quantize(torch.zeros(8), format, granularity, 4).error(torch.zeros(8)).relative == 0.0


@pytest.mark.parametrize("format", SMALL)
def test_tiny_and_huge_numbers_do_not_vanish(format):
    for size in (1e-30, 1e30):
        x = random_matrix(scale=size)
        lost = (quantize(x, format).dequantize() - x).abs().amax()
        assert 0 < lost <= x.abs().amax() * 0.2


def test_finer_scales_never_hurt_when_one_weight_is_large():
    x = random_matrix(64, 256)
    x[3, 17] = 1.0  # one outlier, fifty times the rest
    error = {g: quantize(x, "int4", g, 32).error(x).relative for g in GRANULARITIES}
    assert error["group"] < error["channel"] < error["tensor"]
    assert error["tensor"] > 0.2  # nearly everything rounds to zero


def test_levels_are_the_values_that_can_come_back():
    x = random_matrix()
    for format in SMALL:
        for symmetric in (True, False) if format.startswith("int") else (True,):
            q = quantize(x, format, "group", 32, symmetric)
            here = q.levels(row=2, group=1)
            back = q.dequantize()[2, 32:64]
            assert ((back[:, None] - here).abs().amin(1) < 1e-7).all()
            assert (here.diff() > 0).all()
    assert len(quantize(x, "int4").levels()) == 15 and len(quantize(x, "nf4").levels()) == 16
    assert quantize(x, "bf16").levels() is None


# ---- bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "granularity", "group_size", "total"),
    [  # a 4 x 96 matrix: 384 weights
        ("fp32", "channel", 64, 384 * 4),
        ("bf16", "group", 32, 384 * 2),
        ("int8", "tensor", 64, 384 + 4),
        ("int8", "channel", 64, 384 + 4 * 4),
        ("fp8_e4m3", "channel", 64, 384 + 4 * 4),
        ("int8", "group", 32, 384 + 4 * 3 * 2),  # 8.5 bits a weight, GGUF's Q8_0
        ("int4", "group", 32, 192 + 4 * 3 * 2),  # 4.5 bits a weight, GGUF's Q4_0
        ("nf4", "group", 64, 192 + 4 * 2 * 2),  # the second group of a row is half empty, its scale is not
        ("int4", "tensor", 64, 192 + 4),
    ],
)
def test_bytes_by_hand(format, granularity, group_size, total):
    q = quantize(random_matrix(4, 96), format, granularity, group_size)
    assert q.bytes == total
    assert q.bits_per_weight == pytest.approx(8 * total / 384)


def test_bytes_of_odd_rows_and_zero_points():
    assert quantize(torch.ones(3, 5), "int4", "tensor").bytes == 3 * 3 + 4  # half a byte a row is lost
    assert quantize(torch.ones(3, 5), "int8", "channel", symmetric=False).bytes == 15 + 3 * 4 + 3 * 1


@given(st.lists(st.integers(0, 15), min_size=1, max_size=40))
def test_nibbles_round_trip(codes):
    x = torch.tensor([codes], dtype=torch.uint8)
    packed = pack_nibbles(x)
    assert packed.shape == (1, math.ceil(len(codes) / 2))
    assert torch.equal(unpack_nibbles(packed, len(codes)), x)


def test_select_takes_rows_without_unpacking_the_rest():
    x = random_matrix(10, 33)
    rows = torch.tensor([[3, 0], [9, 3]])
    for format in FORMATS:
        for granularity in GRANULARITIES:
            q = quantize(x, format, granularity, 32)
            assert torch.equal(q.select(rows).dequantize(), q.dequantize()[rows])
    assert q.select(rows).codes.numel() < q.codes.numel()


def test_error_statistics():
    x = torch.tensor([[3.0, 4.0, 0.1]])
    stats = quantize(x, "int4", "tensor").error(x)  # step 4/7: 3 -> 5 steps = 2.857, 4 exact, 0.1 -> 0
    lost = math.hypot(3 - 20 / 7, 0.1)
    assert stats.relative == pytest.approx(lost / math.hypot(3, 4, 0.1), rel=1e-5)
    assert stats.max_abs == pytest.approx(3 - 20 / 7, rel=1e-4)
    assert stats.mean_abs == pytest.approx((3 - 20 / 7 + 0.1) / 3, rel=1e-4)
    assert stats.sqnr_db == pytest.approx(-20 * math.log10(stats.relative))
    with pytest.raises(ValueError, match=r"original must have shape \(1, 3\), got \(3,\)"):
        quantize(x, "int4").error(x[0])


# ---- bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_infinite_and_nan_are_refused(format, bad):
    x = torch.ones(2, 8)
    x[1, 3] = bad
    with pytest.raises(ValueError, match="tensor must be finite"):
        quantize(x, format)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "fp7"}, "unknown format 'fp7'; there are fp32, fp16, bf16"),
        ({"format": "int8", "granularity": "row"}, "unknown granularity 'row'; there are tensor, channel, group"),
        ({"format": "int8", "granularity": "group", "group_size": 0}, "group_size must be >= 1, got 0"),
        ({"format": "nf4", "symmetric": False}, "only int8 and int4 can be asymmetric, not nf4"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        quantize(torch.ones(2, 8), **arguments)


def test_bad_tensors_are_named():
    with pytest.raises(ValueError, match=r"at least one axis and one element, got shape \(0, 4\)"):
        quantize(torch.empty(0, 4), "int8")
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        quantize(torch.tensor(1.0), "int8")
    with pytest.raises(ValueError, match="must hold floating-point numbers, got torch.int64"):
        quantize(torch.ones(3, dtype=torch.long), "int8")
    with pytest.raises(ValueError, match="fp16 ends at 65504, the tensor holds 70000"):
        quantize(torch.full((2, 2), 70_000.0), "fp16")
    with pytest.raises(ValueError, match="select needs a matrix"):
        quantize(torch.ones(4), "int8").select(torch.tensor([0]))
