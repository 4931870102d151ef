"""The ten steps of the first page: each draws one picture from the viewer's own text and says what it showed."""

import math
from dataclasses import dataclass

import pandas as pd
import streamlit as st
import torch

from core import costs
from core.charts.distribution import distribution_chart, distribution_data
from core.charts.language_model import learning_chart, learning_data, sizes_chart, sizes_data
from core.checkpoints.registry import model_cards
from core.decoding import distribution
from core.decoding.draws import drawn_shares
from core.measure.left_out import left_out
from core.training.exercises import exercises
from core.ui import controls, live, models, panels
from core.ui.charts import draw
from core.ui.frame import ROOT, sections
from core.ui.kept import Kept
from core.ui.live_slider import live_slider
from core.ui.surprise import DARKEST
from core.ui.token_strip import Token, read_tokens, token_strip

STAGES = ("read", "look", "predict", "choose", "repeat", "practise", "err", "learn", "grow", "use")
KINDS = {"learn": "recorded", "grow": "arithmetic"}  # the others are live
# The lab that a step leads to: the first of these that exists.
LABS = {
    "read": ("tokens",), "look": ("attention",), "predict": ("inside",), "choose": ("next_token",), "repeat": ("kv_cache",),
    "practise": ("context_window",), "err": ("perplexity",), "learn": ("pretraining",), "grow": ("scaling_laws", "calculator"),
    "use": ("bias_and_calibration",),
}  # fmt: skip
SHOWN = 8  # candidates in a chart
LAST = 32  # tokens that are left out in turn
WRITTEN = 24  # tokens that may be written
ROUNDS = 6  # of them listed
EXERCISES = 8  # listed
MOST_SIGNS = 44  # of a beginning in a table
DRAWS = (1, 10, 100, 1000)
COMPARED = ("GPT-2 small", "Llama-3-8B", "Llama-3-70B", "GPT-3 175B", "DeepSeek-V3")
USES = {"answer": 6, "list": 8, "translate": 4, "tell": 20}  # tokens that are written
CURVE = ROOT / "assets" / "runs" / "mini_training.csv"
_left_out = Kept(64)


@dataclass(frozen=True)
class Walk:
    """What the steps work on."""

    page: object
    ids: list[int]
    reading: live.Reading

    @property
    def labels(self) -> list[str]:
        return self.page.lm.tokenizer.labels(self.ids)


def begin(page, ids) -> Walk:
    return Walk(page, list(ids), live.read(page.lm, ids))


def show(walk: Walk, stage: str) -> None:
    """One step: its picture, its sentence with the numbers of this text, and the way to its lab."""
    page = walk.page
    with panels.panel(page, f"steps.{stage}", KINDS.get(stage, "live")):
        says = _PICTURES[stage](walk)
        which = "one" if says.get("n") == 1 and f"steps.{stage}.one" in page.t else "says"
        st.markdown(page.t(f"steps.{stage}.{which}", **says))
        there = {stem for labs in sections().values() for stem, _ in labs}
        for stem in [lab for lab in LABS[stage] if lab in there][:1]:
            st.caption(page.t(f"pages.{stem}.question"))
            st.page_link(f"pages/{stem}.py", label=f"**{page.t(f'pages.{stem}.title')}**", icon=":material/arrow_forward:")


def first(walk: Walk) -> dict:
    """The likeliest next token and its share."""
    probs = distribution(walk.reading.logits)
    return {"token": walk.page.lm.tokenizer.label(probs.argmax()), "share": float(probs.max()), "vocabulary": len(probs)}


def sizes(page) -> dict:
    """The parameters of the model that runs here, in millions, and how many times as many GPT-3 has."""
    own = costs.parameters(page.lm.config)
    return {"own": own / 1e6, "times": costs.parameters(costs.find_spec("GPT-3 175B")) / own}


def _read(walk: Walk) -> dict:
    t, label = walk.page.t, walk.labels
    strip = [Token(name, title=t.plain("steps.read.token", token=name, id=i), note=str(i)) for name, i in zip(label, walk.ids)]
    token_strip(walk.page, "read", strip, t.plain("steps.read.strip"))
    panels.download(walk.page, "read", lambda: pd.DataFrame({"token": label, "id": walk.ids}))
    signs = len(walk.page.lm.tokenizer.decode(walk.ids))
    return {"signs": signs, "tokens": len(walk.ids), "vocabulary": walk.page.lm.config.vocab_size}


def _look(walk: Walk) -> dict:
    page, t = walk.page, walk.page.t
    moved = _left_out.get((page.lm.name, tuple(walk.ids)), lambda: left_out(page.lm, walk.ids, LAST)).tolist()
    label, hidden = walk.labels, len(walk.ids) - len(moved)
    strip = [Token(name) for name in label[:hidden]]
    for name, share in zip(label[hidden:], moved):
        title = t.plain("steps.look.token", token=name, share=share)
        strip.append(Token(name, 0.72 * share, title, t.number(share, ".0%")))
    token_strip(page, "look", strip, t.plain("steps.look.strip"))
    panels.download(page, "look", lambda: pd.DataFrame({"token": label[hidden:], "moved": moved}))
    before = range(max(len(moved) - 1, 1))  # the last token is where the prediction stands: it always counts
    most, least = max(before, key=moved.__getitem__), min(before, key=moved.__getitem__)
    return {"most": label[hidden + most], "moved": moved[most], "least": label[hidden + least], "little": moved[least]}


def _predict(walk: Walk) -> dict:
    says = first(walk)
    _bars(walk, "predict", None, says)
    return says


def _choose(walk: Walk) -> dict:
    page, state, key = walk.page, st.session_state, walk.page.key("seed")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n = controls.segmented(page, "draws", DRAWS, 1)
        seed = state.setdefault(key, 0)
        again = {key: seed + 1}
        st.button(page.t("again"), key=page.key("again"), icon=":material/casino:", on_click=state.update, args=(again,))
    drawn = drawn_shares(distribution(walk.reading.logits), n, seed)
    chosen, probs = int(drawn.argmax()), distribution(walk.reading.logits)
    says = first(walk) | {"n": n, "drawn": float(drawn[probs.argmax()]), "different": int((drawn > 0).sum())}
    says |= {"chosen": page.lm.tokenizer.label(chosen), "chosen_share": float(probs[chosen])}
    _bars(walk, "choose", drawn, says)
    return says


def _bars(walk: Walk, stage: str, drawn: torch.Tensor | None, says: dict) -> None:
    """The likeliest next tokens: their shares, and in front, where there are draws, how often each was drawn."""
    page, t, probs = walk.page, walk.page.t, distribution(walk.reading.logits)
    best = (probs if drawn is None else probs + drawn).topk(SHOWN).indices
    data = distribution_data(best, page.lm.tokenizer.labels(best), probs[best], probs[best] if drawn is None else drawn[best])
    before = "" if drawn is None else t.plain("steps.choose.before")
    spec = distribution_chart(SHOWN, before, t.plain(f"steps.{stage}.after"), t.plain("token_word"), page.language)
    draw(page, stage, spec, data, t.plain(f"steps.{stage}.alt", **says))
    panels.download(page, stage, lambda: data[["token", "before", "after"]] if before else data[["token", "after"]])


def _repeat(walk: Walk) -> dict:
    page, t = walk.page, walk.page.t
    rounds = int(live_slider(page, "rounds", 1, WRITTEN, 4, 1, every_step=True))
    whole = live.go_on(page.lm, walk.reading, WRITTEN, 7, temperature=0.7, top_p=0.9)
    new = whole.ids[len(walk.ids) :][:rounds]
    shown = live.read(page.lm, [*walk.ids, *new])
    token_strip(page, "written", read_tokens(page, shown, fresh=len(new)), t.plain("steps.repeat.strip"))
    label, share = page.lm.tokenizer.label, shown.logprobs.exp().tolist()
    places = range(len(walk.ids), len(shown.ids))
    rows = [(n - len(walk.ids) + 1, _tail(page, shown.ids[:n]), label(shown.ids[n]), share[n]) for n in places]
    table = pd.DataFrame(rows, columns=["round", "given", "answer", "share"])
    if rows:
        panels.table(page, "rounds_table", table.tail(ROUNDS), shares=("share",), whole=table)
    ended = len(new) < rounds
    return {"rounds": len(new), "vocabulary": page.lm.config.vocab_size, "end": t.plain("steps.repeat.ended") if ended else ""}


def _practise(walk: Walk) -> dict:
    page, label = walk.page, walk.page.lm.tokenizer.label
    share = walk.reading.logprobs.exp().tolist()
    rows = [(n, _tail(page, given), label(answer), share[n]) for n, (given, answer) in enumerate(exercises(walk.ids), 1)]
    table = pd.DataFrame(rows, columns=["round", "given", "answer", "share"])
    panels.table(page, "exercises", table.head(EXERCISES), shares=("share",), whole=table)
    return {"tokens": len(walk.ids), "n": len(rows), "seen": model_cards()[models.BUNDLED]["data"]["tokens_seen"] / 1e6}


def _err(walk: Walk) -> dict:
    page, t, label = walk.page, walk.page.t, walk.labels
    bits = (-walk.reading.logprobs / math.log(2)).tolist()
    strip = [Token(label[0], title=t.plain("token.first", token=label[0]))]
    for name, cost in zip(label[1:], bits[1:]):
        title = t.plain("steps.err.token", token=name, bits=cost, share=2**-cost)
        strip.append(Token(name, min(cost / DARKEST, 1.0), title, t.number(cost, ".1f")))
    token_strip(page, "err", strip, t.plain("steps.err.strip"))
    panels.download(page, "err", lambda: pd.DataFrame({"token": label[1:], "bits": bits[1:]}))
    worst = max(range(1, len(bits)), key=bits.__getitem__)
    mean = sum(bits[1:]) / (len(bits) - 1)
    return {"token": label[worst], "bits": bits[worst], "share": 2 ** -bits[worst], "mean": mean, "choices": 2**mean}


def _learn(walk: Walk) -> dict:
    page, t, curve = walk.page, walk.page.t, _curve()
    share = live_slider(page, "progress", 0, 100, 5, 1, every_step=True)
    now = round(share / 100 * (len(curve) - 1))
    data = learning_data(curve["tokens"], curve["loss_natural"], now)
    says = {"tokens": float(data["tokens"][now]), "loss": float(data["loss"][now]), "choices": float(data["choices"][now])}
    says |= {"start": float(data["choices"][0]), "end": float(data["choices"].iloc[-1]), "all": float(data["tokens"].iloc[-1])}
    spec = learning_chart(float(data["tokens"].iloc[-1]), page.language, **t.words("steps.learn", "tokens", "loss", "choices"))
    draw(page, "learn", spec, data, t.plain("steps.learn.alt", **says))
    panels.download(page, "learn", lambda: data.drop(columns="now"))
    return says


def _grow(walk: Walk) -> dict:
    page, t = walk.page, walk.page.t
    own = model_cards().get(models.used(), {}).get("title", page.lm.name)
    known = {name: costs.parameters(costs.find_spec(name)) for name in COMPARED}
    data = sizes_data({own: costs.parameters(page.lm.config)} | known, own)
    units = tuple((10.0**k, t.plain(f"steps.grow.e{k}")) for k in (9, 6))
    says = sizes(page) | {"name": own}
    spec = sizes_chart(len(data), t.plain("steps.grow.parameters"), units, page.language)
    draw(page, "grow", spec, data, t.plain("steps.grow.alt", **says))
    panels.download(page, "grow", lambda: data.drop(columns="role"))
    return says


def _use(walk: Walk) -> dict:
    page, t = walk.page, walk.page.t
    rows = []
    for name, n in USES.items():
        prompt = page.lm.tokenizer.encode(t.plain(f"uses.{name}.prompt"))
        reading = live.go_on(page.lm, live.read(page.lm, prompt), n, 0, temperature=0)
        st.markdown(f"**{t(f'uses.{name}.label')}**")
        strip = [Token(token.text, title=token.title, value=token.value if token.state else None, state=token.state)
                 for token in read_tokens(page, reading, fresh=len(reading.ids) - len(prompt))]  # fmt: skip
        token_strip(page, f"use_{name}", strip, t.plain(f"uses.{name}.label"))
        rows.append((t.plain(f"uses.{name}.label"), page.lm.tokenizer.decode(prompt), page.lm.tokenizer.decode(reading.ids[len(prompt) :])))
    panels.download(page, "use", lambda: pd.DataFrame(rows, columns=["use", "text", "continuation"]))
    return {"n": len(rows)}


def _tail(page, ids) -> str:
    """The end of a beginning, as much as fits into a line."""
    text = " ".join(page.lm.tokenizer.decode(ids[-40:]).split())
    return text if len(text) <= MOST_SIGNS else "…" + text[-MOST_SIGNS:]


@st.cache_data(max_entries=1, show_spinner=False)
def _curve() -> pd.DataFrame:
    return pd.read_csv(CURVE)


_PICTURES = {
    "read": _read, "look": _look, "predict": _predict, "choose": _choose, "repeat": _repeat,
    "practise": _practise, "err": _err, "learn": _learn, "grow": _grow, "use": _use,
}  # fmt: skip
