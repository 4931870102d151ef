"""Shared keys and values for the page: every network reads a text once for all viewers; the decode speed is measured on demand."""

import math
import statistics
import threading

import streamlit as st

from core import costs
from core.charts import attention_variants as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.charts.flash_attention import bars_chart, bars_data
from core.checkpoints.variants import KINDS, load, load_variant, variant_config
from core.costs.latent import absorbed_products, expanded_products
from core.measure.decode_cost import seconds_per_token
from core.measure.recorded import recorded
from core.measure.shared_heads import SharedReading, absorbed_and_expanded, read_shared
from core.ui import panels
from core.ui.charts import draw
from core.ui.kept import Kept

BYTES = 2  # of a number in the usual 16 bits
ROUNDS = 5  # of a speed measurement, each network in turn
_readings, _absorbed = Kept(96), Kept(48)
_measuring = threading.Lock()  # two measurements at once would disturb each other


def bundled():
    """The bundled model: the networks of the page read its tokens, and its heads are pooled."""
    from core import load_model

    return load_model("mini")


def own_tokens(lm, ids) -> tuple[int, ...]:
    """A text in the tokens of the bundled model, whichever model the viewer chose."""
    ids = tuple(ids) if lm.tokenizer.name == "mini" else tuple(bundled().tokenizer.encode(lm.tokenizer.decode(ids)))
    return ids if len(ids) > 1 else tuple(bundled().tokenizer.encode("\n")) + ids


def _last(lm, ids, n_kv_heads: int | None = None) -> SharedReading:
    return read_shared(lm, ids, lm.config.n_layers - 1, n_kv_heads)  # the last layer: there a name is found again


def read(ids, kind: str) -> SharedReading:
    """The text read by one of the four trained networks."""
    return _readings.get((ids, kind), lambda: _last(load_variant(kind), ids))


def read_pooled(ids, n_kv_heads: int) -> SharedReading:
    """The text read by the bundled model with its key and value heads averaged down to so many."""
    return _readings.get((ids, n_kv_heads), lambda: _last(bundled(), ids, n_kv_heads))


def head_counts() -> tuple[int, ...]:
    """Numbers of key and value heads that the bundled model can be pooled to, the most first."""
    heads = bundled().config.n_kv_heads
    return tuple(n for n in range(heads, 0, -1) if heads % n == 0)


def absorbed_difference(ids) -> float:
    """The largest difference between the scores of the next token that the two ways of latent attention give."""

    def compute() -> float:
        absorbed, expanded = absorbed_and_expanded(load("mla"), ids)  # a network of its own: the way is set on it
        return float((absorbed - expanded).abs().max())

    return _absorbed.get(ids, compute)


def kept_numbers(ids, kind: str) -> dict:
    """What one of the four networks keeps for the text and makes of it. `whole`: numbers a layer that six separate heads keep."""
    found, separate = read(ids, kind), variant_config("mha")
    best, whole = int(found.probs.argmax()), 2 * separate.n_heads * separate.head_dim
    return {
        "heads": found.n_heads, "kv": found.n_kv, "size": found.n_heads // found.n_kv, "first": found.widths[0], "second": found.widths[1],
        "layers": found.n_layers, "numbers": found.numbers, "bytes": BYTES * found.numbers, "held": found.bytes_held, "n": len(ids),
        "whole": whole, "less": whole * found.n_layers / found.numbers, "loss": found.loss,
        "next": bundled().tokenizer.label(best), "share": float(found.probs[best]),
    }  # fmt: skip


def pooled_numbers(ids, n_kv_heads: int) -> dict:
    """What averaging the bundled model's heads does to the text's loss and to its likeliest next token."""
    config, label = bundled().config, bundled().tokenizer.label
    found, before = read_pooled(ids, n_kv_heads), read_pooled(ids, config.n_kv_heads)
    answer, says = int(before.probs.argmax()), int(found.probs.argmax())
    return {
        "heads": config.n_heads, "kv": n_kv_heads, "size": config.n_heads // n_kv_heads, "whole": 2 * config.n_heads * config.head_dim,
        "bytes": BYTES * found.numbers, "full_bytes": BYTES * before.numbers, "loss": found.loss, "full_loss": before.loss,
        "answer": label(answer), "full_share": float(before.probs[answer]), "share": float(found.probs[answer]),
        "next": label(says), "next_share": float(found.probs[says]),
    }  # fmt: skip


def draw_sharing(page, name: str, found: SharedReading, ids, whole: int, latent: bool, alt: str) -> None:
    """The picture of one reading; `whole` numbers a layer are what all heads for themselves would keep."""
    parts = tuple(page.t.words("parts", *(("latent", "rotary") if latent else ("key", "value"))).values())
    words = page.t.words("sharing", "token", "part", "weight", "computed", "reused", "dropped")
    labels = bundled().tokenizer.labels(ids)
    data = charts.sharing_data(found.n_heads, found.widths, whole, found.weights, labels, parts)
    draw(page, name, charts.sharing_chart(page.language, **words), data, alt)
    panels.download(page, name, lambda: data[data["kind"] == "cell"][["name", "token", "value", "y0", "y1"]])


def seeds(source: str) -> list[tuple[str, int, dict[str, float]]]:
    """kind, cache bytes a token, and the recorded loss by seed, on one source or on the "mean" of all of them."""
    networks = recorded("attention_variants_evaluation")["networks"]

    def loss(by_source: dict) -> float:
        return statistics.mean(by_source.values()) if source == "mean" else by_source[source]

    return [(kind, row["cache_bytes_per_token"], {seed: loss(by) for seed, by in row["seeds"].items()}) for kind, row in networks.items()]


def sources() -> list[str]:
    """What `seeds` takes."""
    first = next(iter(recorded("attention_variants_evaluation")["networks"].values()))
    return ["mean", *first["held_out_nats_per_token"]]


def measured_share(measured: dict[str, list[float]]) -> float:
    """How much of the measuring is done."""
    return sum(map(len, measured.values())) / (ROUNDS * len(KINDS))


def measure_next(measured: dict[str, list[float]], tokens: int) -> bool:
    """Time the network that has been timed least, with `tokens` in its cache; True while there is more to do."""
    kind = min(KINDS, key=lambda kind: len(measured.get(kind, [])))
    with _measuring:
        measured.setdefault(kind, []).append(seconds_per_token(load_variant(kind).network, tokens))
    return sum(map(len, measured.values())) < ROUNDS * len(KINDS)


def draw_speed(page, measured: dict[str, list[float]], tokens: int) -> None:
    """Bars of the medians with the range of the rounds; once all are there, what the time goes to."""
    t = page.t
    medians = {kind: 1000 * statistics.median(times) for kind, times in measured.items()}
    rows = [
        (t.plain(f"kind.options.{kind}"), ms, "computed",
         t.plain("speed.range", ms=ms, low=1000 * min(measured[kind]), high=1000 * max(measured[kind])))
        for kind, ms in medians.items()
    ]  # fmt: skip
    data = bars_data(rows)
    draw(page, "speed", bars_chart(len(KINDS), 0, False, page.language, value=t.plain("speed.value")), data, t.plain("speed.alt"))
    panels.download(page, "speed", lambda: data.drop(columns=["role"]))
    if len(medians) == len(KINDS):
        mha = variant_config("mha")
        weights, cache = 4 * costs.parameters(mha), costs.kv_cache_bytes(mha, tokens, 4)
        st.markdown(t("speed.result", tokens=tokens, weights=weights / 1e6, cache=cache / 1e6, **medians))


def draw_own(page, ids, kind: str) -> None:
    """Loss of the viewer's text against cache bytes, a point for each of the four; `kind` in orange."""
    t, read_by = page.t, {name: read(ids, name) for name in KINDS}
    losses = {name: found.loss for name, found in read_by.items()}
    points = [
        (t.plain(f"kind.options.{name}"), BYTES * found.numbers, found.loss, "computed" if name == kind else "reused")
        for name, found in read_by.items()
    ]
    data = charts.trade_data(points)
    spec = charts.trade_chart(0, math.ceil(1.15 * max(losses.values())), (), page.language, **t.words("own", "bytes", "loss"))
    draw(page, "own", spec, data, t.plain("own.alt", **losses))
    st.markdown(t("own.result", n=len(ids), **losses))
    panels.download(page, "own", lambda: data.drop(columns=["role"]))


def draw_broken(page, ids, n_kv_heads: int, alt: str) -> None:
    """What pooling breaks: the text's loss for every number of heads, and the next token before and after."""
    t, every = page.t, {n: read_pooled(ids, n) for n in head_counts()}
    found, before = every[n_kv_heads], every[max(every)]
    losses = {n: reading.loss for n, reading in every.items()}
    left, right = st.columns(2, gap="large")
    with left:
        data = charts.loss_data(losses, n_kv_heads)
        spec = charts.loss_chart(math.ceil(1.15 * max(losses.values())), page.language, **t.words("pool", "heads", "loss"))
        draw(page, "losses", spec, data, alt)
        panels.download(page, "losses", lambda: data.drop(columns=["role"]))
    with right:
        best = (before.probs + found.probs).topk(6).indices
        bars = distribution_data(best, bundled().tokenizer.labels(best), before.probs[best], found.probs[best])
        draw(page, "answers", distribution_chart(6, **t.words("pool", "before", "after", "token"), language=page.language), bars, alt)
        panels.download(page, "answers", lambda: bars)


def spread(rows) -> dict[str, float]:
    """Of what `seeds` gives: the lowest and highest loss, how far kinds lie apart with one seed and one kind with two seeds."""
    losses = [loss for _, _, by in rows for loss in by.values()]
    between = max(max(by[seed] for _, _, by in rows) - min(by[seed] for _, _, by in rows) for seed in rows[0][2])
    apart = max(max(by.values()) - min(by.values()) for _, _, by in rows)
    return {"low": min(losses), "high": max(losses), "share": max(losses) / min(losses) - 1, "between": between, "apart": apart}


def latent_numbers(ids) -> dict[str, float]:
    """What the network with latent vectors keeps for a token, and multiplications and agreement of its two ways on a text."""
    config, (vector, rotary) = variant_config("mla"), read(ids, "mla").widths
    sizes = (config.n_heads, config.head_dim, vector, rotary, len(ids))
    values = {"expanded": expanded_products(*sizes), "absorbed": absorbed_products(*sizes)}
    values |= {"ratio": values["expanded"] / values["absorbed"], "difference": absorbed_difference(ids), "n": len(ids)}
    return values | {"latent": vector, "rotary": rotary, "kept": vector + rotary, "every": 2 * config.n_heads * config.head_dim}


def model_numbers(data) -> dict[str, float]:
    """Of `models_data`: what the sentences below the chart name."""
    by_name = data.set_index("name")
    llama, deepseek = by_name.loc["Llama-3-70B"], by_name.loc["DeepSeek-V3"]
    values = {"llama": llama["gb"], "llama_all": llama["unshared"], "deepseek": deepseek["gb"], "deepseek_all": deepseek["unshared"]}
    fit = int((data["gb"] <= costs.gpus()["H100 SXM"].memory_gb).sum())
    return values | {"ratio": deepseek["unshared"] / deepseek["gb"], "fits": fit, "n": len(data)}


def learnt(ids) -> dict[str, float]:
    """The numbers of the takeaway: trained with one key and value head for all, and pooled to one without training."""
    mha, mqa, counts = read(ids, "mha"), read(ids, "mqa"), head_counts()
    return {
        "ratio": mha.numbers / mqa.numbers, "mha": mha.loss, "mqa": mqa.loss,
        "full": read_pooled(ids, counts[0]).loss, "pooled": read_pooled(ids, counts[-1]).loss,
    }  # fmt: skip
