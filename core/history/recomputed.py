"""Figures of the timeline worked out again from the numbers they stand on."""

from collections.abc import Callable
from dataclasses import dataclass

from core.costs import active_parameters, attention_flops, kv_bytes_per_token, models, parameters
from core.costs.speculation import tokens_per_round


@dataclass(frozen=True)
class Check:
    """One figure: as published (None where it only follows from published ones) and as the arithmetic gives it.

    The words stand in the texts under `checks.<name>`; `format` is how both are shown.
    """

    name: str
    compute: Callable[[], float]
    published: float | None = None
    format: str = ",.1f"
    tolerance: float = 0.01  # relative: what the rounding of the published figure leaves open

    def agrees(self) -> bool:
        """Whether the arithmetic gives what was published."""
        return self.published is None or abs(self.compute() - self.published) <= self.tolerance * self.published


def win_rate(elo_difference: float) -> float:
    """Expected share of games for the player ahead by so many Elo points: 1 / (1 + 10^(-difference / 400))."""
    return 1 / (1 + 10 ** (-elo_difference / 400))


def tokens_per_parameter(flops: float, a: float, b: float, alpha: float, beta: float) -> float:
    """Best ratio of tokens D to parameters N where loss = E + a / N^alpha + b / D^beta and flops = 6 N D.

    N = G (flops / 6)^(beta / (alpha + beta)), D = (flops / 6)^(alpha / (alpha + beta)) / G,
    G = (alpha a / (beta b))^(1 / (alpha + beta)) (arXiv 2203.15556, equation 4).
    """
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    n = g * (flops / 6) ** (beta / (alpha + beta))
    d = (flops / 6) ** (alpha / (alpha + beta)) / g
    return d / n


def cache_kilobytes(model: str) -> float:
    """Kilobytes (1,000 bytes) that a token of a model in core/costs/models.toml adds to its cache, 16 bits a number."""
    return kv_bytes_per_token(models()[model]) / 1000


def sparse_share(tokens: int) -> float:
    """DeepSeek-V3.2's attention FLOPs for the next token, indexer included, as a share of V3's full attention."""
    return attention_flops(models()["DeepSeek-V3.2"], tokens) / attention_flops(models()["DeepSeek-V3"], tokens)


def active_billions(model: str) -> float:
    """Billions of parameters that one token uses."""
    return active_parameters(models()[model]) / 1e9


CHINCHILLA = 5.76e23  # FLOP that Gopher and Chinchilla were trained with (arXiv 2203.15556, table 3)

# Event -> what of it can be worked out here.
CHECKS: dict[str, tuple[Check, ...]] = {
    "alphago_zero": (Check("elo", lambda: win_rate(5185 - 3739), format=".2%"),),
    "kaplan": (Check("ten_times", lambda: 10**-0.076, format=".3f"),),
    "gpt3": (Check("gpt3_ratio", lambda: 300e9 / 175e9, format=".1f"),),
    "chinchilla": (
        Check("printed", lambda: tokens_per_parameter(CHINCHILLA, 406.4, 410.7, 0.34, 0.28), 1.5e12 / 67e9, ".0f"),
    ),
    "flash_attention": (
        Check("flash_time", lambda: 41.7 / 7.3, format=".1f"),
        Check("flash_flops", lambda: 75.2 / 66.6, format=".2f"),
    ),
    "speculative_decoding": (Check("round", lambda: tokens_per_round(0.8, 4), format=".2f"),),
    "gpt4_calibration": (Check("calibration", lambda: 0.074 / 0.007, format=".1f"),),
    "gqa": (Check("gqa_share", lambda: 64 / models()["Llama-3-70B"].n_kv_heads, 8, ".0f"),),
    "streaming_llm": (Check("sinks", lambda: 5158.07 / 5.40, format=",.0f"),),
    "mixtral": (
        Check("mixtral_total", lambda: parameters(models()["Mixtral 8x7B"]) / 1e9, 46.7, ".1f"),
        Check("mixtral_active", lambda: active_billions("Mixtral 8x7B"), 12.9, ".1f"),
    ),
    "besiroglu": (
        Check("refit", lambda: tokens_per_parameter(CHINCHILLA, 482.01, 2085.43, 0.3478, 0.3658), 20, ".0f", 0.15),
    ),
    "mla": (
        Check("v3_cache", lambda: cache_kilobytes("DeepSeek-V3"), 70.272, ".1f"),
        Check("llama_cache", lambda: cache_kilobytes("Llama-3.1-405B"), 516.096, ".1f"),
    ),
    "deepseek_v3": (
        Check("v3_total", lambda: parameters(models()["DeepSeek-V3"]) / 1e9, 671, ".0f"),
        Check("v3_dollars", lambda: 2.788e6 * 2 / 1e6, 5.576, ".3f"),
    ),
    "deepseek_sparse_attention": (Check("sparse_share", lambda: sparse_share(131_072), format=".0%"),),
    "dflash": (Check("demo", lambda: 415 / 48.5, 8.5, ".2f"),),
    "triattention": (
        Check("budget", lambda: 32768 / 3072, 10.7, ".1f"),
        Check("throughput", lambda: 563.5 / 222.8, 2.5, ".1f", 0.02),
    ),
    "subq": (Check("million", lambda: 21_410.5 / 381.0, 56.2, ".1f"), Check("short", lambda: 319.9 / 46.5, 6.9, ".1f")),
}
