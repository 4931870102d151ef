"""A BPE training that a viewer watches: some merges a run, until it is done or stopped."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import streamlit as st

from core.tokenizers import PATTERN, Tokenizer, readable
from core.training.bpe import Merge, count_words, ranks, train
from core.ui.token_strip import Token

STEPS = 40  # runs that a watched training takes
# As the bundled encoding cuts, but no piece is longer than 40 signs: a merge looks at every piece it changes, and one
# without end (a page of Chinese, a row of dots) would take minutes.
CUT = PATTERN.replace("+", "{1,40}").replace("*", "{0,40}")
AT_ONCE = 6_000  # bytes; a longer text is trained on step by step from the start
EXCERPT = 400  # characters of the text that are shown as tokens


@dataclass
class Training:
    """One viewer's training so far."""

    text: str
    n_merges: int
    steps: Iterator[Merge]
    n_bytes: int
    merges: list[Merge] = field(default_factory=list)
    going: bool = False

    def go_on(self, n: int) -> None:
        """Up to n more merges; it ends where no pair is left."""
        wanted = min(len(self.merges) + n, self.n_merges)
        while len(self.merges) < wanted:
            merge = next(self.steps, None)
            if merge is None:
                self.going = False
                return
            self.merges.append(merge)
        self.going = self.going and wanted < self.n_merges

    @property
    def stride(self) -> int:
        """Merges in one watched step."""
        return max(1, self.n_merges // STEPS)

    @property
    def n_tokens(self) -> int:
        return self.merges[-1].n_tokens if self.merges else self.n_bytes

    def tokenizer(self) -> Tokenizer:
        """The encoding that the merges so far make."""
        return Tokenizer.from_ranks("trained", ranks(self.merges), CUT)


def start(text: str, n_merges: int, going: bool) -> Training:
    """A training of `n_merges` on `text` that has not merged anything yet."""
    return Training(text, n_merges, train(count_words([text], CUT), n_merges), len(text.encode("utf-8")), going=going)


def training(page, text: str, n_merges: int) -> Training:
    """The viewer's training: the one being watched or stopped, else a new one, at once where the text is short."""
    key = page.key("training")
    run = st.session_state.get(key)
    if run is None or (run.text, run.n_merges) != (text, n_merges):
        run = st.session_state[key] = start(text, n_merges, going=len(text.encode("utf-8")) > AT_ONCE)
        run.go_on(run.stride if run.going else n_merges)
    elif run.going:
        run.go_on(run.stride)
    return run


def button(page, run: Training) -> None:
    """Start over and show it step by step, or stay at the merges made so far (texts `training.watch`, `.stop`)."""
    key, name = page.key("training"), "stop" if run.going else "watch"

    def clicked():
        if run.going:
            run.going = False
        else:
            st.session_state[key] = start(run.text, run.n_merges, going=True)

    icon = ":material/stop:" if run.going else ":material/play_arrow:"
    st.button(page.t(f"training.{name}"), key=page.key(name), icon=icon, type="primary", on_click=clicked)


def newest(page, run: Training, n: int) -> list[Token]:
    """The n latest merges, the last first, each with how often its pair stood in the text."""
    fresh = len(run.merges) - run.stride if run.going else len(run.merges)
    shown = list(enumerate(run.merges))[-n:]
    return [
        Token(readable(merge.token), note=page.t.number(merge.count, ",d") + "×", state="fresh" if i >= fresh else "")
        for i, merge in reversed(shown)
    ]


def excerpt(run: Training) -> list[Token]:
    """The start of the text, cut with the merges so far; longer tokens are deeper in colour."""
    tokenizer, last = run.tokenizer(), 256 + len(run.merges)
    fresh = last - run.stride if run.going else last
    tokens = []
    for i in tokenizer.encode(run.text[:EXCERPT]):
        length = len(tokenizer.token_bytes(i))
        tokens.append(Token(tokenizer.label(i), 0.72 * min(length - 1, 7) / 7 if length > 1 else None, state="fresh" if i >= fresh else ""))
    return tokens
