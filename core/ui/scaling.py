"""Scaling laws on the page: the recorded grid, the law fitted to some of its runs, runs trained here."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from core.charts import scaling as charts
from core.scaling import PowerLaw, bootstrap, fit_power_law, published, residuals
from core.scaling.runs import GridRun, read_runs
from core.scaling.selection import along, split
from core.training import desk as desks
from core.training.grid_live import GridRecipe
from core.ui import controls, panels, pretraining
from core.ui.charts import draw, seen_first
from core.ui.frame import ROOT
from core.ui.kept import Kept

FILE = ROOT / "assets" / "runs" / "grid.jsonl"
TIMES = 100  # redrawn fits
MOST_LIVE = 12  # runs of one viewer that are kept
LIVE_SIZES = ("0.1M", "0.3M")
LIVE_TOKENS = (384_000, 768_000, 1_536_000)
PUBLISHED = {
    "parameters": {"kaplan": published.KAPLAN_SIZE}, "tokens": {"kaplan": published.KAPLAN_DATA},
    "flops": {"kaplan": published.KAPLAN_COMPUTE, "gpt3": published.GPT3_COMPUTE},
}  # fmt: skip
PUBLISHED_REACH = {"parameters": (1e5, 1e12), "tokens": (1e7, 1e13), "flops": (1e-7, 1e5)}  # computing in PF-days there

_fits = Kept(300)  # all settings there are, a few kB each


@dataclass(frozen=True)
class Fit:
    """A law, the runs it was fitted to, those it has to foretell, and how sure it is."""

    law: PowerLaw
    fitted: list[GridRun]
    held: list[GridRun]
    places: np.ndarray  # where it is drawn
    band: tuple[np.ndarray, np.ndarray]  # at `places`
    exponent: tuple[float, float]


@st.cache_resource(show_spinner=False)
def grid() -> list[GridRun]:
    """The recorded runs, read once."""
    return read_runs(FILE)


def fit(against: str, held: int, left: int, floor: bool, own: tuple[GridRun, ...] = ()) -> Fit:
    """The law that the controls ask for, from memory or worked out: for a line 30 ms of computing, with a floor 100 to 300.

    `own` are runs trained here that shall count; they do where `along` lets them.
    """

    def compute() -> Fit:
        runs = along([*grid(), *own], against)
        x, loss = (np.array([getattr(run, name) for run in runs], float) for name in (against, "held_out"))
        inside, beyond = split(x, held, left, by_factor=against == "flops")
        law, places = fit_power_law(x[inside], loss[inside], floor), charts.law_places([*grid(), *runs], against)
        asked = bootstrap(
            lambda *points: fit_power_law(*points, floor, near=law), (x[inside], loss[inside]),
            lambda found: np.append(found(places), found.exponent), times=TIMES,
        )  # fmt: skip
        low, high = (np.array([getattr(one, end) for one in asked]) for end in ("low", "high"))
        chosen = [[run for run, take in zip(runs, which) if take] for which in (inside, beyond)]
        return Fit(law, *chosen, places, (low[:-1], high[:-1]), (float(low[-1]), float(high[-1])))

    return _fits.get((against, held, left, floor, own), compute)


def amount(page):
    """What writes a number of parameters or tokens in few signs."""
    t = page.t

    def written(number: float) -> str:
        if number >= 0.9995e12:
            return t.plain("units.trillion", n=number / 1e12)
        if number >= 0.9995e9:
            return t.plain("units.billion", n=number / 1e9)
        return t.plain("units.million" if number >= 0.9995e6 else "units.part", n=number / 1e6)

    return written


def says(page, found: Fit, against: str) -> dict:
    """The numbers of the sentences: what the law says of the largest run, and ten times as far."""
    law, far = found.law, max((*found.fitted, *found.held), key=lambda run: getattr(run, against))
    x, written = getattr(far, against), amount(page)
    away = residuals(law, [getattr(run, against) for run in found.fitted], [run.held_out for run in found.fitted])
    told = {"n": len(found.fitted), "held": len(found.held), "predicted": float(law(x)), "measured": far.held_out}
    told |= {"exponent": law.exponent, "low": found.exponent[0], "high": found.exponent[1], "floor": law.floor, "ten": float(law(10 * x))}
    told |= {"error": float(law(x)) / far.held_out - 1, "misfit": float(np.abs(away).max()), "tenfold": 10**-law.exponent}
    told |= {"size": written(far.parameters), "seen": written(far.tokens), "smallest": written(found.fitted[0].parameters)}
    return told


def live_entries(page) -> tuple[list[dict], bool]:
    """Measurements of the runs trained here, the present one last, as `charts.runs_data` takes them; whether it goes on.

    The last measurement of a finished run carries it as `run_of_grid`.
    """
    state = st.session_state
    run, status, rows = pretraining.current(page)
    kept = state.setdefault(page.key("trained"), [])
    if run is None:
        kept.clear()
        return [], False
    if status == desks.DONE and rows and rows[-1].get("last") and run not in kept:
        kept.append(run)
        del kept[:-MOST_LIVE]
    measurements = [one.rows for one in kept] + ([rows] if run not in kept else [])
    entries = []
    for number, measured in enumerate(measurements, 1):
        about = {"run": number, "parameters": measured[0]["parameters"]} if measured else {}
        entries += [about | row for row in measured if row.get("held_out") and row["tokens"]]
        if entries and entries[-1].get("last"):
            entries[-1] |= {"run_of_grid": _as_grid_run(entries[-1])}
    return entries, status in (desks.RUNNING, desks.WAITING)


def _as_grid_run(entry: dict) -> GridRun:
    """A finished run trained here, as the grid would have recorded it, without its curve."""
    like = next(run for run in grid() if run.parameters == entry["parameters"])
    same = {name: entry[name] for name in ("tokens", "passes", "flops", "held_out", "seconds")}
    return replace(like, **same, estimate=6.0 * like.parameters * entry["tokens"], machine="", curve=())


def with_own(page, against: str, held: int, left: int, floor: bool, entries: list[dict]) -> Fit:
    """The law, with the runs trained here where the viewer wants them counted; says what that changed."""
    without = fit(against, held, left, floor)
    own = tuple(entry["run_of_grid"] for entry in entries if "run_of_grid" in entry)
    if not own or not controls.toggle(page, "own"):
        return without
    found = fit(against, held, left, floor, own)
    counted = sum(run in found.fitted for run in own)
    told = {"n": counted, "with": found.law.exponent, "without": without.law.exponent}
    if not counted and against != "flops":
        told["what"] = page.t.plain(f"own.whats.{against}")
    st.caption(page.t("own.counted" if counted else "own.elsewhere" if "what" in told else "own.left_out", **told))
    return found


def picture(page, found: Fit, against: str, told: dict, entries: list[dict]) -> None:
    """The runs with the law through them, and below how far they lie from it."""
    t, runs = page.t, grid()
    data = charts.runs_data(runs, against, found.law, found.places, found.band, found.fitted, found.held, entries, amount(page))
    words = t.words("runs", "loss", "fit", "held", "other", "live", "size", "seen", "law") | {"axis": t.plain(f"runs.axes.{against}")}
    axis = (against, *charts.reach(runs, against))
    draw(page, "runs", charts.runs_chart(*axis, page.language, **words), data, t.plain("runs.alt", **told))
    seen_first()
    shown = {"exponent": (told["exponent"], ".3f"), "tenfold": (told["tenfold"], ".3f"), "misfit": (told["misfit"], ".1%")}
    if found.held:
        shown["error"] = (told["error"], "+.1%")
    panels.metrics(page, {name: value for name, (value, _) in shown.items()}, {name: form for name, (_, form) in shown.items()})
    st.caption(t("runs.sure_floor" if found.law.floor else "runs.sure_line", **told))
    words = {"axis": words["axis"], "away": t.plain("runs.away")}
    draw(page, "residuals", charts.residuals_chart(*axis, page.language, **words), data, t.plain("runs.away_alt", **told))
    panels.download(page, "runs", lambda: data)


def train(page) -> None:
    """The panel of a run trained here."""
    with panels.panel(page, "live", "live"):
        left, right = st.columns(2, gap="medium")
        with left:
            size = controls.segmented(page, "live_size", LIVE_SIZES, LIVE_SIZES[0])
        with right:
            tokens = controls.segmented(page, "live_tokens", LIVE_TOKENS, LIVE_TOKENS[0])
        run, status, rows = pretraining.current(page)
        pretraining.buttons(page, run, "", GridRecipe.of(size, tokens, seed=len(st.session_state.get(page.key("trained"), []))))
        pretraining.standing(page, run)
        if status == desks.DONE and rows and rows[-1].get("last"):
            result(page, rows)


def result(page, rows: list[dict]) -> None:
    """What the finished run says, beside the recorded run of its size on the least text."""
    last, parameters = rows[-1], rows[0]["parameters"]
    like = min((run for run in grid() if run.parameters == parameters), key=lambda run: run.tokens)
    told = {"loss": last["held_out"], "passes": last["passes"], "recorded": like.held_out, "seconds": last["seconds"]}
    st.markdown(page.t("live.result", seen=amount(page)(last["tokens"]), much=amount(page)(like.tokens), **told))


def published_laws(page, against: str) -> None:
    """Kaplan's and GPT-3's laws on axes of their own, and their exponents beside ours."""
    t, laws = page.t, PUBLISHED[against]
    with panels.panel(page, "published", "arithmetic"):
        names = {name: t.plain(f"published.names.{name}") for name in laws}
        low, high = PUBLISHED_REACH[against]
        unit = published.PF_DAY if against == "flops" else 1.0
        data = charts.laws_data({names[name]: law for name, law in laws.items()}, low, high, unit)
        words = {"axis": t.plain(f"published.axes.{against}"), "loss": t.plain("published.loss")}
        spec = charts.laws_chart(against, low, high, tuple(names.values()), page.language, **words)
        kaplan, ours = laws["kaplan"], fit(against, 0, 0, False).law
        told = {"kaplan": kaplan.exponent, "ten": 10**-kaplan.exponent, "ours": ours.exponent, "our_ten": 10**-ours.exponent}
        draw(page, "published", spec, data, t.plain("published.alt", **told))
        st.markdown(t("published.result", **told))
        panels.download(page, "published", lambda: data)


def counting(page) -> None:
    """Parameters and FLOPs of every size, counted, beside 6 N D."""
    sizes = {run.parameters: run for run in grid()}
    names = ("parameters", "outside_embedding", "flops", "estimate", "ratio")
    rows = [{name: getattr(run, name, run.estimate / run.flops) for name in names} for _, run in sorted(sizes.items())]
    table = pd.DataFrame(rows, columns=names)
    written = amount(page)
    shown = table.assign(**{name: table[name].map(written) for name in names[:2]})
    shown = shown.assign(**{name: table[name].map(lambda n: page.t.number(n, ".2e")) for name in names[2:4]})
    with panels.panel(page, "counting", "arithmetic"):
        panels.table(page, "counting", shown, shares=("ratio",), whole=table)
        told = {"low": table["ratio"].min(), "high": table["ratio"].max(), "seen": written(max(run.tokens for run in grid()))}
        st.markdown(page.t("counting.result", **told))
