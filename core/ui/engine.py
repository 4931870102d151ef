"""The same question to another model, on a server of its own: a panel where whoever runs this server named one (GLASSBOX_ENGINE_URL).

Nothing is sent before the viewer switches the panel on. Answers are kept for whoever asks the same next.
"""

import math
import os
from collections.abc import Callable
from contextlib import closing

import numpy as np
import streamlit as st

from core.charts import beam_tree, perplexity
from core.charts.distribution import distribution_chart, distribution_data
from core.tokenizers import readable
from core.ui import controls, panels
from core.ui.charts import draw
from core.ui.frame import fragment
from core.ui.kept import Kept
from core.ui.surprise import DARKEST
from core.ui.token_strip import Token, candidates, token_strip
from core.ui.wide import draw_wide

SHOWN, WRITTEN, WIDTH, STEPS = 12, 40, 3, 8
_kept = Kept(48)  # over all viewers; a tree takes about 100 kB


def asked(page, show: Callable) -> tuple[Callable, ...]:
    """The panel as a fragment that takes a text's token ids, for `lab`; empty where this server has no engine.

    show(page, engine, text) fills it: `next_token`, `text_surprise` or `beams`.
    """
    if not os.environ.get("GLASSBOX_ENGINE_URL", "").strip():
        return ()

    @fragment
    def ask(ids):
        from core.engines import EngineError, from_environment

        with panels.panel(page, "engine", "engine"):
            if not controls.toggle(page, "engine"):
                return
            try:
                engine = _kept.get("engine", from_environment)
                st.caption(page.t("engine.model", model=engine.name))
                show(page, engine, page.lm.tokenizer.decode(ids))
            except EngineError as error:
                st.error(page.t(f"engine.errors.{error.kind}", **error.values), icon=":material/error:")

    return (ask,)


def next_token(page, engine, text: str) -> None:
    """The likeliest next tokens as bars, and a continuation that appears as it is written."""
    from core.engines import next_token as ask
    from core.engines import write

    t = page.t
    found = _kept.get(("next", engine, text), lambda: ask(engine, text, SHOWN))
    names = _labels(page, found.tokens)
    data = distribution_data(range(len(names)), names, np.zeros(len(names)), found.shares)
    spec = distribution_chart(SHOWN, "", t.plain("engine.share"), t.plain("engine.token"), page.language)
    draw(page, "engine_bars", spec, data, t.plain("engine.alt", token=names[0], share=found.shares[0], model=engine.name))
    panels.download(page, "engine_bars", lambda: data[["token", "after"]])
    temperature = controls.slider(page, "engine_temperature", 0.0, 2.0, 1.0, 0.1)
    place = st.empty()

    def compute():
        written = []
        with closing(write(engine, text, WRITTEN, temperature)) as tokens:
            for token in tokens:
                written.append(token)
                place.text("".join(t.text for t in written))  # as text, whatever the model writes
        return written

    written = _kept.get(("text", engine, text, temperature), compute)
    place.empty()
    shares = [math.exp(token.logprob) for token in written]
    token_strip(page, "engine_text", candidates(page, _labels(page, [t.text for t in written]), shares), t.plain("engine.text"))
    panels.source(page, ask, write)


def text_surprise(page, engine, text: str) -> None:
    """A text in the ink of the engine's surprise, its bars and its perplexity."""
    from core.engines import perplexity as ask
    from core.engines.scoring import score

    t, place = page.t, st.empty()

    def so_far(done: int, n: int) -> None:
        place.progress(done / n, t("engine.scoring", n=done, all=n))

    found = _kept.get(("score", engine, text), lambda: ask(engine, text, so_far))
    place.empty()
    names, bits = _labels(page, found.tokens), found.measured.bits.numpy()
    numbers = {"n": len(bits), "bits": float(bits.mean()), "perplexity": found.measured.perplexity}
    st.markdown(t("engine.measured", model=engine.name, requests=found.requests, **numbers))
    tokens = [Token(names[0], title=t.plain("token.first", token=names[0]))]
    for name, surprise in zip(names[1:], bits.tolist()):
        title = t.plain("text.ink", token=name, bits=surprise, share=2**-surprise)
        tokens.append(Token(name, min(surprise / DARKEST, 1.0), title, t.number(surprise, ".1f")))
    token_strip(page, "engine_strip", tokens, t.plain("text.strip"))
    data = perplexity.surprisal_data(names[1:], bits, None, 100)
    words = t.words("text", "position", "token", "bits", "share", "so_far", "choices")
    most = 8 * -(-int(bits.max() + 2) // 8)
    spec = perplexity.surprisal_chart("reused", len(bits) <= perplexity.MOST_LABELS, most, page.language, **words)
    most_at = int(bits.argmax())
    numbers = {"token": names[most_at + 1], "bits": numbers["bits"], "perplexity": numbers["perplexity"], "most": float(bits[most_at])}
    draw(page, "engine_surprise", spec, data, t.plain("text.alt", **numbers))
    panels.download(page, "engine_surprise", lambda: data[["position", "token", "bits", "share"]])
    panels.source(page, ask, score)


def beams(page, engine, text: str) -> None:
    """The tree of a search that this server leads over the engine's answers."""
    from core.engines import beam_steps

    t = page.t
    width, place = controls.slider(page, "engine_width", 1, 5, WIDTH), st.empty()

    def compute():
        place.progress(0.0, t("searching", step=0, steps=STEPS))
        for step, found in enumerate(beam_steps(engine, text, width, STEPS), 1):  # noqa: B007
            place.progress(step / STEPS, t("searching", step=step, steps=STEPS))
        return found

    search, tree = _kept.get(("beam", engine, text, width), compute)
    place.empty()
    heights, last = beam_tree.layout(tree, 1), beam_tree.last_step(tree)
    root, label = t.plain("tree.root"), lambda token: readable(search.label(token).encode())
    data = beam_tree.beam_tree_data(tree, heights, last, label, (), 1.0, root)
    words = t.words("tree", "leads", "alive", "dropped", "step", "token", "share", "logprob", "total", "text")
    best = tree.hypotheses[0]
    told = {"text": search.text(best.ids), "total": best.logprob, "step": last}
    spec = beam_tree.beam_tree_chart(last, beam_tree.lines(heights), language=page.language, **words)
    draw_wide(page, "engine_tree", spec, data.drop(columns="state"), alt=t.plain("tree.alt", **told))
    st.caption(t("engine.found", requests=search.requests, text=told["text"].strip(), total=best.logprob, share=math.exp(best.logprob)))
    panels.download(page, "engine_tree", lambda: data[["step", "token", "share", "logprob", "total", "text"]])
    panels.source(page, beam_steps)


def _labels(page, tokens) -> list[str]:
    """Tokens as a viewer reads them; one without a text of its own is the end or a part of a character."""
    return [readable(token.encode()) if token.strip("\ufffd") else page.t.plain("engine.nothing") for token in tokens]
