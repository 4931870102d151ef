"""Scaling laws: known constants come back from made data; published figures are reproduced; counts against PyTorch's counter."""

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit, minimize_scalar
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core import costs
from core.models import Decoder, DecoderConfig
from core.scaling import bootstrap, counted, fit_parabola, fit_parametric, fit_power_law, isoflop, on_budget, published, residuals
from core.scaling.parametric import Parametric
from core.scaling.power_law import PowerLaw
from core.training.loop import token_nll

SIZES, TOKENS = np.geomspace(1e5, 2.5e7, 7), np.geomspace(4e6, 1.28e8, 6)
N, D = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))

# --- power laws ---


@pytest.mark.parametrize("law", [PowerLaw(12.0, 0.08), PowerLaw(400.0, 0.34), PowerLaw(5.0, 0.05)])
def test_a_power_law_comes_back(law):
    x = np.geomspace(1e5, 1e9, 12)
    found = fit_power_law(x, law(x))
    assert found.coefficient == pytest.approx(law.coefficient, rel=1e-6) and found.exponent == pytest.approx(law.exponent, rel=1e-6)
    assert found.scale ** found.exponent == pytest.approx(law.coefficient, rel=1e-6) and abs(residuals(found, x, law(x))).max() < 1e-9


@pytest.mark.parametrize("law", [PowerLaw(400.0, 0.34, 1.7), PowerLaw(30.0, 0.2, 2.5), PowerLaw(2085.0, 0.37, 1.8)])
def test_a_power_law_with_a_floor_comes_back(law):
    x = np.geomspace(1e5, 1e9, 12)
    found = fit_power_law(x, law(x), floor=True)
    assert (found.floor, found.exponent) == pytest.approx((law.floor, law.exponent), rel=1e-3)
    assert found.coefficient == pytest.approx(law.coefficient, rel=1e-2)


def test_noise_is_fitted_as_scipy_does():
    x, rng = np.geomspace(1e5, 1e8, 10), np.random.default_rng(1)
    y = PowerLaw(400.0, 0.34, 1.7)(x) * np.exp(rng.normal(0, 0.01, len(x)))
    found = fit_power_law(x, y, floor=True)
    scipy_log, _ = curve_fit(lambda u, e, a, p: np.log(e + np.exp(a) * np.exp(-p * u)), np.log(x), np.log(y), p0=(1.5, 6.0, 0.3))
    assert (found.floor, found.exponent) == pytest.approx((scipy_log[0], scipy_log[2]), rel=1e-4)


def test_too_little_to_fit_is_said():
    for x, y, floor in (([1.0], [2.0], False), ([1.0, 1.0], [2.0, 3.0], False), ([1.0, 2.0], [2.0, 1.0], True), ([1.0, 2.0], [0.0, 1.0], False)):
        with pytest.raises(ValueError, match="needed|positive"):
            fit_power_law(x, y, floor)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    law, x, inside = PowerLaw(12.0, 0.08), np.geomspace(1e5, 1e9, 25), 0
    for seed in range(25):
        y = law(x) * np.exp(np.random.default_rng(seed).normal(0, 0.02, len(x)))
        inside += law.exponent in bootstrap(fit_power_law, (x, y), lambda found: found.exponent, times=80, share=0.9, seed=seed)
    assert 17 <= inside <= 25  # 90 % expected; redrawing few points gives somewhat narrow intervals


def test_intervals_of_a_whole_curve():
    x = np.geomspace(1e5, 1e9, 9)
    y = PowerLaw(12.0, 0.08)(x) * np.exp(np.random.default_rng(0).normal(0, 0.02, 9))
    found = bootstrap(fit_power_law, (x, y), lambda law: law([1e6, 1e12]), times=100)
    assert found.shape == (2,) and found[1].high - found[1].low > found[0].high - found[0].low  # farther off is less sure
    with pytest.raises(ValueError):
        bootstrap(fit_power_law, ([1.0, 1.0], [2.0, 2.0]), lambda law: law.exponent, times=5)


# --- size and data ---


@pytest.mark.parametrize("law", [published.BESIROGLU, published.HOFFMANN, Parametric(1.5, 60.0, 300.0, 0.3, 0.3)])
def test_the_parametric_law_comes_back(law):
    found = fit_parametric(N, D, law(N, D))
    for name in ("E", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(law, name), rel=5e-3), name
    assert found(N, D) == pytest.approx(law(N, D), rel=1e-5)


def test_redrawn_runs_are_fitted_from_the_law_at_hand():
    law, rng = published.BESIROGLU, np.random.default_rng(0)
    loss = law(N, D) * np.exp(rng.normal(0, 0.002, len(N)))
    whole = fit_parametric(N, D, loss)
    rows = rng.integers(0, len(N), len(N))
    near, anew = (fit_parametric(N[rows], D[rows], loss[rows], near=start) for start in (whole, None))
    assert (near.E, near.alpha, near.beta) == pytest.approx((anew.E, anew.alpha, anew.beta), rel=1e-3) and near != whole
    found = bootstrap(lambda *runs: fit_parametric(*runs, near=whole), (N, D, loss), lambda law: [law.E, law.alpha], times=30)
    assert all(one.low < value < one.high for one, value in zip(found, (whole.E, whole.alpha)))


def test_a_wild_run_hardly_moves_the_fit():
    law = published.BESIROGLU
    loss = law(N, D)
    loss[5] *= 1.3
    found = fit_parametric(N, D, loss)
    assert found.alpha == pytest.approx(law.alpha, rel=0.03) and found.E == pytest.approx(law.E, rel=0.05)


@pytest.mark.parametrize("law", [published.BESIROGLU, published.HOFFMANN])
@pytest.mark.parametrize("flops", [1e18, 5.76e23])
def test_the_optimum_is_the_lowest_loss_on_the_budget(law, flops):
    n, d = law.optimum(flops)
    assert 6 * n * d == pytest.approx(flops)
    searched = minimize_scalar(lambda u: float(law(np.exp(u), flops / 6 / np.exp(u))), bounds=(np.log(n) - 3, np.log(n) + 3), method="bounded")
    assert np.exp(searched.x) == pytest.approx(n, rel=1e-2)


def test_besiroglus_optimum_is_about_20_tokens_a_parameter_and_the_printed_constants_are_a_trap():
    """The table of the trap: D / N at Chinchilla's budget."""
    ratios = {}
    for name in ("HOFFMANN", "HOFFMANN_UNROUNDED", "BESIROGLU"):
        n, d = getattr(published, name).optimum(published.HOFFMANN_BUDGET)
        ratios[name] = (d / n, n)
    assert ratios["BESIROGLU"][0] == pytest.approx(18, abs=1) and ratios["BESIROGLU"][1] == pytest.approx(72e9, rel=0.02)
    assert ratios["HOFFMANN_UNROUNDED"][0] == pytest.approx(59, abs=1) and ratios["HOFFMANN_UNROUNDED"][1] == pytest.approx(40e9, rel=0.02)
    assert ratios["HOFFMANN"][0] == pytest.approx(93, abs=1)
    assert published.HOFFMANN.size_exponent == pytest.approx(published.HOFFMANN_SIZE_EXPONENTS["parametric"], abs=0.01)
    assert all(d / n == pytest.approx(20.9, rel=0.08) for n, d in published.HOFFMANN_TABLE_3)


def test_kaplans_steps_and_gpt_3():
    """Ten times as much of each, as the paper's exponents say; PF-days; what GPT-3's own law says about GPT-3."""
    steps = [float(law(1e10) / law(1e9)) for law in (published.KAPLAN_SIZE, published.KAPLAN_DATA, published.KAPLAN_COMPUTE)]
    assert steps == pytest.approx([0.839, 0.804, 0.891], abs=1e-3)
    assert published.KAPLAN_SIZE(8.8e13) == pytest.approx(1) and published.GPT3_COMPUTE(published.PF_DAY) == pytest.approx(2.57)
    gpt3 = next(model for model in published.MODELS if model.name == "GPT-3")
    assert gpt3.flops == pytest.approx(3.15e23) and gpt3.tokens_per_parameter == pytest.approx(1.7, abs=0.05)
    assert published.GPT3_COMPUTE(gpt3.flops) == pytest.approx(2.57 * 3640**-0.048, rel=2e-3)  # 3,640 PF-days: table D.1
    ratios = {model.name: model.tokens_per_parameter for model in published.MODELS}
    assert ratios["Chinchilla"] == 20 and ratios["Llama 3 8B"] == pytest.approx(1870, rel=0.01) and ratios["Llama 3 70B"] == pytest.approx(212, rel=0.01)
    assert published.kaplan_loss(1e9, 1e30) == pytest.approx((6.4e13 / 1e9) ** 0.076)
    for name in ("Llama-3-8B", "Llama-3-70B"):
        known = next(model for model in published.MODELS if model.name == name.replace("-", " "))
        assert known.parameters == pytest.approx(costs.parameters(costs.find_spec(name)), rel=0.01)


# --- isoFLOP ---


def test_a_parabola_comes_back():
    sizes = np.geomspace(1e5, 1e7, 6)
    found = fit_parabola(sizes, 3.2 + 0.05 * (np.log(sizes) - np.log(8e5)) ** 2)
    assert (found.best, found.lowest, found.width) == pytest.approx((8e5, 3.2, 0.05), rel=1e-6) and found.inside
    assert found(8e5) == pytest.approx(3.2) and not fit_parabola(sizes, 3 + (np.log(sizes) - np.log(1e9)) ** 2).inside
    with pytest.raises(ValueError, match="three sizes"):
        fit_parabola([1, 2], [3, 4])
    with pytest.raises(ValueError, match="no lowest point"):
        fit_parabola(sizes, -((np.log(sizes) - np.log(8e5)) ** 2))


def test_a_budget_is_read_off_the_grid_and_never_beyond_it():
    law = published.BESIROGLU
    sizes, losses = on_budget(N, D, law(N, D), 6 * SIZES[3] * TOKENS[2])
    assert losses[list(sizes).index(SIZES[3])] == pytest.approx(float(law(SIZES[3], TOKENS[2])), rel=1e-9)
    assert losses == pytest.approx(law(sizes, 6 * SIZES[3] * TOKENS[2] / 6 / sizes), rel=0.01)
    reached = {size: TOKENS[0] <= SIZES[3] * TOKENS[2] / size <= TOKENS[-1] for size in SIZES}
    assert set(sizes) == {size for size, inside in reached.items() if inside}
    assert len(on_budget(N, D, law(N, D), 1e30)[0]) == 0


def test_isoflop_optima_follow_the_law_they_come_from():
    law, sizes, tokens = published.BESIROGLU, np.geomspace(1e6, 1e9, 13), np.geomspace(1e7, 1e11, 17)
    n, d = (axis.ravel() for axis in np.meshgrid(sizes, tokens, indexing="ij"))
    budgets = np.geomspace(1e17, 1e19, 5)
    found = isoflop(n, d, law(n, d), budgets)
    assert len(found) == 5 and all(parabola.inside for parabola in found.values())
    best = [parabola.best for parabola in found.values()]
    exponent = -fit_power_law(budgets, best).exponent
    assert exponent == pytest.approx(law.size_exponent, abs=0.05)
    assert isoflop(N, D, published.BESIROGLU(N, D), [1e30]) == {}


# --- counting ---


@pytest.mark.parametrize("tied", [True, False])
def test_counts_are_those_of_pytorch(tied):
    config = DecoderConfig(n_layers=2, d_model=64, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=176, vocab_size=300, context_length=32, tied_embeddings=tied)
    network, rows = Decoder(config), 3
    ids = torch.randint(0, 300, (rows, 33))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        token_nll(network(ids[:, :-1]), ids[:, 1:]).mean().backward()
    found = counted(config, rows * 32)
    whole = 3 * rows * 32 * 4 * config.n_heads * config.head_dim * config.n_layers  # the counter takes all pairs, masked ones too
    expected = counter.get_total_flops() - whole * 32 + whole * 33 / 2
    assert found.flops == pytest.approx(expected, rel=1e-6)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert found.outside_embedding == sum(p.numel() for name, p in network.named_parameters() if "embed" not in name)
    assert found.estimate == 6 * found.parameters * 96 and found.ratio == found.estimate / found.flops
