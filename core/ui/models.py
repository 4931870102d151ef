"""Which model the pages show, and how its numbers are stored: the picker at the side, the link, and downloads.

The choice is kept in the session and in the link (`?model=smollm2-135m&mode=int8`); the server's own model, `mini` or
what GLASSBOX_MODEL names, and its usual numbers, 32-bit or what GLASSBOX_MODE names, leave it out. A link can name the
models of the list only, never a path or a repository: those are for whoever runs the server. Where GLASSBOX_DOWNLOADS
is 0 nothing is downloaded.
"""

import os

import streamlit as st

from core.ui.texts import Texts, escaped

BUNDLED = "mini"  # what the presets' sentences describe
_CHOICE, _USED = "_model_choice", "_model"  # what the viewer chose, and what the pages show: another while it is fetched
_MODE_CHOICE, _MODE, _IS_EXACT = "_mode_choice", "_mode", "_exact"
EXACT = "fp32"
EXACT_PAGES = ("quantization",)  # it rounds the weights itself
_POLL = 0.5  # seconds between two looks at a download


def default() -> str:
    """The server's own model."""
    return os.environ.get("GLASSBOX_MODEL") or BUNDLED


def usual(name: str) -> str:
    """How the numbers of a model are stored where a viewer chose nothing: GLASSBOX_MODE is for the server's own model."""
    from core.measure.fidelity import offered_modes

    wanted = os.environ.get("GLASSBOX_MODE")
    return wanted if name == default() and wanted in offered_modes(name) else EXACT


def used() -> str:
    """The name of the model this viewer's pages show."""
    return st.session_state.get(_USED) or default()


def mode() -> str:
    """How the weights of that model are stored on this page: one of `core.quantization.MODES`."""
    return EXACT if st.session_state.get(_IS_EXACT) else st.session_state.get(_MODE) or usual(used())


def downloads_allowed() -> bool:
    """Whether viewers may have models downloaded to this machine."""
    return os.environ.get("GLASSBOX_DOWNLOADS", "1").strip().lower() not in ("0", "false", "no", "off")


def pick(t: Texts, stem: str) -> None:
    """Draw the picker and have the model ready that the page `stem` will ask for; what is not possible is said in one sentence."""
    from core.checkpoints import model_cards
    from core.measure.fidelity import offered_modes

    cards = model_cards()
    cards = {default(): {"here": True}} | cards  # the server's own model may be a path
    offered = [name for name, card in cards.items() if card["here"] or downloads_allowed()]
    _read_link(t, cards, offered)
    state = st.session_state
    _read_mode(t, cards)
    state.setdefault(_USED, default())
    state.setdefault(_MODE, usual(default()))
    state[_IS_EXACT] = stem in EXACT_PAGES
    here = cards[state[_CHOICE]]["here"]
    if here:
        state[_USED], state[_MODE] = ready = _ready(t, state[_CHOICE], state[_MODE_CHOICE], cards)
        if not state[_IS_EXACT]:  # another page may well have room for it as it is stored
            state[_CHOICE], state[_MODE_CHOICE] = ready
    else:
        _download(t, state[_CHOICE], cards)
    choice, stored = state[_CHOICE], state[_MODE_CHOICE]
    modes = offered_modes(choice)
    if state[_IS_EXACT] and state[_MODE] != EXACT:
        st.caption(t("models.exact", name=_title(used(), cards)))
    with st.sidebar:
        st.selectbox(t("models.label"), offered, format_func=lambda name: _option(t, name, cards[name]), key=_CHOICE, help=t("models.help"))
        if len(modes) > 1:
            words = {mode: _stored(t, mode, cards[choice]) for mode in modes}
            st.selectbox(t("models.mode.label"), modes, format_func=words.get, key=_MODE_CHOICE, help=t("models.mode.help"))
        st.caption(_card(t, choice, stored, cards[choice]))
        if here and downloads().running:
            _watch(t, downloads().running, cards)
    _share("model", None if choice == default() else choice)
    _share("mode", None if stored == usual(choice) else stored)


@st.cache_resource(show_spinner=False)
def downloads():
    """The downloads of this server."""
    from core.checkpoints.background import Downloads

    return Downloads()


def _read_link(t: Texts, cards: dict, offered: list[str]) -> None:
    """Settle the choice: the session's, else the link's, else the server's own."""
    if _CHOICE not in st.session_state:
        asked = st.query_params.get("model") or default()
        if asked not in cards:
            _say(t, "models.unknown", name=asked[:40], used=_title(default(), cards))
        elif asked not in offered:
            _say(t, "models.not_allowed", name=_title(asked, cards), used=_title(default(), cards))
        st.session_state[_CHOICE] = asked
    if st.session_state[_CHOICE] not in offered:
        st.session_state[_CHOICE] = default()


def _read_mode(t: Texts, cards: dict) -> None:
    """Settle the mode, one of those that stay true to the chosen model: the session's, else the link's, else the usual one."""
    from core.measure.fidelity import offered_modes

    name = st.session_state[_CHOICE]
    modes = offered_modes(name)
    if _MODE_CHOICE not in st.session_state:
        asked = st.query_params.get("mode") or usual(name)
        if asked not in modes:
            words = t.plain(f"models.mode.names.{usual(name)}")
            _say(t, "models.mode.unknown", mode=asked[:40], name=_title(name, cards), used=words)
        st.session_state[_MODE_CHOICE] = asked
    if st.session_state[_MODE_CHOICE] not in modes:
        st.session_state[_MODE_CHOICE] = usual(name)


def _share(name: str, wanted: str | None) -> None:
    if wanted is None and name in st.query_params:
        del st.query_params[name]
    elif wanted is not None and st.query_params.get(name) != wanted:
        st.query_params[name] = wanted


def _ready(t: Texts, name: str, stored: str, cards: dict) -> tuple[str, str]:
    """Load the model `name` as the page needs it; where that is not possible, say why and return the server's own.

    Where that is what does not fit, on a page that needs exact weights, it is the bundled one.
    """
    from core.checkpoints import DamagedCheckpoint, DownloadFailed, NotEnoughMemory, UnsupportedCheckpoint, load_model

    needed = EXACT if st.session_state[_IS_EXACT] else stored
    instead = default(), usual(default())
    if (name, needed) == instead:
        return name, stored  # loaded when the page asks for it; its errors are the page's
    if st.session_state[_IS_EXACT] and instead[1] != EXACT:
        instead = BUNDLED, EXACT
    numbers = {"name": _title(name, cards), "used": _title(instead[0], cards)}
    try:
        with st.spinner(t("models.loading", name=numbers["name"]), show_time=True):
            load_model(name, needed)
        return name, stored
    except NotEnoughMemory as error:
        _say(t, "models.memory", needed=error.needed / 1e6, free=error.free / 1e6, **numbers)
    except (DamagedCheckpoint, DownloadFailed, UnsupportedCheckpoint) as error:
        _say(t, "models.unusable", reason=str(error), **numbers)
    return instead


def _download(t: Texts, name: str, cards: dict) -> None:
    """A model that is not here yet: what it takes, the button, how far it is, and how it ended."""
    running = downloads().running
    with st.container(border=True):
        st.markdown(t("models.away", name=_title(name, cards), used=_title(used(), cards)))
        if running:
            _watch(t, running, cards)
            return
        last = downloads().job
        if last and last.name == name and last.status in ("failed", "stopped"):
            _say(t, f"models.{last.status}", name=_title(name, cards), used=_title(used(), cards), reason=last.reason)
        short = _too_large(name)
        if short:
            _say(t, "models.memory", name=_title(name, cards), needed=short[0] / 1e6, free=short[1] / 1e6, used=_title(used(), cards))
        else:
            size = cards[name]["bytes"]
            start = {"on_click": downloads().start, "args": (name, size)}
            st.button(t("models.get", size=size / 1e6), key="_model_get", icon=":material/download:", type="primary", **start)


def _watch(t: Texts, job, cards: dict) -> None:
    """How far a download is, looked at again and again, with a button that stops it; at its end the page starts over."""

    def look():
        if job.status != "running":
            st.rerun()
        size = {"done": job.done / 1e6, "total": job.total / 1e6, "name": _title(job.name, cards)}
        st.progress(job.share, t("models.progress", share=job.share, **size))
        stopping = job.stop.is_set()
        st.button(t("models.stop"), key="_model_stop", icon=":material/stop:", on_click=downloads().stop, disabled=stopping)

    st.fragment(look, run_every=_POLL)()


def _too_large(name: str) -> tuple[int, int] | None:
    """Bytes needed and bytes free, where the model would not fit into what is free now."""
    from core.checkpoints import memory_needed
    from core.checkpoints.memory import free_bytes

    needed, free = memory_needed(name, st.session_state[_MODE_CHOICE]), free_bytes()
    return (needed, free) if free is not None and needed > free else None


def _option(t: Texts, name: str, card: dict) -> str:
    """One line of the list: the name, and what it would take."""
    if not card["here"]:
        return t.plain("models.option_away", name=_title(name, {name: card}), size=card["bytes"] / 1e6)
    return _title(name, {name: card})


def _stored(t: Texts, mode: str, card: dict) -> str:
    """One line of the list of modes: how a number is stored, and what the model takes so."""
    words = t.plain(f"models.mode.names.{mode}")
    return t.plain("models.mode.option", stored=words, memory=card["memory"][mode] / 1e6) if card.get("parameters") else words


def _card(t: Texts, name: str, mode: str, card: dict) -> str:
    """What a viewer should know of a model before they choose it."""
    from core.measure.fidelity import recorded

    parts = []
    if card.get("parameters"):
        parts.append(t("models.parameters", n=card["parameters"] / 1e6))
        parts.append(t("models.needs", memory=card["memory"][mode] / 1e6))
    if card.get("licence"):
        parts.append(t("models.licence", licence=card["licence"]))
    good_at = t.maybe(f"models.good_at.{name}")
    found = recorded().get(name, {}).get(mode)
    more = [good_at, t("models.mode.recorded", share=found.top1, n=found.n_tokens) if found else ""]
    return "  \n".join([f"**{escaped(_title(name, {name: card}))}**", " · ".join(parts), *filter(None, more)])


def _title(name: str, cards: dict) -> str:
    return cards.get(name, {}).get("title", name)


def _say(t: Texts, text: str, **values) -> None:
    st.warning(t(text, **values), icon=":material/info:")
