"""Forward passes for the page `inside`: read once for all viewers, what a viewer opened, and the data of the map."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
import torch
from torch import Tensor

from core import costs
from core.measure.attribution import Attribution, attribute
from core.measure.forward import ForwardPass, brought, leads_from, logit_lens, read_pass, update_sizes
from core.ui import heads, url
from core.ui.forward_map import packed
from core.ui.kept import Kept

COLUMNS = 128  # most tokens whose columns are sent
NARROWEST = 11  # pixels of a column; the browser leaves out earlier tokens that have no room
ANSWERS = 8  # likeliest next tokens shown

MOST_BYTES = 96 << 20  # of passes kept over all viewers; a text of 320 tokens is about 45 MB with `mini`


@dataclass(frozen=True)
class Followed:
    """One position of a pass, asked about one possible next token."""

    ids: tuple[int, ...]
    passed: ForwardPass
    position: int
    answer: int  # the token asked about
    likeliest: Tensor  # (2 L + 1,) what the lens reads at every state of the stream
    shares: Tensor  # (2 L + 1,) with which probability
    answer_shares: Tensor  # (2 L + 1,) the probability of `answer` there
    top: list[tuple[int, float]]  # the likeliest next tokens and their probabilities
    split: Attribution
    brought: Tensor  # (L, T) share of what attention brings from each token, 1 over the tokens

    @property
    def from_block(self) -> int:
        """The block, from 1, after which the likeliest next token leads and goes on leading."""
        return leads_from(self.likeliest[2::2]) + 1

    @property
    def first_block(self) -> int:
        """The block, from 1, after which it leads for the first time."""
        return int((self.likeliest[2::2] == self.likeliest[-1]).nonzero()[0]) + 1

    def strongest(self) -> tuple[int, int]:
        """The head that moved the answer most."""
        sizes = self.split.heads.abs()
        return divmod(int(sizes.argmax()), sizes.shape[1])


@dataclass(frozen=True)
class Read:
    """A pass and its positions that somebody followed; they go together."""

    passed: ForwardPass
    followed: Kept


_passes = Kept(MOST_BYTES, weigh=lambda read: read.passed.nbytes)


def follow(lm, ids, position: int, answer: int | None = None) -> Followed:
    """What happened at `position`, for the token `answer` or else the likeliest next one."""
    ids = tuple(ids)
    read = _passes.get((lm.name, ids), lambda: Read(read_pass(lm, ids), Kept(24)))
    return read.followed.get((position, answer), lambda: _follow(lm, read.passed, ids, position, answer))


def _follow(lm, passed: ForwardPass, ids, position: int, answer: int | None) -> Followed:
    shares = logit_lens(lm, passed.stream(position)).softmax(-1)  # (2 L + 1, V)
    best = shares[-1].topk(min(ANSWERS, shares.shape[-1]))
    answer = int(best.indices[0]) if answer is None else answer
    amounts = torch.stack([brought(lm, passed, layer, position) for layer in range(passed.n_layers)])
    amounts = amounts / amounts.sum(-1, keepdim=True).clamp_min(1e-12)
    most = shares.max(-1)
    top = list(zip(best.indices.tolist(), best.values.tolist()))
    split = attribute(lm, passed, position, answer)
    return Followed(ids, passed, position, answer, most.indices, most.values, shares[:, answer].clone(), top, split, amounts)


# --- what a viewer opened, kept in the link ---


def opened(page) -> str | None:
    """The open part: "in", "out", a block "1" to "L", or nothing."""
    names = ("in", "out", *(str(n + 1) for n in range(page.lm.config.n_layers)))
    url.seed(page, "block", None, lambda raw: _one_of(names, raw))
    value = st.session_state[page.key("block")]
    value = value if value in names else None
    url.share(page, "block", value)
    return value


def head(page, found: Followed, layer: int) -> int:
    """The head looked at in an open block, from 0: the viewer's, else the one that moved the answer most."""
    chosen = _kept_with(page, "head", layer, page.lm.config.n_heads, 1)
    return int(found.split.heads[layer].abs().argmax()) if chosen is None else chosen


def asked(page, ids, position: int) -> int | None:
    """The next token the viewer asks about, until they follow another position."""
    return _kept_with(page, "answer", (tuple(ids), position), page.lm.config.vocab_size, 0)


def _kept_with(page, name: str, belongs, n: int, start: int) -> int | None:
    """A number below `n` that a click set and that goes when what it belongs to changes; in the link from `start`."""
    key, owner = page.key(name), page.key(name) + "_of"
    url.seed(page, name, None, lambda raw: int(_one_of(range(start, n + start), int(raw) if raw.isdecimal() else raw)) - start)
    if st.session_state.setdefault(owner, belongs) != belongs:
        st.session_state[owner], st.session_state[key] = belongs, None
    value = st.session_state[key]
    if value is not None and value >= n:  # of a larger model, before
        value = st.session_state[key] = None
    url.share(page, name, None if value is None else str(value + start))
    return value


def _one_of(names, raw):
    if raw not in names:
        raise ValueError(f"no such part: {raw}")
    return raw


def events(page, found: Followed) -> dict:
    """What clicks on the map do: callbacks for `forward_map`."""
    state = st.session_state

    def open_part(name):
        state[page.key("block")] = None if name == state.get(page.key("block")) else str(name)

    def follow_token(place):
        if 0 <= int(place) < len(found.ids):
            heads.look_at(page, "token", int(place))

    def open_head(n):
        if 0 <= int(n) < page.lm.config.n_heads:
            state[page.key("head")] = int(n)

    def ask(token):
        if 0 <= int(token) < page.lm.config.vocab_size:
            state[page.key("answer")] = int(token)

    return {"opened": open_part, "followed": follow_token, "head": open_head, "asked": ask}


# --- what is drawn ---


def map_data(page, found: Followed, open_part: str | None, detail: Mapping | None) -> dict:
    """Everything `forward_map` draws; `detail` is what is inside the open part."""
    t, lm, T = page.t, page.lm, len(found.ids)
    shown = window(found)
    attention, mlp = ((sizes[:, shown].sqrt() * 255).round().to(torch.uint8) for sizes in update_sizes(found.passed))
    effects = torch.cat([found.split.attentions, found.split.mlps, torch.tensor([found.split.embed])])
    answer = lm.tokenizer.label(found.answer)
    words = {name: t.plain(f"words.{name}", answer=answer) for name in t.group("words")}  # the browser fills in [token] and its like
    return {
        "tokens": lm.tokenizer.labels(found.ids[shown]),
        "first": shown.start,
        "all": T,
        "position": found.position,
        "narrowest": NARROWEST,
        "language": page.language,
        "attention": packed(attention),
        "mlp": packed(mlp),
        "brought": packed(folded(found.brought, shown)),
        "pushed": packed(folded(found.split.sources.sum(1), shown)),
        "least": float(effects.min()),
        "greatest": float(effects.max()),
        "parts": _parts(page, found),
        "answers": [
            {"id": i, "text": lm.tokenizer.label(i), "share": p, "note": t.number(p, ".1%"), "chosen": i == found.answer}
            for i, p in found.top
        ],
        "open": open_part,
        "detail": detail,
        "label": t.plain("map.alt", **spoken(page, found)),
        "words": words,
    }


def folded(values: Tensor, shown: slice) -> np.ndarray:
    """Values (..., T) of all tokens -> those of the shown ones, after one sum over all that stand before: (..., N + 1)."""
    return torch.cat([values[..., : shown.start].sum(-1, keepdim=True), values[..., shown]], -1).numpy()


def window(found: Followed) -> slice:
    """The tokens whose columns are sent."""
    first = max(0, min(len(found.ids) - COLUMNS, found.position - COLUMNS * 3 // 4))
    return slice(first, min(len(found.ids), first + COLUMNS))


def _parts(page, found: Followed) -> list[dict]:
    t, answer = page.t, page.lm.tokenizer.label(found.answer)
    split, L = found.split, found.passed.n_layers

    def row(key: str, layer: int | None, state: int, name: str, short: str, effects: list[float]) -> dict:
        token, share = int(found.likeliest[state]), float(found.shares[state])
        says = page.lm.tokenizer.label(token)
        pushes = {"attention": effects[0], "mlp": effects[1]} if len(effects) > 1 else {"embed": sum(effects)}
        moved = t.plain("parts.moves_block" if len(effects) > 1 else "parts.moves_one", answer=answer, **pushes)
        title = t.plain("parts.title", part=name, says=says, share=share, moved=moved)
        shown = {"says": says, "share": share, "note": t.number(share, ".0%"), "right": token == found.answer}
        return {"key": key, "layer": layer, "name": name, "short": short, "effects": effects, "moved": moved, "title": title} | shown

    rows = [row("in", None, 0, t.plain("parts.in"), t.plain("parts.in_short"), [split.embed])]
    for layer in range(L):
        effects = [float(split.attentions[layer]), float(split.mlps[layer])]
        rows.append(row(str(layer + 1), layer, 2 * layer + 2, t.plain("parts.block", n=layer + 1), str(layer + 1), effects))
    last = row("out", None, 2 * L, t.plain("parts.out"), t.plain("parts.out_short"), [split.logit])
    return [*rows, last | {"sum": t.plain("parts.sum", logit=split.logit), "moved": t.plain("parts.sum_title", logit=split.logit)}]


def spoken(page, found: Followed) -> dict:
    """The numbers of one position, for sentences."""
    label, split = page.lm.tokenizer.label, found.split
    layer, n = found.strongest()
    return {
        "token": label(found.ids[found.position]),
        "answer": label(found.answer),
        "share": float(found.answer_shares[-1]),
        "top": label(found.top[0][0]),
        "top_share": found.top[0][1],
        "from_block": found.from_block,
        "first_block": found.first_block,
        "blocks": found.passed.n_layers,
        "head": heads.written((layer, n)),
        "head_effect": float(split.heads[layer, n]),
        "source": label(found.ids[int(split.sources[layer, n].abs().argmax())]),
        "attention": float(split.attentions.sum()),
        "mlp": float(split.mlps.sum()),
        "embed": split.embed,
        "logit": split.logit,
    }


# --- what is downloaded ---


def map_table(page, found: Followed) -> pd.DataFrame:
    """One row a state of the stream: what the lens reads there, what the part before it added, what that part costs."""
    split, label = found.split, page.lm.tokenizer.label
    effects = [split.embed, *torch.stack([split.attentions, split.mlps], 1).flatten().tolist()]
    spent = costs.parts(page.lm.config, len(found.ids))[: len(effects)]
    return pd.DataFrame(
        {
            "part": [part.name for part in spent],
            "block": [part.layer + 1 if part.layer is not None else None for part in spent],
            "says": [label(i) for i in found.likeliest.tolist()],
            "probability": found.shares.numpy(),
            "probability_of_answer": found.answer_shares.numpy(),
            "moves_answer": np.asarray(effects, np.float32),
            "parameters": [part.parameters for part in spent],
            "flops": [part.flops for part in spent],
        }
    )


def sources_table(page, found: Followed) -> pd.DataFrame:
    """One row for each head and token it reads: what that moved the answer's logit."""
    L, H, T = found.split.sources.shape
    layer, n, token = np.unravel_index(np.arange(L * H * T), (L, H, T))
    names = np.asarray(page.lm.tokenizer.labels(found.ids), dtype=object)
    values = found.split.sources.flatten().numpy()
    return pd.DataFrame({"block": layer + 1, "head": n + 1, "position": token + 1, "token": names[token], "moves_answer": values})
