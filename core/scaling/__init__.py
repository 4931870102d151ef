"""Scaling laws: how a model's loss falls with its size, its data and the computing spent, fitted and published.

Units: N parameters, D tokens, C FLOPs (C = 6 N D unless counted), losses in nats a token.
"""

from core.scaling.bootstrap import Interval, bootstrap
from core.scaling.counting import Counted, counted
from core.scaling.isoflop import Parabola, fit_parabola, isoflop, on_budget
from core.scaling.parametric import Parametric, fit_parametric
from core.scaling.power_law import PowerLaw, fit_power_law, residuals

__all__ = [
    "Counted", "Interval", "Parabola", "Parametric", "PowerLaw",
    "bootstrap", "counted", "fit_parabola", "fit_parametric", "fit_power_law", "isoflop", "on_budget", "residuals",
]  # fmt: skip
