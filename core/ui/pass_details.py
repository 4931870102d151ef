"""What is inside an opened part of the map: heads, vectors, hidden numbers, and what the part costs."""

import torch
from torch import Tensor

from core import costs
from core.measure.attribution import neurons
from core.measure.head_steps import head_steps
from core.measure.heads import small_maps
from core.ui import heads, passes
from core.ui.forward_map import packed
from core.ui.passes import Followed

NEURONS = 3  # named, of those that moved the answer most


def detail(page, found: Followed, part: str | None) -> dict | None:
    """The inside of "in", "out" or a block, as `forward_map` draws it; computed only when open."""
    if part is None:
        return None
    return _embedding(page, found) if part == "in" else _output(page, found) if part == "out" else _block(page, found, int(part) - 1)


def _block(page, found: Followed, layer: int) -> dict:
    t, lm, position = page.t, page.lm, found.position
    n = passes.head(page, found, layer)
    steps = head_steps(found.passed.activations, layer, n, position)
    seen = int(steps.weights.argmax())
    label = lm.tokenizer.label
    says = heads.arithmetic(steps, position, seen) | {"head": heads.written((layer, n)), "token": label(found.ids[position])}
    says |= {"seen": label(found.ids[seen]), "answer": label(found.answer)}
    says |= {"effect": float(found.split.heads[layer, n]), "from_seen": float(found.split.sources[layer, n, seen])}
    maps = small_maps(found.passed.patterns(layer))
    gallery = []
    for i, effect in enumerate(found.split.heads[layer].tolist()):
        name = heads.written((layer, i))
        title = t.plain("block.head_title", head=name, effect=effect, answer=says["answer"])
        gallery.append({"name": name, "effect": t.number(effect, "+.1f"), "title": title})
    vectors = [("query", steps.query), ("key", steps.keys[seen]), ("value", steps.values[seen]), ("result", steps.result)]
    strips = [_strip(page, t.plain(f"block.{name}", **says), vector) for name, vector in vectors]
    stream = found.passed.stream(position)
    before, middle, after = stream[2 * layer : 2 * layer + 3]
    largest = float(stream[2 * layer : 2 * layer + 3].abs().max())
    sums = [("before", before), ("attention", middle - before), ("mlp", after - middle), ("after", after)]
    summed = [_strip(page, t.plain(f"block.{name}"), vector, largest) for name, vector in sums]
    hidden = found.passed.activations[f"blocks.{layer}.mlp.hook_post"][position]
    sections = [
        {"title": t.plain("block.heads", heads=len(gallery)), "heads": gallery, "maps": packed(maps), "side": maps.shape[-1], "chosen": n,
         "text": t.plain("block.heads_text")},
        {"title": t.plain("block.one_head", **says), "strips": strips, "text": t.plain("block.one_head_text", **says)},
        {"title": t.plain("block.hidden", n=len(hidden)), "strips": [_strip(page, t.plain("block.hidden_name"), hidden, rows=4)],
         "text": _neurons(page, found, layer)},
        {"title": t.plain("block.stream"), "strips": summed, "text": _after(page, found, layer) + " " + _cost(page, found, layer)},
    ]  # fmt: skip
    weights = passes.folded(steps.weights[None], passes.window(found))
    return {"title": t.plain("parts.block", n=layer + 1), "sections": sections, "weights": packed(weights)}


def _embedding(page, found: Followed) -> dict:
    t, token = page.t, found.ids[found.position]
    vector = found.passed.stream(found.position)[0]
    says = {"token": page.lm.tokenizer.label(token), "id": token, "n": len(vector), "vocab": page.lm.config.vocab_size}
    section = {"title": t.plain("embedding.title", **says), "strips": [_strip(page, says["token"], vector)]}
    text = t.plain("embedding.text", **says) + " " + _cost(page, found, "embedding")
    return {"title": t.plain("parts.in"), "sections": [section | {"text": text}]}


def _output(page, found: Followed) -> dict:
    t, last = page.t, found.passed.stream(found.position)[-1]
    says = {"answer": page.lm.tokenizer.label(found.answer), "scale": found.split.scale, "logit": found.split.logit}
    says |= {"vocab": page.lm.config.vocab_size, "share": float(found.answer_shares[-1]), "length": float(last.norm())}
    norm = page.lm.network.ln_final
    row = page.lm.network.unembed.weight[found.answer].float()
    with torch.inference_mode():
        vectors = [("before", last), ("after", norm(last)), ("row", row)]
    strips = [_strip(page, t.plain(f"output.{name}", **says), vector) for name, vector in vectors]
    text = t.plain("output.text", **says) + " " + _cost(page, found, "unembedding")
    return {"title": t.plain("parts.out"), "sections": [{"title": t.plain("output.title"), "strips": strips, "text": text}]}


def _strip(page, name: str, vector: Tensor, largest: float | None = None, rows: int = 1) -> dict:
    """A vector as coloured cells; `largest` is what the deepest colour stands for."""
    low, high = float(vector.min()), float(vector.max())
    title = page.t.plain("strip_title", name=name, n=len(vector), low=low, high=high, length=float(vector.norm()))
    return {"name": name, "title": title, "values": packed(vector), "rows": rows, "largest": largest or max(-low, high)}


def _neurons(page, found: Followed, layer: int) -> str:
    t = page.t
    moved = neurons(page.lm, found.passed, layer, found.position, found.answer)
    best = moved.abs().topk(NEURONS).indices.tolist()
    named = t.join(t.plain("block.neuron", n=i + 1, effect=float(moved[i])) for i in best)
    return t.plain("block.hidden_text", named=named, answer=page.lm.tokenizer.label(found.answer), sum=float(found.split.mlps[layer]))


def _after(page, found: Followed, layer: int) -> str:
    """What the lens reads after the block's attention and after its MLP."""
    says = {}
    for name, state in (("attention", 2 * layer + 1), ("mlp", 2 * layer + 2)):
        says |= {name: page.lm.tokenizer.label(int(found.likeliest[state])), f"{name}_share": float(found.shares[state])}
    return page.t.plain("block.says", **says)


def _cost(page, found: Followed, part: int | str) -> str:
    """Parameters and FLOPs of a block (its number) or of a part by name, and their share of the whole model's."""
    every = costs.parts(page.lm.config, len(found.ids))
    chosen = [p for p in every if part in (p.layer, p.name) or (part == "unembedding" and p.name == "final norm")]
    parameters, flops = sum(p.parameters for p in chosen), sum(p.flops for p in chosen)
    whole, work = sum(p.parameters for p in every), sum(p.flops for p in every)
    shares = {"share": parameters / whole, "work": flops / work, "tokens": len(found.ids)}
    return page.t.plain("cost_text", parameters=compact(page, parameters), flops=compact(page, flops), **shares)


def compact(page, n: float) -> str:
    """A large number in words: 1.8 million."""
    for limit, unit in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if n >= limit:
            return page.t.plain(f"units.{unit}", n=n / limit)
    return page.t.number(n, ",.0f")


def cost_table(page, tokens: int):
    """The model's parts with their parameters and FLOPs, all blocks' attention and MLPs together; and the totals."""
    import pandas as pd

    rows: dict[str, list] = {}
    for part in costs.parts(page.lm.config, tokens):
        row = rows.setdefault(part.name, [0, 0, 0.0])
        rows[part.name] = [row[0] + 1, row[1] + part.parameters, row[2] + part.flops]
    whole, work = sum(row[1] for row in rows.values()), sum(row[2] for row in rows.values())
    names = {name: page.t.plain(f"cost_parts.{name.replace(' ', '_')}") for name in rows}
    return pd.DataFrame(
        [
            {"part": names[name], "count": n, "parameters": p, "parameter_share": p / whole, "flops": int(f), "flop_share": f / work}
            for name, (n, p, f) in rows.items()
        ]
    ), {"parameters": compact(page, whole), "flops": compact(page, work), "tokens": tokens}
