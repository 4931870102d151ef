"""What a viewer takes along: the link with its QR code, a link for embedding, and a work sheet to print."""

from html import escape
from urllib.parse import urlencode

import streamlit as st

from core.ui.texts import LANGUAGES, Texts

_SHEET_STYLE = """
@page { size: A4; margin: 16mm }
body { font: 11.5pt/1.45 sans-serif; max-width: 178mm; margin: 0 auto; color: #111 }
h1 { font-size: 19pt; margin: 4mm 0 1mm } h2 { font-size: 12.5pt; margin: 6mm 0 1.5mm } p { margin: 1mm 0 }
header { display: flex; justify-content: space-between; font-size: 10pt } li { list-style: none; margin: 1.5mm 0 }
li::before { content: "\\2610"; margin-right: 3mm } ul { padding: 0; margin: 1mm 0 }
section { break-inside: avoid } .line { border-bottom: 1px solid #888; height: 8.5mm } .prompt { font-style: italic; white-space: pre-wrap }
footer { margin-top: 6mm; font-size: 8.5pt; overflow-wrap: anywhere }
"""


def share(t: Texts, stem: str) -> None:
    """The popover at the side; what it shows is made when it is opened, so that the link is the one of that moment."""

    def draw():
        popover = st.popover(t("share.label"), icon=":material/share:", on_change="rerun", key="_share", type="tertiary")
        if not popover.open:
            return
        with popover:
            url = link()
            st.caption(t("share.link"))
            st.code(url, language=None, wrap_lines=True)
            picture = qr_code(url)
            if picture:
                st.image(picture, width=220, alt=t.plain("share.qr"))
            else:
                st.caption(t("share.long"))
            st.caption(t("share.embed"))
            st.code(link(embed="true"), language=None, wrap_lines=True)
            if has_sheet(stem):
                sheet = {"file_name": f"glassbox_{stem}.html", "mime": "text/html", "on_click": "ignore", "icon": ":material/print:"}
                st.download_button(t("share.sheet"), lambda: work_sheet(stem, t.language, url), key="_share_sheet", **sheet)

    st.fragment(draw)()


_OWN = ("lecture", "lesson", "step", "classroom_me")  # of this viewer alone


def link(**more: str) -> str:
    """The address of what is on the screen; a lecture or lesson is not part of it."""
    state = {key: value for key, value in st.query_params.items() if key not in _OWN}
    address = (st.context.url or "").split("?")[0]
    query = urlencode(state | more)
    return f"{address}?{query}" if query else address


def qr_code(text: str) -> str | None:
    """A QR code as SVG with its white border; None where the text does not fit (2,331 bytes at level M)."""
    import segno

    try:
        return segno.make(text, error="m", micro=False).svg_inline(scale=4, dark="#000", light="#fff")
    except segno.DataOverflowError:
        return None


def has_sheet(stem: str) -> bool:
    """Whether a page has something to try on paper too: a room for a class, say, has not."""
    return bool(Texts(stem, LANGUAGES[0]).group("presets"))


def work_sheet(stem: str, language: str, url: str) -> str:
    """A page's questions with room to write, as HTML that prints on A4: prediction, experiments, one sentence at the end."""
    t = Texts(stem, language)

    def say(key: str) -> str:
        return escape(t.plain(key))

    def lines(n: int) -> str:
        return '<div class="line"></div>' * n

    parts = []
    if "predict.question" in t:
        choices = "".join(f"<li>{say(f'predict.choices.{choice}')}</li>" for choice in t.group("predict.choices"))
        reason = f"<p>{say('sheet.reason')}:</p>{lines(2)}"
        parts.append(f"<section><h2>{say('sheet.predict')}</h2><p>{say('predict.question')}</p><ul>{choices}</ul>{reason}</section>")
    for n, name in enumerate(t.group("presets")[:3], 1):
        prompt = f'<p class="prompt">{escape(t.plain(f"presets.{name}.prompt")[:240])}</p>' if f"presets.{name}.prompt" in t else ""
        head = f"<h2>{say('sheet.try')} {n}: {say(f'presets.{name}.label')}</h2>"
        parts.append(f"<section>{head}{prompt}<p>{say(f'presets.{name}.look')}</p><p>{say('sheet.seen')}:</p>{lines(2)}</section>")
    parts.append(f"<section><h2>{say('sheet.summary')}</h2>{lines(2)}</section>")
    title, question = say(f"pages.{stem}.title"), say(f"pages.{stem}.question")
    top = f"<header><span>Glassbox</span><span>{say('sheet.name')}: ________________ {say('sheet.date')}: ________</span></header>"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_SHEET_STYLE}</style>'
    body = f"{top}<h1>{title}</h1><p>{question}</p>{''.join(parts)}<footer>{escape(url)}</footer>"
    return f'<!doctype html><html lang="{language}"><head>{head}</head><body>{body}</body></html>'
