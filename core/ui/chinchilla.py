"""The Chinchilla optimum on the page: the grid's isoFLOP curves and its law, beside the published ones."""

import math
from functools import partial

import pandas as pd
import streamlit as st

from core.charts import chinchilla as charts
from core.scaling import Parabola, Parametric, bootstrap, fit_parabola, fit_parametric, isoflop, on_budget, published
from core.scaling.runs import GridRun, columns
from core.ui import panels
from core.ui.charts import draw
from core.ui.kept import Kept
from core.ui.scaling import amount, grid

CHOICES = ("all", "long", "fresh")
SHORTEST = 8e6  # tokens, about, of a run that is not among the shortest
TIMES = 60  # redrawn fits
STEP = 0.3  # powers of ten between two grey curves

_curves, _laws, _sure = Kept(8), Kept(8), Kept(8)  # one entry a choice of runs


def runs(choice: str) -> list[GridRun]:
    """All runs, those on SHORTEST tokens and more, or those that saw no text twice."""
    keep = {"all": lambda run: True, "long": lambda run: run.tokens > 0.99 * SHORTEST, "fresh": lambda run: run.passes <= 1}[choice]
    return [run for run in grid() if keep(run)]


def law(choice: str) -> Parametric:
    """L(N, D) through the chosen runs: 0.8 s of computing, once."""
    return _laws.get(choice, lambda: fit_parametric(*columns(runs(choice))))


def sureness(choice: str) -> tuple[float, float]:
    """95 % of redrawn fits: the exponent a of N ∝ C^a. 1.5 s of computing, once."""

    def compute():
        near = law(choice)
        found = bootstrap(partial(fit_parametric, near=near), columns(runs(choice)), lambda one: one.size_exponent, times=TIMES)
        return found.low, found.high

    return _sure.get(choice, compute)


def curves(choice: str) -> dict[float, Parabola]:
    """The grey isoFLOP curves."""
    budgets = [10 ** (13.2 + STEP * k) for k in range(11)]
    return _curves.get(choice, lambda: isoflop(*columns(runs(choice)), budgets))


def at_budget(choice: str, flops: float) -> Parabola | None:
    """The parabola of one budget; None where the grid has no three sizes for it or no lowest point."""
    try:
        return fit_parabola(*on_budget(*columns(runs(choice)), flops))
    except ValueError:
        return None


def flops_written(page):
    """What writes an amount of computing, 3.2 · 10¹⁵."""

    def written(flops: float) -> str:
        digits, power = f"{flops:.1e}".split("e")
        raised = str(int(power)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{page.t.number(float(digits), '.1f')} · 10{raised}"

    return written


def isoflop_says(page, choice: str, flops: float) -> dict:
    """The numbers of the sentences about one budget; `found` is whether the grid shows its lowest point."""
    best, name = at_budget(choice, flops), amount(page)
    told = {"flops": flops_written(page)(flops), "found": bool(best and best.inside)}
    if best:
        tokens = flops / 6 / best.best
        told |= {"size": name(best.best), "tokens": name(tokens), "ratio": tokens / best.best, "loss": best.lowest}
    return told


def isoflop_picture(page, choice: str, flops: float, told: dict) -> None:
    """isoFLOP curves, the chosen one in front."""
    t = page.t
    data = charts.isoflop_data(*columns(runs(choice)), curves(choice), flops, at_budget(choice, flops), flops_written(page))
    words = t.words("curves", "axis", "loss", "budget", "chosen", "other", "best", "lowest")
    kind = "alt" if told["found"] else "alt_none"
    spec = charts.isoflop_chart(page.language, **words)
    draw(page, "curves", spec, data, t.plain(f"curves.{kind}", **told))
    if told["found"]:
        panels.metrics(page, {name: told[name] for name in ("size", "tokens", "ratio", "loss")}, {"ratio": ".1f", "loss": ".2f"})
    else:
        page.note("curves.none")
    panels.download(page, "curves", lambda: data)


def laws(choice: str) -> dict[str, Parametric]:
    """By role: ours, Besiroglu's and the one as printed by Hoffmann et al."""
    return {"computed": law(choice), "reused": published.BESIROGLU, "dropped": published.HOFFMANN}


def plane_says(page, choice: str, budget: float) -> dict:
    """Best size and text for a budget by each law."""
    told, name = {"flops": flops_written(page)(budget)}, amount(page)
    for who, one in zip(("ours", "theirs", "printed"), laws(choice).values()):
        size, tokens = one.optimum(budget)
        told |= {f"{who}_size": name(size), f"{who}_tokens": name(tokens), f"{who}_ratio": tokens / size}
    largest = max(run.estimate for run in grid())
    return told | {"beyond": math.log10(budget / largest)}


def plane(page, choice: str, budget: float, told: dict) -> None:
    """Parameters against tokens with the budget, the laws and real models."""
    t, (N, D, _) = page.t, columns(grid())
    data = charts.plane_data(laws(choice), budget, published.MODELS, N, D)
    words = t.words("plane", "axis", "tokens", "ratio", "ours", "besiroglu", "printed")
    spec = charts.plane_chart(page.language, **words)
    draw(page, "plane", spec, data, t.plain("plane.alt", **told))
    panels.metrics(page, {f"{who}_{what}": told[f"{who}_{what}"] for who in ("theirs", "ours") for what in ("size", "tokens")})
    panels.download(page, "plane", lambda: data)


def fits(page, choice: str, budget: float) -> None:
    """The constants of every fit and what follows from them at this budget: the trap."""
    t = page.t
    named = {"ours": law(choice), "besiroglu": published.BESIROGLU}
    named |= {"printed": published.HOFFMANN, "unrounded": published.HOFFMANN_UNROUNDED}
    rows = []
    for who, one in named.items():
        size, tokens = one.optimum(budget)
        rows.append((t.plain(f"fits.names.{who}"), one.E, one.A, one.B, one.alpha, one.beta, tokens / size))
    table = pd.DataFrame(rows, columns=["fit", "E", "A", "B", "alpha", "beta", "ratio"])
    panels.table(page, "fits", table.round({"E": 3, "A": 1, "B": 1, "alpha": 3, "beta": 3, "ratio": 1}), whole=table)
    low, high = sureness(choice)
    told = {"low": low, "high": high, "a": law(choice).size_exponent, "theirs": published.BESIROGLU.size_exponent}
    st.markdown(t("fits.result", times=TIMES, **told))


def models(page) -> None:
    """Real models: what they were trained with, and what Besiroglu's law gives for the same computing."""
    name, rows = amount(page), []
    for model in published.MODELS:
        size, tokens = published.BESIROGLU.optimum(model.flops)
        had = (name(model.parameters), name(model.tokens), round(model.tokens_per_parameter, 1))
        rows.append((model.name, *had, name(size), name(tokens), model.source))
    table = pd.DataFrame(rows, columns=["model", "size", "tokens", "ratio", "best_size", "best_tokens", "source"])
    panels.table(page, "models", table)
