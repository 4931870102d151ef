"""Reading a text with the model, reusing what was read before: one more token costs one step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.decoding import distribution, generate
from core.kv_cache import Cache
from core.models.language_model import LanguageModel
from core.ui.kept import Kept

MOST_BYTES = 64 << 20  # of keys, values and scores kept over all viewers; a token takes 30 kB with `mini`, 46 kB with SmolLM2
CHUNK = 128  # tokens read at once, so that the logits of a long text never stand in memory together


@dataclass(frozen=True)
class Reading:
    """What the model made of a text."""

    ids: tuple[int, ...]
    logits: Tensor  # (V,) of the token after the text
    logprobs: Tensor  # (T,) natural log of each token's probability where it stands; the first has none: 0
    cache: Cache  # filled with the text; never written on, see `beginning`

    @property
    def bytes(self) -> int:
        """What it holds in memory."""
        return self.logits.nbytes + self.logprobs.nbytes + self.cache.bytes_reserved


def read(lm: LanguageModel, ids) -> Reading:
    """Read `ids`; the longest beginning that was read before is taken from memory."""
    ids = tuple(int(i) for i in ids)
    return _readings.get((lm.name, ids), lambda: _read_on(lm, ids, *_readings.closest(lm.name, ids)))


def beginning(reading: Reading, n: int, room: int = 0) -> Cache:
    """A cache of one's own with the first `n` tokens of a reading, and room for `room` more."""
    cache = Cache(reading.cache.config, capacity=max(n + room, 1))
    for layer in range(reading.cache.config.n_layers if n else 0):
        k, v = reading.cache.read(layer)
        cache.append(k[:, :, :n], v[:, :, :n], layer)
    return cache


def draw(lm: LanguageModel, reading: Reading, seed: int, **settings) -> int:
    """The next token after a reading, drawn with the settings of `distribution`.

    Text and seed fix it: the number of tokens is added to the seed, so that every place draws its own.
    """
    n = len(reading.ids)
    steps = generate(lm, reading.ids, 1, seed=seed + n, cache=beginning(reading, n - 1, room=1), **settings)
    return next(steps).token


def go_on(lm: LanguageModel, reading: Reading, n: int, seed: int, **settings) -> Reading:
    """The reading with up to `n` tokens written behind it, drawn with the settings of `distribution`."""
    cache = beginning(reading, len(reading.ids) - 1, room=n + 1)
    new = [step.token for step in generate(lm, reading.ids, n, seed=seed, cache=cache, **settings)]
    return read(lm, [*reading.ids, *(token for token in new if token != lm.tokenizer.eot)])


def expected(lm: LanguageModel, reading: Reading, i: int, n: int = 3) -> tuple[float, int, list[tuple[int, float]]]:
    """What the model expected at position i >= 1: the probability and place of the token there, and the n likeliest."""
    probs = distribution(read(lm, reading.ids[:i]).logits)
    share = probs[reading.ids[i]]
    likeliest = probs.topk(n)
    return float(share), int((probs > share).sum()) + 1, list(zip(likeliest.indices.tolist(), likeliest.values.tolist()))


def _read_on(lm: LanguageModel, ids: tuple[int, ...], known: Reading | None, same: int) -> Reading:
    # The last shared token is read anew: its logits give the probability of the first new one.
    n = max(same - 1, 0)
    cache = beginning(known, n, room=len(ids) - n) if n else Cache(lm.config, capacity=len(ids))
    logprobs = [known.logprobs[: n + 1] if n else torch.zeros(1)]
    for start in range(n, len(ids), CHUNK):
        logits = lm.forward(torch.tensor([ids[start : start + CHUNK]]), cache)[0].float()  # (t, V)
        following = torch.tensor(ids[start + 1 : start + CHUNK + 1], dtype=torch.long)
        before = logits[: len(following)]
        logprobs.append(before.gather(-1, following[:, None])[:, 0] - before.logsumexp(-1))
    return Reading(ids, logits[-1].clone(), torch.cat(logprobs), cache)


_readings = Kept(MOST_BYTES, weigh=lambda reading: reading.bytes)
