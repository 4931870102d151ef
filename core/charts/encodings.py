"""Charts of tokenizers: languages and compounds in several encodings, and a training on its way."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts.theme import ROLES, finish, in_role, role_color, spec
from core.tokenization import Lane, Node
from core.tokenization.languages import Count
from core.tokenizers import readable
from core.training.bpe import Merge

# Encodings by colour: the bundled one is what runs here, the others have no role and get the colours after the four.
OTHERS = ("gpt2", "cl100k_base", "o200k_base", "other")
DOMAINS = {"tokens": [0, 120], "per_character": [0, 3.2], "bytes_per_token": [0, 6]}  # of the measures with a fixed axis


def lanes_data(lanes: Sequence[Lane]) -> pd.DataFrame:
    """One row a token of every lane."""
    rows = [(one.name, i, n, readable(token), token.hex(" ")) for one in lanes for i, (n, token) in enumerate(zip(one.ids, one.tokens))]
    return pd.DataFrame(rows, columns=["encoding", "position", "id", "token", "bytes"])


def merges_data(nodes: Sequence[Node]) -> pd.DataFrame:
    """One row a byte or merge, in the order of the steps."""
    rows = [(node.step, readable(node.token), node.token.hex(" "), node.rank, node.start, node.end) for node in nodes]
    return pd.DataFrame(rows, columns=["step", "token", "bytes", "rank", "start", "end"])


def languages_data(counts: Mapping[tuple[str, str], Count], names: Mapping[str, str], price: float, times: int) -> pd.DataFrame:
    """One row a language and encoding; `names`: language -> its name. Cost of `times` sentences at `price` per million tokens."""
    rows = [
        {
            "language": names[language],
            "role": role,
            "characters": one.characters,
            "bytes": one.bytes,
            "tokens": one.tokens,
            "per_character": one.tokens_per_character,
            "bytes_per_token": one.bytes_per_token,
            "cost": one.cost(price, times),
        }
        for (language, role), one in counts.items()
    ]
    return pd.DataFrame(rows)


@spec
def languages_chart(measure: str, title: str, words: tuple[tuple[str, str], ...], language: str = "en"):
    """A dot for every language and encoding of `languages_data`; `words`: (role, name of the encoding) of those shown."""
    scale = alt.Scale(domain=DOMAINS[measure], clamp=True) if measure in DOMAINS else alt.Scale(zero=True)
    form = {"tokens": ",d", "per_character": ".2f", "bytes_per_token": ".2f", "cost": ",.2f"}[measure]
    shown = alt.Axis(title=title, format=",.0f" if measure == "cost" else ",.3~f", tickCount=5)
    base = alt.Chart().encode(y=alt.Y("language:N", sort=None, axis=alt.Axis(title=None, labelLimit=110, grid=True, gridOpacity=0.4)))
    dots = base.mark_circle(size=80, opacity=1).encode(
        yOffset=alt.YOffset("role:N", scale=alt.Scale(domain=[ROLES[0], *OTHERS])),  # equal counts stand below each other
        x=alt.X(f"{measure}:Q", scale=scale, axis=shown),
        color=role_color(labels=dict(words), extra=OTHERS),
        tooltip=[alt.Tooltip("language:N", title=" "), alt.Tooltip(f"{measure}:Q", title=title, format=form)],
    )
    return finish(dots, language, height=450)


def compounds_data(cuts: Sequence[tuple[Mapping[str, str], Mapping[str, Sequence[bytes]]]]) -> pd.DataFrame:
    """One row a compound from `count_compounds`: the words, how many tokens they are, and where they are cut."""
    return pd.DataFrame(
        {
            "german": [words["de"] for words, _ in cuts],
            "english": [words["en"] for words, _ in cuts],
            "german_tokens": [len(tokens["de"]) for _, tokens in cuts],
            "english_tokens": [len(tokens["en"]) for _, tokens in cuts],
            "german_cut": [cut(tokens["de"]) for _, tokens in cuts],
            "english_cut": [cut(tokens["en"]) for _, tokens in cuts],
        }
    )


def cut(tokens: Sequence[bytes]) -> str:
    """Tokens of a word with a bar between them, the space before the word left out."""
    return "|".join(readable(token) for token in [tokens[0].removeprefix(b" "), *tokens[1:]] if token)


@spec
def compounds_chart(german: str, english: str, tokens: str, language: str = "en"):
    """Two dots a row of `compounds_data`, the German word and the English words, and the cuts written beside them."""
    base = alt.Chart().encode(y=alt.Y("german:N", sort=None, axis=None))
    x = {"scale": alt.Scale(domain=[0, 11]), "axis": alt.Axis(title=tokens, tickMinStep=1, format="d")}
    tooltip = [alt.Tooltip("german_cut:N", title=german), alt.Tooltip("english_cut:N", title=english)]
    color = role_color(labels={"computed": german, "reused": english})
    line = base.transform_calculate(role="'dropped'").mark_rule(strokeWidth=3, opacity=0.6)
    line = line.encode(x=alt.X("english_tokens:Q", **x), x2="german_tokens:Q", color=color)
    one = base.transform_calculate(role="'computed'").mark_circle(size=130, opacity=1)
    two = base.transform_calculate(role="'reused'").mark_circle(size=130, opacity=1)
    written = base.transform_calculate(text="datum.german_cut + '  ·  ' + datum.english_cut")
    written = written.mark_text(align="left", baseline="bottom", dy=-9, fontSize=12, fill="currentColor")
    written = written.encode(x=alt.datum(0), text="text:N")
    layers = [
        line,
        two.encode(x=alt.X("english_tokens:Q", **x), color=color, tooltip=tooltip),
        one.encode(x=alt.X("german_tokens:Q", **x), color=color, tooltip=tooltip),
        written,
    ]
    return finish(alt.layer(*layers), language, height=390)


def training_data(merges: Sequence[Merge], n_bytes: int) -> pd.DataFrame:
    """One row before the first merge and one after each: tokens of the whole text, their share of its bytes, what was merged."""
    return pd.DataFrame(
        {
            "merges": range(len(merges) + 1),
            "tokens": [n_bytes, *(m.n_tokens for m in merges)],
            "share": [1.0, *(m.n_tokens / n_bytes for m in merges)],
            "token": ["", *(readable(m.token) for m in merges)],
            "count": [0, *(m.count for m in merges)],
        }
    )


@spec
def training_chart(n_merges: int, merges: str, share: str, token: str, count: str, tokens: str, language: str = "en"):
    """How `training_data` gets shorter from merge to merge, on axes that hold the whole training from the start."""
    base = alt.Chart().encode(
        x=alt.X("merges:Q", title=merges, scale=alt.Scale(domain=[0, n_merges], nice=False)),
        y=alt.Y("share:Q", title=share, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])),
        tooltip=[
            alt.Tooltip("merges:Q", title=merges, format="d"), alt.Tooltip("token:N", title=token),
            alt.Tooltip("count:Q", title=count, format=",d"), alt.Tooltip("tokens:Q", title=tokens, format=",d"),
        ],
    )  # fmt: skip
    last = base.transform_window(n="rank()", sort=[alt.SortField("merges", order="descending")]).transform_filter("datum.n == 1")
    layers = [in_role(base, "computed").mark_line(strokeWidth=3), in_role(last, "computed").mark_circle(size=120, opacity=1)]
    return finish(alt.layer(*layers), language, height=260)
