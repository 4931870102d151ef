"""The house around every page: navigation, language, warm-up, and one friendly sentence where something fails."""

import logging
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from pathlib import Path

import streamlit as st

from core.ui import freed, glossary, lecture, lessons, models, share, sockets, theme_watch, turns, url, walk
from core.ui.texts import LANGUAGES, Texts, pick_language

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "pages" / "home.py"
NAMES = {"en": "English", "de": "Deutsch"}
log = logging.getLogger("glassbox")

# The only style of the frame: lines stay readable on a wide screen, captions for everyone, and nothing moves for whom it must not
# (what is about to be drawn anew would otherwise grow pale in one jump at every answer, and with it lose its contrast).
# Chosen buttons have words in the primary colour on a tint of it, which doubles under a pointer: in the light theme they are
# darkened for that; in the dark theme the colour is dark enough for white words on it, so words in that colour are lightened.
_STYLE = """<style>
[data-testid='stMainBlockContainer'] { max-width: 70rem; margin: 0 auto; }
[data-testid='stCaptionContainer'] { color: color-mix(in srgb, currentColor 78%, transparent) !important; opacity: 1 !important; }
[data-testid='stCaptionContainer'] p { color: inherit !important; }
[data-testid='stMarkdownContainer'] table { display: block; max-width: 100%; overflow-x: auto; }
button[data-variant][data-selected='true'], [data-testid='stSliderThumbValue'] { color: light-dark(#09635e, #5fcfc3) !important; }
[data-testid^='stBaseButton-primary'] kbd { color: inherit !important; opacity: 1; }
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation-duration: 1ms !important; transition: none !important; }
  [data-stale='true'] { opacity: 1 !important; } }
</style>"""

# Section, file stem (= address), icon. A new page adds one line here; it is listed once its file exists.
PAGES = (
    ("start", "language_model", ":material/school:"),
    ("start", "classroom", ":material/groups:"),
    ("text", "tokens", ":material/content_cut:"),
    ("text", "embeddings", ":material/scatter_plot:"),
    ("text", "perplexity", ":material/psychology_alt:"),
    ("inside", "inside", ":material/schema:"),
    ("inside", "attention", ":material/visibility:"),
    ("inside", "positions", ":material/pin:"),
    ("inside", "context_window", ":material/width:"),
    ("inside", "in_context_learning", ":material/lightbulb:"),
    ("generate", "next_token", ":material/casino:"),
    ("generate", "beam_search", ":material/account_tree:"),
    ("generate", "speculative_decoding", ":material/fast_forward:"),
    ("serve", "kv_cache", ":material/memory:"),
    ("serve", "quantization", ":material/compress:"),
    ("serve", "attention_variants", ":material/hub:"),
    ("serve", "flash_attention", ":material/flash_on:"),
    ("serve", "sparse_attention", ":material/grid_on:"),
    ("serve", "paged_cache", ":material/auto_stories:"),
    ("serve", "mixture_of_experts", ":material/diversity_3:"),
    ("serve", "gpu", ":material/developer_board:"),
    ("serve", "calculator", ":material/calculate:"),
    ("train", "pretraining", ":material/model_training:"),
    ("train", "scaling_laws", ":material/trending_down:"),
    ("train", "chinchilla", ":material/balance:"),
    ("train", "rnn_vs_transformer", ":material/sync_alt:"),
    ("train", "encoder_decoder", ":material/translate:"),
    ("train", "post_training", ":material/thumb_up:"),
    ("train", "test_time", ":material/timer:"),
    ("society", "bias_and_calibration", ":material/scale:"),
    ("society", "multimodal", ":material/image:"),
    ("society", "timeline", ":material/timeline:"),
    ("society", "measurements", ":material/speed:"),
)


@dataclass(frozen=True)
class Page:
    """What a page works with: its words, its language, the model."""

    name: str
    language: str
    t: Texts
    entered: bool  # the viewer came from another page just now
    panel: list[str] = field(default_factory=list)  # names of the panels being drawn, the innermost last

    @property
    def lm(self):
        """The language model; raises DamagedCheckpoint where its files are broken."""
        from core import load_model

        return load_model(models.used(), models.mode())

    def key(self, name: str) -> str:
        """Key of a widget or of something remembered, the same in the link."""
        return f"{self.name}_{name}"

    def note(self, text: str, /, **values) -> None:
        """Say in one sentence what was done with an input."""
        st.warning(self.t(text, **values), icon=":material/info:")


def run() -> None:
    """Draw the frame, then the page the viewer asked for. Called by app.py only."""
    st.set_page_config(page_title="Glassbox", page_icon=ROOT / "assets" / "icon.svg", layout="wide")
    st.html(_STYLE)
    _warm_up()
    known = _choose_language()
    t = Texts("common", st.session_state["_language"])
    pages = _pages(t)
    lost = _unknown_address()
    if lost:
        pages[""].append(st.Page(HOME, title=t("pages.home.title"), url_path=lost, visibility="hidden"))
    page = st.navigation(pages, position="top")  # a list at the side is drawn anew with every answer: 1,000 parts
    stems = [stem for entries in sections().values() for stem, _ in entries]
    stem = page.url_path if page.url_path in stems else "home"
    mode = lecture.mode()
    lecture.go(["home", *stems])
    lessons.enter(stem)
    _sidebar(t, stem)
    if not known:
        st.warning(t("notes.language"), icon=":material/info:")
    if lost and page.url_path == lost:
        st.warning(t("notes.page"), icon=":material/info:")
    st.session_state["_framed"] = True
    try:
        with friendly():
            _header(t, stem)
            if mode == "notes":
                lecture.notes(t, stem, ["home", *stems])
                return
            with friendly():
                models.pick(t, stem)
            walk.begin()
            above = st.container()
            with turns.answer():
                page.run()
            if lessons.active():
                with above:
                    lessons.guide(t, stem, keys=not mode)
            if mode:
                lecture.bar(t, stem, ["home", *stems])
            elif stem != "home":
                glossary.draw_terms(t, stem, set(stems))
            theme_watch.watch()
    finally:
        st.session_state["_framed"] = False
        _keep_collection_short()


def require(name: str) -> Page:
    """The first line of every page: its frame. A page opened without app.py starts over through it."""
    if not st.session_state.get("_framed"):
        st.navigation(_pages(Texts("common", LANGUAGES[0])), position="hidden")
        st.rerun()
    entered = st.session_state.get("_page") != name
    st.session_state["_page"] = name
    if entered:
        url.forget_other_pages(name, ["home", *(stem for _, stem, _ in PAGES)])
    language = st.session_state["_language"]
    return Page(name, language, Texts(name, language), entered)


def fragment(function):
    """`st.fragment` whose errors become one sentence: decorates every experiment."""

    @wraps(function)
    def guarded(*args, **kwargs):
        with friendly(), turns.answer():
            return function(*args, **kwargs)

    return st.fragment(guarded)


def run_again(pause: float = 0.06) -> None:
    """Run the fragment once more: one step of something that goes on until it is stopped.

    The pause (seconds) lets a browser draw what it got, so that it never lags behind and hears a stop at once.
    """
    time.sleep(pause)
    try:
        st.rerun(scope="fragment")
    except st.errors.StreamlitAPIException:  # the whole page was running, not the fragment alone
        st.rerun()


@contextmanager
def friendly():
    """No traceback for a viewer: one sentence in their language; the log gets the rest, without their text."""
    try:
        yield
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s\n%s", type(error).__name__, where)
        t = Texts("common", st.session_state.get("_language", LANGUAGES[0]))
        st.error(_sentence(t, error), icon=":material/error:")


def sections() -> dict[str, list[tuple[str, str]]]:
    """Section -> (stem, icon) of the pages that exist, in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for section, stem, icon in PAGES:
        if _is_there(ROOT / "pages" / f"{stem}.py"):
            found.setdefault(section, []).append((stem, icon))
    return found


@cache  # pages do not come and go while the server runs
def _is_there(file: Path) -> bool:
    return file.exists()


def _pages(t: Texts) -> dict:
    """The navigation: titles follow the language, addresses do not."""
    home = st.Page(HOME, title=t("pages.home.title"), icon=":material/home:", default=True)
    pages = {"": [home]}
    for section, entries in sections().items():
        pages[t(f"navigation.{section}")] = [
            st.Page(
                ROOT / "pages" / f"{stem}.py",
                title=t(f"pages.{stem}.title"),
                icon=icon,
                url_path=stem,
                help=t(f"pages.{stem}.question"),
            )
            for stem, icon in entries
        ]
    return pages


def _header(t: Texts, stem: str) -> None:
    """Title and question, drawn before the page's own imports, so that there is something to read at once."""
    if f"pages.{stem}.question" in t:
        st.title("Glassbox" if stem == "home" else t(f"pages.{stem}.title"), anchor=False)
        st.markdown(f"##### {t(f'pages.{stem}.question')}")


def _sidebar(t: Texts, stem: str) -> None:
    with st.sidebar:
        st.segmented_control(
            t("language"),
            LANGUAGES,
            format_func=NAMES.get,
            key="_language_choice",
            label_visibility="collapsed",
            required=True,
            on_change=_language_chosen,
        )
        share.share(t, stem)
        lecture.switch(t)


def _choose_language() -> bool:
    """Settle the language: the link's, else the session's, else the browser's. False if the link's is unknown."""
    wanted = st.query_params.get("lang")
    before = st.session_state.get("_language")
    language, known = pick_language(wanted or before, st.context.locale)
    st.session_state["_language"] = st.session_state["_language_choice"] = language
    if (wanted or before) and wanted != language:
        st.query_params["lang"] = language  # so that the next run, and the next viewer, read the same
    return known


def _language_chosen() -> None:
    st.query_params["lang"] = st.session_state["_language_choice"]


def _unknown_address() -> str | None:
    """The last part of the address where it names no page."""
    asked = (st.context.url or "").split("?")[0].rstrip("/").rpartition("/")
    if "//" not in asked[0] or asked[0].endswith(("/", ":")):
        return None  # only a host: home
    stems = {stem for entries in sections().values() for stem, _ in entries}
    return asked[2] if asked[2] not in {"", *stems} else None


def _sentence(t: Texts, error: Exception) -> str:
    """What went wrong, for the viewer."""
    if "core.checkpoints" in sys.modules:
        from core.checkpoints import DamagedCheckpoint, DownloadFailed, NotEnoughMemory, UnknownModel

        if isinstance(error, DamagedCheckpoint):
            return t("errors.checkpoint", file=error.file)
        if isinstance(error, UnknownModel):
            return t("errors.model", name=models.used())
        if isinstance(error, NotEnoughMemory):
            return t("errors.memory", name=error.name, needed=error.needed / 1e6, free=error.free / 1e6)
        if isinstance(error, DownloadFailed):
            return t("errors.value", detail=str(error))
    if isinstance(error, ValueError):
        return t("errors.value", detail=str(error))
    return t("errors.unexpected")


@st.cache_resource(show_spinner=False)
def _warm_up() -> None:
    """Once per server: load what is heavy in the background while the first viewer reads the question."""
    sockets.send_at_once()
    freed.return_freed_memory()
    threading.Thread(target=_load_heavy_parts, daemon=True).start()


def _load_heavy_parts() -> None:
    import torch

    torch.set_num_threads(1)  # one thread a viewer is fastest for a small model on a shared server
    from altair.utils import schemapi

    schemapi.DEBUG_MODE = False  # charts are checked in tests; checking them for a viewer takes half of their time

    from core import load_model

    try:
        load_model(models.default(), models.usual(models.default())).logits([0])
    except Exception as error:  # the page will say it; the frame must stand without a model
        log.error("%s while warming up", type(error).__name__)


_frozen_modules = 0


def _keep_collection_short() -> None:
    """Streamlit collects garbage after every run; what the imports made need not be looked through again."""
    global _frozen_modules
    if len(sys.modules) > _frozen_modules + 10:
        _frozen_modules = len(sys.modules)
        freed.put_aside()
