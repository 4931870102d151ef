"""Published scaling laws, as printed, each with its source.

Laws of different papers must not be mixed: their losses stand for different texts and tokenizers, and Kaplan et al. count
parameters without embeddings. `HOFFMANN` is a trap: with the constants as printed the optimum is about 90 tokens a
parameter at Chinchilla's own budget, not the 20 that the same paper recommends, since they are rounded and come from a fit
that stopped early; `BESIROGLU` is the same data fitted to the end.
"""

from dataclasses import dataclass

import numpy as np

from core.scaling.parametric import Parametric
from core.scaling.power_law import PowerLaw

PF_DAY = 8.64e19  # FLOPs of one petaflop/s for a day


def _kaplan(scale: float, exponent: float) -> PowerLaw:
    """(scale / x)^exponent as a power law."""
    return PowerLaw(scale**exponent, exponent)


# Kaplan et al. 2020, arXiv 2001.08361, section 1.2: nats a token on WebText2.
KAPLAN_SIZE = _kaplan(8.8e13, 0.076)  # of parameters outside embeddings, trained to convergence
KAPLAN_DATA = _kaplan(5.4e13, 0.095)  # of tokens, stopped early
KAPLAN_COMPUTE = _kaplan(3.1e8 * PF_DAY, 0.050)  # of FLOPs, with the best size and batch: their C_min
KAPLAN_SIZE_EXPONENT = 0.73  # N ∝ C^0.73 along their optimum

# Brown et al. 2020, arXiv 2005.14165, figure 3.1: 2.57 · C^-0.048, C in petaflop/s-days.
GPT3_COMPUTE = PowerLaw(2.57 * PF_DAY**0.048, 0.048)

# Hoffmann et al. 2022, arXiv 2203.15556, equation 10, and the same with the digits that the printed ones were rounded from.
HOFFMANN = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
HOFFMANN_UNROUNDED = Parametric(E=1.6934, A=406.4, B=410.7, alpha=0.3392, beta=0.2849)
HOFFMANN_SIZE_EXPONENTS = {"envelope": 0.50, "isoflop": 0.49, "parametric": 0.46}  # table 2
HOFFMANN_BUDGET = 5.76e23  # FLOPs: Gopher's, and so Chinchilla's

# Besiroglu et al. 2024, arXiv 2404.10102: the data of Hoffmann et al. read off their figure, fitted anew.
BESIROGLU = Parametric(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


def kaplan_loss(N, D):
    """The joint law of Kaplan et al. (equation 1.5 with table 2): [(N_c / N)^(a_N / a_D) + D_c / D]^a_D.

    It has constants of its own, which are not those of the two separate laws.
    """
    size, data, n_c, d_c = 0.076, 0.103, 6.4e13, 1.8e13
    return ((n_c / np.asarray(N, float)) ** (size / data) + d_c / np.asarray(D, float)) ** data


@dataclass(frozen=True)
class Trained:
    """A real model: what it was trained with."""

    name: str
    parameters: float
    tokens: float
    source: str

    @property
    def flops(self) -> float:
        """6 N D."""
        return 6 * self.parameters * self.tokens

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters


MODELS = (
    Trained("GPT-3", 175e9, 300e9, "arXiv 2005.14165, table 2.1"),
    Trained("Chinchilla", 70e9, 1.4e12, "arXiv 2203.15556, table 1"),
    Trained("Llama 3 8B", 8.03e9, 15e12, "meta-llama/llama-models, models/llama3/MODEL_CARD.md: 15T+ tokens"),
    Trained("Llama 3 70B", 70.6e9, 15e12, "meta-llama/llama-models, models/llama3/MODEL_CARD.md: 15T+ tokens"),
)

# Hoffmann et al., table 3: (parameters, tokens) that they recommend (approach 1).
HOFFMANN_TABLE_3 = ((1e9, 20.2e9), (10e9, 205.1e9), (67e9, 1.5e12), (175e9, 3.7e12), (1e12, 21.2e12))
