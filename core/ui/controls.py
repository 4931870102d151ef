"""Prompt, presets and controls: keys `<page>_<name>`, words from the page's texts, state in the link.

A control called `top_k` reads its words from `top_k.label` and, where given, `top_k.help`; a choice
reads `cache.label` and the words of each option from `cache.options.<option>`.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from core.ui import models, url, walk
from core.ui.texts import LANGUAGES, load

MOST_SIGNS = 100_000
_UNBOUND = "_unbound"


def slider(page, name: str, low, high, default, step=None, format: str | None = None):
    """A number on a scale; reports on release (see live_slider for one that follows the finger)."""
    _check_link(page, name, low, high, default)
    if format is None and isinstance(default, float) and page.language == "de" and (st.context.locale or "").startswith("de"):
        format = "localized"  # 0,8: the browser writes it, as it does for its own language
    return st.slider(min_value=low, max_value=high, step=step, format=format, **_common(page, name, default))


def number(page, name: str, low, high, default, step=1):
    """A number to type."""
    _check_link(page, name, low, high, default)
    return st.number_input(min_value=low, max_value=high, step=step, **_common(page, name, default))


def toggle(page, name: str, default: bool = False) -> bool:
    """On or off."""
    raw = st.query_params.get(page.key(name))
    if raw is not None and page.key(name) not in st.session_state and raw.lower() not in ("true", "false"):
        _reset(page, name, raw, default)
    return st.toggle(**_common(page, name, default))


def select(page, name: str, options: Sequence, default):
    """One of many, in a list. Options are language-neutral values; the link holds the value."""
    return _choice(st.selectbox, page, name, options, default)


def segmented(page, name: str, options: Sequence, default):
    """One of two to five, all visible."""
    return _choice(st.segmented_control, page, name, options, default, required=True)


def several(page, name: str, options: Sequence, default: Sequence) -> list:
    """Any number of a few, all visible; the link holds them separated by commas."""
    by_text = {str(option): option for option in options}
    url.seed(page, name, list(default), lambda raw: [_known(by_text, text) for text in raw.split(",") if text])
    chosen = st.pills(
        page.t(f"{name}.label"),
        options,
        selection_mode="multi",
        **_option_words(page, name),
    )
    chosen = [option for option in options if option in chosen]
    url.share(page, name, None if chosen == list(default) else ",".join(map(str, chosen)))
    return chosen


def set_value(page, name: str, value) -> None:
    """Set a control from a callback, whatever kind it is."""
    st.session_state[page.key(name)] = value


def place():
    """Where something stands that comes and goes. Without it all that follows would be another element to the browser and drawn anew."""
    return st.container()


def presets(page, settings: Mapping[str, Mapping], prompt_name: str = "prompt", group: str = "presets") -> None:
    """A row of "what to try" (three at least). Each sets the prompt and controls and says what to look at.

    settings: {"fact": {"temperature": 0.0}}; texts: `presets.fact.label`, `.prompt`, `.look`, `.note`. A preset
    sets every control that any preset names: those it does not name go back to `settings["default"]`.
    A second row, for a second text, has another `group` of texts, named `<prompt_name>_presets`.
    A page without a prompt leaves out the texts `.prompt`; the preset shown is then the one whose settings hold.
    """
    t, key = page.t, page.key("preset" if group == "presets" else group)
    resets = dict(settings.get("default", {}))
    names = [name for name in settings if name != "default"]

    def choose(name: str | None):
        for control, value in (resets | dict(settings[name] if name else {})).items():
            set_value(page, control, value)
        words = f"{group}.{name}.prompt" if name else f"{prompt_name}.default"
        if words in t:
            set_value(page, prompt_name, t.plain(words))

    def chosen():
        if st.session_state[key]:
            choose(st.session_state[key])

    asked = walk.due(page.name) if group == "presets" else None
    if asked in names:
        choose(asked)

    if names and f"{group}.{names[0]}.prompt" in t:
        typed = page.key(prompt_name)
        linked = st.query_params.get(typed, t.plain(f"{prompt_name}.default"))  # the field, drawn below, reads the link later
        same = _presets_of(page, st.session_state.get(typed, linked), page.language, group)
        # Two presets may share a text: then the controls tell them apart, and where these do not, which one was chosen last.
        same = [name for name in same if _holds(page, resets | dict(settings.get(name, {})), resets)] or same
        now = st.session_state.get(key) if st.session_state.get(key) in same else next(iter(same), None)
    else:
        now = next((name for name in names if _holds(page, resets | dict(settings[name]), resets)), None)
    st.session_state[key] = now if now in names else None
    if group == "presets":
        walk.offer_presets(page, names, st.session_state[key], choose)
    st.pills(t("presets.label"), names, format_func=lambda name: t(f"{group}.{name}.label"), key=key, on_change=chosen)
    with place():
        if now in names:
            st.caption(f":material/visibility: {t(f'{group}.{now}.look')}")
            if f"{group}.{now}.prompt" in t and models.used() != models.BUNDLED:
                st.caption(t("models.presets"))


def prompt(page, name: str = "prompt", max_tokens: int = 512, keep: str = "tail", min_tokens: int = 1, live: bool = False) -> list[int]:
    """The viewer's text as token ids, at most `max_tokens` of them; everything else as in `text`.

    An instruct model gets a switch that puts the text into its form of a conversation; off, it is text like any other.
    """
    example, encode = page.t.plain(f"{name}.default"), page.lm.tokenizer.encode
    typed = text(page, name, keep=keep, live=live)
    form = _conversation(page, f"{name}_chat", max_tokens)
    ids, room = encode(typed), max_tokens - (len(form("")) if form else 0)
    with place():
        if len(ids) > room:
            page.note(f"notes.tokens_{keep}", n=room, all=len(ids))
            ids = ids[:room] if keep == "head" else ids[-room:]
            typed = page.lm.tokenizer.decode(ids).strip("\ufffd")  # a cut may fall into a character
        if form:
            return form(typed)
        if len(ids) < min_tokens:
            ids = encode(example)
            page.note("notes.short", n=min_tokens, text=_short(example))
        return ids


def _conversation(page, name: str, max_tokens: int) -> Callable[[str], list[int]] | None:
    """What turns a text into a message to the model, where it was trained on conversations and the viewer wants that."""
    from core.chat import can_chat, chat_prompt

    def form(text: str) -> list[int]:
        return chat_prompt(page.lm, [{"role": "user", "content": text}])

    if not can_chat(page.lm) or len(form("")) > max_tokens // 2:
        url.share(page, name, None)
        return None
    url.seed(page, name, False, lambda raw: bool(("off", "on").index(raw)))
    wanted = st.toggle(page.t("models.chat"), key=page.key(name), help=page.t("models.chat_help"), persist_state="session")
    url.share(page, name, "on" if wanted else None)
    return form if wanted else None


def text(
    page, name: str = "prompt", most_signs: int = MOST_SIGNS, keep: str = "tail", live: bool = False, one_line: bool = False
) -> str:  # fmt: skip
    """The viewer's text, never empty. `live`: one line that is read while it is typed; `one_line`: when Enter hands it over.

    What was typed stays in the field; what is done with it (cut, cleaned, replaced by the example
    `<name>.default`) is said in one sentence. `keep` says which end survives a cut: "head" or "tail".
    """
    t, key = page.t, page.key(name)
    example = t.plain(f"{name}.default")
    url.seed(page, name, example, str)
    _follow_language(page, name)
    field, extra = (st.text_input, {"live": "20ms"} if live else {}) if live or one_line else (st.text_area, {"height": 100})
    label, info = t(f"{name}.label"), t.maybe(f"{name}.help")
    typed = field(label, key=key, placeholder=example, help=info, persist_state="session", **extra)
    kept, removed = clean(typed)
    with place():
        if not url.share(page, name, None if typed == example else typed):
            page.note("notes.long_link")
        if removed:
            page.note("notes.control", n=removed)
        if len(kept) > most_signs:
            kept = kept[:most_signs] if keep == "head" else kept[-most_signs:]
            page.note(f"notes.signs_{keep}", n=most_signs)
        if not kept.strip():
            kept = example
            page.note("notes.empty", text=_short(example))
        return kept


def _short(text: str, most: int = 120) -> str:
    """A text that fits into a sentence."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def clean(text: str) -> tuple[str, int]:
    """Text without control characters (line breaks and tabs stay) and lone surrogates, and how many went."""
    text = text.replace("\r\n", "\n")
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return kept, len(text) - len(kept)


def seeded(page, name: str, options: Sequence, default):
    """What a choice is set to, before it is on the page: for a picture that stands above it."""
    key = page.key(name)
    by_text = {str(option): option for option in options}
    url.seed(page, name, default, lambda raw: _known(by_text, raw))
    if st.session_state[key] not in options:
        st.session_state[key] = default
    return st.session_state[key]


def _choice(widget, page, name: str, options: Sequence, default, **extra):
    seeded(page, name, options, default)
    value = widget(
        page.t(f"{name}.label"),
        options,
        **_option_words(page, name),
        **extra,
    )
    url.share(page, name, None if value == default else str(value))
    return value


def _option_words(page, name: str) -> dict:
    """Key, help and the options' words of a choice."""
    return {
        "format_func": lambda option: page.t.maybe(f"{name}.options.{option}") or str(option),
        "key": page.key(name),
        "help": page.t.maybe(f"{name}.help"),
        "persist_state": "session",
    }


def _known(by_text: dict, raw: str):
    if raw not in by_text:
        raise ValueError(f"must be one of {', '.join(by_text)}, got {raw}")
    return by_text[raw]


def _common(page, name: str, default) -> dict:
    return {
        "label": page.t(f"{name}.label"),
        "help": page.t.maybe(f"{name}.help"),
        "key": page.key(name),
        "value": default,  # what the link leaves out; presets set the session (see .streamlit/config.toml)
        "bind": None if page.key(name) + _UNBOUND in st.session_state else "query-params",
        "persist_state": "session",
    }


def _check_link(page, name: str, low, high, default) -> None:
    """A number in the link that is none, or out of range, is reset with one sentence."""
    raw = st.query_params.get(page.key(name))
    if raw is None or page.key(name) in st.session_state:
        return
    try:
        given = float(raw)
    except ValueError:
        given = math.nan
    if not low <= given <= high:  # also false for nan
        _reset(page, name, raw, default)
    if math.isinf(given):  # Streamlit would turn it into an integer and fail: this control stays out of the link
        st.session_state[page.key(name) + _UNBOUND] = True


def _reset(page, name: str, raw: str, default) -> None:
    page.note("notes.reset", name=page.key(name), value=raw[:40])
    del st.query_params[page.key(name)]
    st.session_state[page.key(name)] = default


def _follow_language(page, name: str) -> None:
    """Where the text is an untouched example, show the example of the language the viewer switched to."""
    key, last = page.key(name), page.key(name) + "_language"
    before = st.session_state.get(last)
    st.session_state[last] = page.language
    if before in (None, page.language):
        return
    words = load(before, page.name)
    examples = [f"presets.{p}.{name}" for p in page.t.group("presets")]
    examples += [f"{name}_presets.{p}.prompt" for p in page.t.group(f"{name}_presets")]
    for text in (f"{name}.default", *examples):
        if words.get(text) == st.session_state[key]:
            st.session_state[key] = page.t.plain(text)


def _holds(page, wanted: Mapping, resets: Mapping) -> bool:
    """Whether every control stands where a preset puts it; one not drawn yet stands at the link's value, else at its start."""

    def stands(control: str, value) -> bool:
        key = page.key(control)
        linked = st.query_params.get(key)
        if key in st.session_state or linked is None:
            return st.session_state.get(key, resets.get(control)) == value
        return linked.lower() == (f"{value:g}" if isinstance(value, float) else str(value).lower())

    return all(stands(control, value) for control, value in wanted.items())


def _presets_of(page, text: str | None, language: str, group: str) -> list[str]:
    """The presets whose prompt this is."""
    words = load(language, page.name)
    return [name for name in page.t.group(group) if words.get(f"{group}.{name}.prompt") == text]


__all__ = [
    "LANGUAGES", "clean", "number", "presets", "prompt", "seeded", "segmented", "select", "set_value", "several", "slider", "text",
    "toggle",
]  # fmt: skip
