"""Every word a page shows: assets/texts/<language>/<page>.toml, with common.toml behind it."""

import re
import string
import tomllib
from datetime import date
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).resolve().parents[2] / "assets" / "texts"
LANGUAGES = ("en", "de")  # the first is what unknown languages get
_SOME_PLACES = re.compile(r"\.[2-9]%$")  # a share written to hundredths of a percent or finer
_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@])")


class Texts:
    """The words of one page in one language: `t("takeaway", share=0.62)`.

    Values are put in with the language's own number signs (0.62 as {share:.0%} -> "62%", German "62 %").
    Strings are escaped, so that what a viewer typed never becomes Markdown; use `plain` where no
    Markdown is read (alternative texts, chart axes, file names).
    """

    def __init__(self, page: str, language: str):
        self.page, self.language = page, language

    def __call__(self, key: str, **values) -> str:
        return _Numbers(self.language, escape=True).vformat(self._find(key), (), values)

    def plain(self, key: str, **values) -> str:
        """The same text for places that show Markdown signs as they are."""
        return _Numbers(self.language, escape=False).vformat(self._find(key), (), values)

    def words(self, group: str, *keys: str) -> dict[str, str]:
        """Several plain texts of one group by their names, as charts take them."""
        return {key: self.plain(f"{group}.{key}") for key in keys}

    def maybe(self, key: str) -> str | None:
        """The text, or None where the page has none of that name."""
        return self(key) if key in self else None

    def number(self, value: float, spec: str = "") -> str:
        """One number written as the language does: number(0.5, ".0%")."""
        return _Numbers(self.language, escape=False).format_field(value, spec)

    @staticmethod
    def join(parts) -> str:
        """Parts as one list in a sentence."""
        return ", ".join(parts)

    def group(self, key: str) -> list[str]:
        """Names directly under `key`, in the file's order: group("presets") -> ["fact", "story"]."""
        start = key + "."
        return list(dict.fromkeys(k[len(start) :].split(".")[0] for k in load(self.language, self.page) if k.startswith(start)))

    def __contains__(self, key: str) -> bool:
        return key in load(self.language, self.page) or key in load(self.language, "common")

    def _find(self, key: str) -> str:
        own = load(self.language, self.page)
        return own[key] if key in own else load(self.language, "common")[key]


@cache  # bounded by the files there are
def load(language: str, page: str) -> dict[str, str]:
    """A text file, flat: {"predict.question": "..."}."""
    return _flat(tomllib.loads((TEXTS / language / f"{page}.toml").read_text("utf-8")))


def escaped(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return _SIGNS.sub(r"\\\1", text)


def pick_language(wanted: str | None, locale: str | None) -> tuple[str, bool]:
    """The language to show, and whether the one asked for is known."""
    if wanted:
        return (wanted, True) if wanted in LANGUAGES else (LANGUAGES[0], False)
    spoken = (locale or "").split("-")[0].lower()
    return (spoken if spoken in LANGUAGES else LANGUAGES[0]), True


class _Numbers(string.Formatter):
    def __init__(self, language: str, escape: bool):
        self.language, self.escape = language, escape

    def format_field(self, value, spec: str) -> str:
        text = super().format_field(value, spec)
        if isinstance(value, str):
            return escaped(text) if self.escape else text
        if _SOME_PLACES.search(spec) and value > 0 and not text.strip("0.%"):
            text = f"<\u202f{text[:-2]}1%"  # 0.00000002 as {share:.3%}: not nothing, but less than 0.001%
        if text.startswith("-"):
            text = "−" * any(c in "123456789" for c in text) + text[1:]  # a minus, not a hyphen; none before what is rounded to 0
        if self.language == "de" and not isinstance(value, date):
            text = text.translate(str.maketrans(",.", ".,")).replace("%", "\u202f%")
        return text


def _flat(table: dict, start: str = "") -> dict[str, str]:
    flat = {}
    for key, value in table.items():
        flat |= _flat(value, f"{start}{key}.") if isinstance(value, dict) else {start + key: value}
    return flat
