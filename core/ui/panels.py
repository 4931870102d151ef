"""The parts every page is made of, from the question to the download. All words come from the page's texts."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import streamlit as st

from core.ui import walk

_BAR = 72  # pixels of a share's bar in a table
_BADGES = {
    "live": (":material/bolt:", "orange"),
    "recorded": (":material/history:", "violet"),
    "arithmetic": (":material/calculate:", "blue"),
    "vendor": (":material/storefront:", "gray"),
    "engine": (":material/dns:", "orange"),
}


@contextmanager
def panel(page, name: str, kind: str, stretch: bool = False):
    """A card with a title (`<name>.title`), a badge (live, recorded, arithmetic, vendor, engine) and what to see (`<name>.caption`).

    `stretch` makes cards in neighbouring columns equally high.
    """
    key, title = page.key(f"panel_{name}"), page.t(f"{name}.title")
    if not page.panel:
        walk.offer_panel(key, title)
    with st.container(border=True, height="stretch" if stretch else "content", key=key):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(title, anchor=False, width="content")
            badge(page, kind)
        caption = page.t.maybe(f"{name}.caption")
        if caption:
            st.caption(caption)
        page.panel.append(name)
        try:
            yield
        finally:
            page.panel.pop()


def badge(page, kind: str) -> None:
    """Where the numbers come from: live, recorded, arithmetic, or claimed by who sells the thing."""
    icon, color = _BADGES[kind]
    st.badge(page.t(f"badge.{kind}"), icon=icon, color=color, help=page.t(f"badge.{kind}_help"))


def predict(page, choices: Sequence[str], answer: Callable[[], tuple[str, Mapping]], name: str = "predict") -> None:
    """Predict first: a question with two to four choices, then the answer with live numbers.

    `answer()` is called after the choice and returns (right choice, values of the text `<name>.answer`).
    Texts: `<name>.question`, `<name>.choices.<choice>`, `<name>.answer`. It can be skipped by reading on,
    or by asking for the answer.
    """
    t, key = page.t, page.key(name)
    with st.container(border=True):
        st.markdown(f":material/psychology_alt: **{t(f'{name}.question')}**")
        words = {choice: t(f"{name}.choices.{choice}") for choice in choices} | {"skip": t("predict_skip")}
        st.session_state.setdefault(key, None)
        walk.offer_prediction(key)
        chosen = st.pills(
            t(f"{name}.question"), list(words), format_func=words.get, key=key, label_visibility="collapsed", persist_state="session"
        )
        if chosen:
            right, values = answer()
            verdict = "" if chosen == "skip" else t("predict_right") if chosen == right else t("predict_wrong")
            st.markdown(f"{verdict} {t(f'{name}.answer', **values)}".strip())


def metrics(page, values: Mapping[str, float | str], specs: Mapping[str, str] | None = None) -> None:
    """A row of numbers: {"entropy": 3.1} with texts `entropy.label`, `entropy.help`; specs {"entropy": ".1f"}."""
    with st.container(horizontal=True, gap="medium"):
        for name, value in values.items():
            shown = value if isinstance(value, str) else page.t.number(value, (specs or {}).get(name, ""))
            st.metric(page.t(f"{name}.label"), shown, help=page.t.maybe(f"{name}.help"), width="content")


def takeaway(page, text: str = "takeaway", /, **values) -> None:
    """What to remember, in two sentences with the live numbers in them."""
    st.success(page.t(text, **values), icon=":material/lightbulb:")


def myth_fact(page, name: str = "myth", **values) -> None:
    """Something often said, and what is right (texts `<name>.claim`, `<name>.fact`; values go into the fact)."""
    key = page.key(f"panel_{name}")
    walk.offer_panel(key, page.t("myth"))
    with st.container(border=True, key=key):
        myth, fact = st.columns(2, gap="medium")
        myth.markdown(f":material/close: **{page.t('myth')}**  \n{page.t(f'{name}.claim')}")
        fact.markdown(f":material/check: **{page.t('fact')}**  \n{page.t(name + '.fact', **values)}")


def source(page, *functions: Callable) -> None:
    """The core functions that computed what is shown, as they stand in the repository."""
    with st.expander(page.t("code"), icon=":material/code:"):
        for function in functions:
            st.caption(f"`{function.__module__}.{function.__qualname__}`")
            st.code(inspect.getsource(function), language="python")


def sources(page) -> None:
    """Where the facts come from: texts `sources.<name>` in Markdown, one a line."""
    with st.expander(page.t("sources_title"), icon=":material/menu_book:"):
        st.markdown("\n".join(f"- {page.t(f'sources.{name}')}" for name in page.t.group("sources")))


def table(page, name: str, data, shares: Sequence[str] = (), whole=None) -> None:
    """A table with its download; column heads are the texts `<name>.<column>`, `shares` have bars from 0 to 1 beside them.

    `whole` is what the download holds where `data` is only a part of it.
    """
    shown, config = data.reset_index(drop=True), {column: page.t.plain(f"{name}.{column}") for column in data}
    for column in shares:
        bar = f"{column}_bar"
        shown.insert(shown.columns.get_loc(column) + 1, bar, shown[column])
        config[bar] = st.column_config.ProgressColumn(" ", width=_BAR, format=" ", min_value=0, max_value=1)
    st.dataframe(written(page.t, shown, shares), hide_index=True, column_config=config)
    download(page, name, lambda: data if whole is None else whole)


def written(t, data, shares: Sequence[str] = ()):
    """`data` with its numbers written as the page's language does (1.234,5 and 12,3 %); they still sort as numbers.

    Streamlit's own number formats follow the browser's language. A column has one number of decimals, three at most.
    """
    formats = {}
    for column in data.select_dtypes("number"):
        places, sign = (2, "%") if column in shares else (3, "f")
        values = data[column].dropna() * (100 if sign == "%" else 1)
        spec = f",.{next((n for n in range(places) if (values.round(n) - values).abs().max() < 1e-9), places)}{sign}"
        formats[column] = partial(t.number, spec=spec)
    return data.style.format(formats, na_rep="–")


def download(page, name: str, table: Callable) -> None:
    """A CSV of what a chart shows; `table()` returns a DataFrame and is called only when asked for.

    The button says `<name>.download` where the page has that text.
    """
    st.download_button(
        page.t.maybe(f"{name}.download") or page.t("download"),
        data=lambda: table().to_csv(index=False).encode("utf-8"),
        file_name=f"glassbox_{page.name}_{name}.csv",
        mime="text/csv",
        key=page.key(f"download_{name}"),
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
