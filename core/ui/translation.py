"""What the page on encoders and decoders keeps: the viewer's sentence, its gaps, its translations."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from core.charts import translation as charts
from core.models.attention import causal_mask
from core.models.seq2seq import bidirectional_mask
from core.translation.comparing import Translation, clearest_and_oddest, gap_probs, self_attention, translated
from core.translation.reading import LONGEST, STOP, Sentence, look_alikes, read_sentence, words_by_language
from core.translation.trained import load_kind, load_words
from core.translation.words import GAP, SPECIAL, START, held_out, join
from core.ui import controls, url
from core.ui.kept import Kept
from core.ui.token_strip import Token, token_strip

AUTO = "auto"
MASKED = 12  # words written that the picture of the cross mask shows
NAMED = 3  # unknown words that are named
SURE = {"hardly": 0.03, "tenth": 0.25, "half": 0.75, "sure": 1.0}  # choices of the prediction -> up to which probability
_gaps, _translations, _looks = Kept(128), Kept(128), Kept(128)


@dataclass(frozen=True)
class Gaps:
    """Probabilities (n, V) of the word at every place of a sentence, by encoder and decoder, and which place is looked at."""

    ids: tuple[int, ...]
    both: Tensor
    left: Tensor

    def right(self, at: int) -> dict[str, float]:
        """What each gives to the word that stands there."""
        return {"both": float(self.both[at, self.ids[at]]), "left": float(self.left[at, self.ids[at]])}

    @property
    def widest(self) -> int:
        """The word, full stop aside, at which the encoder is ahead the most."""
        return max(range(len(self.ids) - 1), key=lambda i: self.right(i)["both"] - self.right(i)["left"])


def sentence(page, typed: str) -> Sentence:
    """A sentence that was typed; what was left out of it is said, and the example stands in where nothing is known."""
    words = load_words()
    read = read_sentence(words, typed, page.language)
    n = len(words) - len(SPECIAL) - 1
    if read.unknown:
        named = page.t.join(page.t.plain("prompt.quoted", word=word[:24]) for word in read.unknown[:NAMED])
        alike = page.t.join(look_alikes(read.unknown[0], read.language))
        more = len(read.unknown) - NAMED
        page.note("prompt.unknown_many" if more > 0 else "prompt.unknown", words=named, more=more, n=n, alike=alike)
    if read.beyond:
        page.note("prompt.beyond", n=LONGEST)
    if not read.ids:
        page.note("prompt.nothing", text=page.t.plain("prompt.default"))
        return example(page)
    return read


def example(page) -> Sentence:
    """The sentence the page starts with."""
    return read_sentence(load_words(), page.t.plain("prompt.default"), page.language)


def names(page) -> list[str]:
    """Every word of the networks' list as charts write it."""
    return [_name(page.t, i) for i in range(len(load_words()))]


def known_words(page, language: str) -> str:
    """All words of a language as one line."""
    return page.t.join(sorted(words_by_language()[language], key=str.lower))


def gaps(read: Sentence) -> Gaps:
    """Every gap of a sentence, filled by encoder and decoder."""
    return _gaps.get(read.ids, lambda: Gaps(read.ids, *gap_probs(load_kind("encoder"), load_kind("decoder"), read.ids)))


def gap_place(page, found: Gaps) -> int:
    """The place the viewer chose, or the one where the two networks differ most. In the link from 1."""
    url.seed(page, "gap", AUTO, lambda raw: raw if raw == AUTO else _place(raw))
    value = st.session_state[page.key("gap")]
    url.share(page, "gap", None if value == AUTO else str(value))
    return found.widest if value == AUTO else min(int(value), len(found.ids)) - 1


def gap_strip(page, found: Gaps, at: int) -> None:
    """The sentence, with what the decoder and the encoder give to each of its words; a click makes another gap."""
    t, names = page.t, load_words().words
    tokens = []
    for i, word in enumerate(found.ids):
        shares = found.right(i)
        title = t.plain("gap.word", word=names[word], **shares)
        note = f"{t.number(shares['left'], '.0%')} → {t.number(shares['both'], '.0%')}"
        tokens.append(Token(names[word], 0.72 * max(shares["both"] - shares["left"], 0.0) ** 0.5, title, note))
    token_strip(page, "strip", tokens, t.plain("gap.strip"), lambda i: controls.set_value(page, "gap", i + 1), at)


def with_gap(found: Gaps, at: int) -> tuple[str, str]:
    """What decoder and encoder get to read: the words before the gap, and all of them."""
    names = load_words().words
    before, after = ([names[i] for i in part] for part in (found.ids[:at], found.ids[at + 1 :]))
    return join([*before, "▢"]), join([*before, "▢", *after])


def gap_numbers(found: Gaps, at: int) -> dict:
    """Of one gap: the word that stood there, its shares, and the likeliest word of each network."""
    names = load_words().words
    likeliest = {f"{name}_word": names[int(probs[at].argmax())] for name, probs in (("both", found.both), ("left", found.left))}
    tops = {f"{name}_top": float(probs[at].max()) for name, probs in (("both", found.both), ("left", found.left))}
    return {"word": names[found.ids[at]], **found.right(at), **likeliest, **tops}


def translation(ids: Sequence[int], target: str) -> Translation:
    """A sentence in the other language."""
    return _translations.get((tuple(ids), target), lambda: translated(load_kind("translator"), ids, target))


def back(read: Sentence, there: Translation) -> Translation:
    """The translation translated back."""
    content = [i for i in there.ids if i >= len(SPECIAL)][:LONGEST]
    return translation(content or read.ids, read.language)


def row_names(page, there: Translation) -> tuple[list[str], list[str]]:
    """The words written, and those of the source, as a map names them."""
    t = page.t
    return [_name(t, i) for i in there.ids], [_name(t, i) for i in there.source]


def translation_numbers(page, read: Sentence, there: Translation, n: int) -> dict:
    """For the sentences around a translation: both texts, the way back, and what word n looked at."""
    words = load_words()
    written, source = row_names(page, there)
    (clear, clear_at), (odd, odd_at) = clearest_and_oddest(there, words.words.index(STOP))
    look, again = there.looked, back(read, there)
    return {
        "source": words.decode(read.ids), "written": words.decode(there.ids[:n]), "again": words.decode(again.ids),
        "n": n, "word": written[n - 1], "p": float(there.probs[n - 1]),
        "at": source[int(look[n - 1].argmax())], "share": float(look[n - 1].max()),
        "clear": written[clear], "clear_at": source[clear_at], "clear_share": float(look[clear, clear_at]),
        "odd": written[odd], "odd_at": source[odd_at], "odd_share": float(look[odd, odd_at]), "words": len(there.ids),
    }  # fmt: skip


def unseen(read: Sentence, there: Translation) -> bool:
    """Whether training kept this sentence out: known from its German side alone."""
    words = load_words()
    return held_out(words.decode(read.ids if read.language == "de" else there.ids))


def masks(page, found: Gaps, at: int, there: Translation) -> dict[str, tuple]:
    """The three masks on the viewer's words: name -> (rows of looks_data), with the weights each network gave."""
    n, names = len(found.ids), load_words().words
    gapped = [GAP if i == at else word for i, word in enumerate(found.ids)]
    started = [START, *found.ids[:-1]]
    encoder = _looks.get(("encoder", tuple(gapped)), lambda: self_attention(load_kind("encoder"), gapped))
    decoder = _looks.get(("decoder", found.ids), lambda: self_attention(load_kind("decoder"), started))
    every = bidirectional_mask(encoder[:1] >= 0)[0, 0]  # no word of one sentence is missing
    read = ["▢" if i == at else names[word] for i, word in enumerate(found.ids)]
    before = [_name(page.t, START), *(names[i] for i in found.ids[:-1])]
    written, source = row_names(page, there)
    shown = there.looked[:MASKED]
    return {
        "encoder": (encoder, every.expand(n, n), read, read, at),
        "decoder": (decoder, causal_mask(n, n), before, before, at),
        "cross": (shown, (shown >= 0), written[:MASKED], source, -1),
    }  # fmt: skip


def mask_data(mask: tuple):
    """One of `masks` as rows of a chart."""
    weights, allowed, *rest = mask
    return charts.looks_data(weights.numpy(), allowed.numpy(), *rest)


def _name(t, i: int) -> str:
    words = load_words().words
    return t.plain(f"special.{words[i].strip('<>')}") if i < len(SPECIAL) else words[i]


def _place(raw: str) -> int:
    value = int(raw)
    if not 1 <= value <= LONGEST:
        raise ValueError(f"must be in [1, {LONGEST}], got {value}")
    return value
