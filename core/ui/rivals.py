"""What the page on GRU and Transformer keeps: losses and gradients of a text, recorded curves, a measurement that can be stopped."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.checkpoints.compared import shared_tokenizer
from core.checkpoints.rivals import KINDS, load_rival
from core.measure.recorded import recorded
from core.measure.rivals import Heard, distances, hear, longest_chain, looks_back, numbers_kept, reading_seconds
from core.models.language_model import LanguageModel
from core.ui import controls, live, url
from core.ui.kept import Kept
from core.ui.token_strip import Token, token_strip

MOST = 320  # tokens of a text
AUTO = "auto"
FAR = 8  # tokens back from which a token counts as returning
CLEAR = 3.0  # nats from which the Transformer is clearly ahead
SIZES = (16, 32, 64, 128, 256)
WAYS = tuple(f"{kind} {way}" for kind in KINDS for way in ("read", "write"))  # all given at once; a prediction after each token
RUNS = tuple((n, name) for n in SIZES for name in WAYS)
_read, _heard, _looks = Kept(64), Kept(64), Kept(128)
_measuring = threading.Lock()


@dataclass(frozen=True)
class Both:
    """A text as both networks read it."""

    ids: tuple[int, ...]
    labels: list[str]
    back: list[int]  # how far back each token stood last, 0: never
    losses: dict[str, np.ndarray]  # by network, (T - 1,), nats

    def at(self, place: int) -> dict[str, float]:
        """Both losses of token `place` >= 1."""
        return {kind: float(found[place - 1]) for kind, found in self.losses.items()}

    def ahead(self, place: int) -> float:
        """By how many nats the Transformer is better there."""
        found = self.at(place)
        return found["gru"] - found["transformer"]

    @property
    def striking(self) -> int:
        """The token to look at first: of those the Transformer expects much more the one that stood furthest back, else the most ahead."""
        clear = [i for i in range(1, len(self.ids)) if self.back[i] >= FAR and self.ahead(i) > CLEAR]
        return max(clear, key=self.back.__getitem__) if clear else max(range(1, len(self.ids)), key=self.ahead)


def text_ids(page, typed: str) -> tuple[int, ...]:
    """The tokens of what was typed, the last MOST of them; what was done with it is said."""
    tokenizer = shared_tokenizer()
    ids = tokenizer.encode(typed)
    if len(ids) > MOST:
        page.note("notes.tokens_tail", n=MOST, all=len(ids))
    if len(ids) < 2:
        example = page.t.plain("prompt.default")
        page.note("notes.short", n=2, text=example[:120])
        ids = tokenizer.encode(example)
    return tuple(ids[-MOST:])


def read(ids: tuple[int, ...]) -> Both:
    """What both networks make of a text; both go on from the longest beginning that they read before."""

    def compute():
        transformer = LanguageModel("rnn_vs_transformer", load_rival("transformer"), shared_tokenizer())
        found = {"transformer": -live.read(transformer, ids).logprobs[1:].numpy(), "gru": _hear(ids).losses.numpy()}
        return Both(ids, shared_tokenizer().labels(list(ids)), distances(ids), found)

    return _read.get(ids, compute)


def _hear(ids: tuple[int, ...]) -> Heard:
    return _heard.get(("gru", ids), lambda: hear(load_rival("gru"), ids, *_heard.closest("gru", ids)))


def looked(ids: tuple[int, ...], place: int) -> dict[str, np.ndarray]:
    """What the prediction of a token hangs on, by network, (place,)."""
    return _looks.get((ids, place), lambda: {kind: looks_back(load_rival(kind), ids, place).numpy() for kind in KINDS})


def chosen(page, both: Both) -> int:
    """The token a viewer chose, from 0, or a striking one. In the link from 1."""
    url.seed(page, "token", AUTO, lambda raw: raw if raw == AUTO else _place(raw))
    value = st.session_state[page.key("token")]
    url.share(page, "token", None if value == AUTO else str(value))
    return both.striking if value == AUTO else min(max(int(value), 2), len(both.ids)) - 1


def strip(page, both: Both, place: int) -> None:
    """The text; orange where the Transformer expected the token more, blue where the GRU did. A click chooses a token."""
    t = page.t
    tokens = [Token(both.labels[0])]
    for i in range(1, len(both.ids)):
        ahead = both.ahead(i)
        title = t.plain("tokens.word", token=both.labels[i], **both.at(i))
        tokens.append(Token(both.labels[i], 0.5 + 0.5 * float(np.tanh(ahead / 5)), title, state="marked" if both.back[i] >= FAR else ""))

    def choose(i: int):
        controls.set_value(page, "token", max(i, 1) + 1)

    token_strip(page, "strip", tokens, t.plain("tokens.strip"), choose, place, palette="diverging")


def numbers(both: Both, place: int) -> dict:
    """For sentences: the chosen token, what each network gave it, and mean losses where tokens are new and where they return."""
    found, back = both.at(place), np.array(both.back[1:])
    says: dict = {"token": both.labels[place], "n": place + 1, "back": both.back[place]}
    says |= {"tokens": len(both.ids), "returning": int((back > 0).sum())}
    for kind in KINDS:
        loss = both.losses[kind]
        says |= {f"{kind}_loss": found[kind], f"{kind}_p": float(np.exp(-found[kind])), f"{kind}_mean": float(loss.mean())}
    return says


def means(both: Both) -> dict[str, float | str]:
    """Mean loss by network on tokens that are new in the text and on those that stood at least FAR tokens before."""
    back = np.array(both.back[1:])
    found: dict[str, float | str] = {}
    for name, where in (("new", back == 0), ("far", back >= FAR)):
        for kind in KINDS:
            found[f"{kind}_{name}"] = float(both.losses[kind][where].mean()) if where.any() else "–"
    return found


def look_numbers(both: Both, place: int, found: Mapping[str, np.ndarray]) -> dict:
    """For sentences: which earlier token each prediction hangs on most, and how much lies more than ten tokens back."""
    says: dict = {"token": both.labels[place]}
    for kind, shares in found.items():
        top = int(shares.argmax())
        says |= {f"{kind}_at": both.labels[top], f"{kind}_back": place - top, f"{kind}_share": float(shares[top])}
        says[f"{kind}_far"] = float(shares[: max(place - 10, 0)].sum())
    return says


def run() -> dict:
    """The recorded comparison."""
    return recorded("rnn_vs_transformer_evaluation")


def names_right(language: str) -> dict[str, dict[int, float]]:
    """Share of new names given back rightly, by network and distance."""
    return {kind: {int(d): score[language] for d, score in run()["networks"][kind]["names"].items()} for kind in KINDS}


def names_known(language: str) -> dict[str, dict[int, float]]:
    """By how many nats a known name is likelier where it was told than where another was, by network and distance."""
    found = {kind: run()["networks"][kind]["memory"][language] for kind in KINDS}
    return {kind: {int(d): both["another"] - both["told"] for d, both in curve.items()} for kind, curve in found.items()}


def names_numbers(language: str) -> dict[str, float]:
    """For sentences: the ends of both recorded curves."""
    right, known = names_right(language), names_known(language)
    says = {}
    for kind in KINDS:
        says |= {f"{kind}_{d}": right[kind][d] for d in (20, 200)} | {f"{kind}_known_{d}": known[kind][d] for d in (10, 400)}
    return says | {f"gru_times_{d}": float(np.exp(known["gru"][d])) for d in (10, 400)}


def reach() -> dict[str, dict[int, float]]:
    """Mean length of the gradient of a prediction, by network and tokens back, on held-out text."""
    return {kind: dict(enumerate(run()["networks"][kind]["gradient_by_distance"], 1)) for kind in KINDS}


def reach_numbers() -> dict[str, float]:
    """Both curves near and far: at 1 token, and mean of 150 to 230 tokens back."""
    curves = reach()
    says = {f"{kind}_near": curve[1] for kind, curve in curves.items()}
    return says | {f"{kind}_far": float(np.mean([curve[d] for d in range(150, 231)])) for kind, curve in curves.items()}


def chains(n: int) -> dict[str, int]:
    """How many layers wait for each other and how many numbers are kept, after `n` tokens."""
    found = {}
    for kind in KINDS:
        network = load_rival(kind)
        found |= {f"{kind}_chain": longest_chain(network, n), f"{kind}_kept": numbers_kept(network, n)}
    return found


def measure_next(measured: dict[tuple[int, str], float]) -> bool:
    """Measure the next of RUNS into `measured`; False when all are done."""
    left = [run for run in RUNS if run not in measured]
    if left:
        n, name = left[0]
        kind, way = name.split()
        with _measuring:
            measured[left[0]] = reading_seconds(load_rival(kind), n, one_by_one=way == "write")
    return len(left) > 1


def time_numbers(measured: dict[tuple[int, str], float]) -> dict[str, float] | None:
    """The longest text measured in all four ways and its times in milliseconds; None before that."""
    whole = [n for n in SIZES if all((n, name) in measured for name in WAYS)]
    if not whole:
        return None
    n = whole[-1]
    return {"n": n, **{name.replace(" ", "_"): 1000 * measured[n, name] for name in WAYS}, **chains(n)}


def fair() -> dict:
    """For the panel on fairness: sizes, tokens, what was tried."""
    networks = run()["networks"]
    sizes = {kind: networks[kind]["parameters"] for kind in KINDS}
    rates = {f"{kind}_rate": networks[kind]["learning_rate"] for kind in KINDS}
    return {
        **sizes, **rates, "apart": max(sizes.values()) / min(sizes.values()) - 1, "tokens": networks["gru"]["tokens_seen"] / 1e6,
        "tried": len(run()["gru_settings"]), "command": run()["command"],
    }  # fmt: skip


def held_out() -> dict[str, dict[str, float]]:
    """Held-out losses by network and source."""
    return {kind: run()["networks"][kind]["held_out_nats_per_token"] for kind in KINDS}


def _place(raw: str) -> int:
    value = int(raw)
    if not 2 <= value <= MOST:
        raise ValueError(f"must be in [2, {MOST}], got {value}")
    return value
