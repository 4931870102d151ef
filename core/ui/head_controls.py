"""The controls of the attention lab: which head, which step, which heads are off, and the text inked by a map."""

from collections.abc import Sequence

import streamlit as st
from torch import Tensor

from core.ui import controls, heads
from core.ui.head_gallery import Cell, head_gallery
from core.ui.heads import Head, Heads, written
from core.ui.token_strip import NOTED, Token, token_strip

SEEN = 0.005  # weights below are not worth a word


def head_list(page, found: Heads, head: Head) -> None:
    """All heads as a list to search in, with what each does: the gallery for keyboards and phones."""
    key = page.key("list")
    st.session_state[key] = head
    st.selectbox(
        page.t("list.label"),
        found.all(),
        format_func=lambda one: _option(page, found, one),
        key=key,
        on_change=lambda: heads.open_head(page, st.session_state[key]),
        width=320,
    )


def gallery(page, found: Heads, head: Head, png: bytes, config) -> None:
    """All heads as small maps; a click opens one."""
    t, every, cells = page.t, found.all(), []
    for one in every:
        kind = found.kind(one)
        share = "" if kind == "mixed" else t.number(found.score(one, kind), ".0%")
        values = {"head": written(one), "layer": one[0] + 1, "n": one[1] + 1, "share": share}
        title = t.plain("gallery.title", kind=kind_name(page, kind), **values)
        cells.append(Cell(written(one), kind, f"{t.plain(f'gallery.short.{kind}')} {share}".strip(), title))
    chips = {kind: t.plain("gallery.chip", kind=kind_name(page, kind), n=n) for kind, n in found.counts().items()}
    head_gallery(
        page, "gallery", png, cells, (config.n_layers, config.n_heads), chips, every.index(head), t.plain("gallery.label"),
        lambda i: heads.open_head(page, every[i]),
    )  # fmt: skip


def attention_strip(page, pattern: Tensor, tokens: Sequence[str], query: int) -> None:
    """The text inked by one row and one column of a map: left of the token what it looks at, right of it who looks at it."""
    t, shown = page.t, []
    for i, name in enumerate(tokens):
        past = i <= query
        weight = float(pattern[query, i] if past else pattern[i, query])
        title = t.plain("strip.looks_at" if past else "strip.looked_at", token=name, chosen=tokens[query], share=weight)
        note = t.number(weight, ".0%") if weight >= NOTED else ""
        shown.append(Token(name, 0.5 + (0.5 if past else -0.5) * weight**0.5, title, note))
    either_way = pattern.tril() + pattern.tril(-1).T  # row i: what i looks at, then who looks at i
    token_strip(
        page, "strip", shown, t.plain("strip.label"), lambda i: heads.look_at(page, "token", i), query, "diverging", either_way.numpy()
    )  # fmt: skip
    at, by = _most(page, pattern[query, : query + 1], tokens), _most(page, pattern[query + 1 :, query], tokens[query + 1 :])
    last = "strip.by" if query + 1 < len(tokens) else "strip.last"
    st.markdown(t("strip.at", token=tokens[query], n=query + 1, looks=at) + "  \n" + t(last, token=tokens[query], looks=by))


def stepper(page, stages: Sequence[str], keys: tuple[str | None, str | None] = (None, None)) -> str:
    """The steps of something in one row, with buttons to the one before and the next; `keys` press these two."""
    stage = controls.segmented(page, "stage", stages, stages[0])
    at = stages.index(stage)
    with st.container(horizontal=True):
        ways = (("back", ":material/arrow_back:", at - 1), ("next", ":material/arrow_forward:", at + 1))
        for (name, icon, to), shortcut in zip(ways, keys):
            st.button(
                page.t(f"steps.{name}"),
                key=page.key(name),
                icon=icon,
                type="primary" if name == "next" else "secondary",
                disabled=not 0 <= to < len(stages),
                shortcut=shortcut,
                on_click=lambda to=to: controls.set_value(page, "stage", stages[to]),
            )
    return stage


def switches(page, found: Heads, head: Head) -> list[Head]:
    """Which heads are off: the opened one, any others, or all of a kind."""
    t, state, key, by_kind = page.t, st.session_state, page.key("off_list"), page.key("off_kind")
    state[key] = heads.switched_off(page, head)
    st.multiselect(
        t("off.label"),
        found.all(),
        format_func=lambda one: _option(page, found, one),
        key=key,
        on_change=lambda: controls.set_value(page, "off", list(state[key])),
        help=t("off.help"),
    )

    def all_of_kind():
        kind, state[by_kind] = state[by_kind], None
        controls.set_value(page, "off", None if kind == "opened" else [] if kind == "none" else found.of_kind(kind))

    words = {"opened": t("off.opened", head=written(head)), "none": t("off.none")}
    words |= {kind: t("off.kind", kind=kind_name(page, kind), n=n) for kind, n in found.counts().items()}
    st.pills(t("off.kinds"), list(words), format_func=words.get, key=by_kind, on_change=all_of_kind)
    return state[key]


def kind_name(page, kind: str) -> str:
    """What a kind of head is called."""
    return page.t.plain(f"kinds.{kind}")


def _option(page, found: Heads, head: Head) -> str:
    return page.t.plain("list.option", head=written(head), kind=kind_name(page, found.kind(head)))


def _most(page, weights: Tensor, tokens: Sequence[str], most: int = 4) -> str:
    """The largest weights as words: "␣Re 99%, . 1%"."""
    top = weights.topk(min(most, len(weights)))
    seen = [f"{tokens[i]} {page.t.number(float(w), '.0%')}" for w, i in zip(*top) if w > SEEN]
    return page.t.join(seen) or "–"
