"""A pool of blocks for the page: four requests, the viewer's first, what eviction takes from them and what comes back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.costs.paging import blocks_for, expected_freed
from core.kv_cache.blocks import BlockPool, BlockTable, copied
from core.measure.compaction import Reading, read_with_budget
from core.measure.eviction import ORDERS, attention_received, eviction_ranks, kept_by_heads, logits_after_eviction
from core.ui import live
from core.ui.kept import Kept

OTHERS = ("second", "third", "fourth")
COLUMNS = 12  # blocks side by side in the picture
WRITTEN = 16  # tokens that a request writes before the next one's turn
SHARES = (0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 93, 95, 97, 99)
OBSERVED = 32  # last queries that speak for all
_ranks, _curves, _answers, _readings = Kept(200), Kept(24), Kept(24), Kept(48)


@dataclass(frozen=True)
class Requests:
    """Token ids of every request; the first `prefix` tokens are the same in all."""

    ids: tuple[tuple[int, ...], ...]
    prefix: int

    @property
    def lengths(self) -> list[int]:
        return [len(ids) for ids in self.ids]


@dataclass(frozen=True)
class Evicted:
    """The pool before and after tokens were dropped, and perhaps the survivors slid together."""

    before: list[BlockTable]
    after: list[BlockTable]
    pool: BlockPool  # after
    used: int  # blocks in use before
    copies: int  # blocks copied on write while the requests were read
    gone: int  # tokens dropped by all heads
    moved: int
    expected: float  # blocks that would come back if every list dropped at random
    lists: int  # of what to drop, one for all heads or one each

    @property
    def freed(self) -> int:
        return self.used - self.pool.used

    @property
    def numbers(self) -> dict[str, float]:
        """For sentences: freed of `blocks`, as a share `part`, `needed` now; gone, moved, copies, lists, expected."""
        counts = {name: getattr(self, name) for name in ("freed", "gone", "moved", "copies", "lists", "expected")}
        return counts | {"blocks": self.used, "part": self.freed / self.used, "needed": self.pool.used}


def requests(page, ids) -> Requests:
    """The viewer's text and three more, each after the same system prompt."""
    encode = page.lm.tokenizer.encode
    system = encode(page.t.plain("system"))
    texts = [tuple(ids), *(tuple(encode(page.t.plain(f"requests.{name}"))) for name in OTHERS)]
    return Requests(tuple((*system, *text) for text in texts), len(system))


def filled(asked: Requests, shared: bool) -> tuple[BlockPool, list[BlockTable], int]:
    """A pool that holds all requests, written in turns; `shared`: the same beginning is held once. And the blocks copied."""
    needed = sum(map(blocks_for, asked.lengths)) + COLUMNS // 2
    pool = BlockPool(-(-needed // COLUMNS) * COLUMNS, seed=1)
    first, start, copies = BlockTable(pool), asked.prefix if shared else 0, 0
    first.extend(0, start)
    tables = [first, *(first.fork() for _ in asked.ids[1:])]
    while start < max(asked.lengths):
        for table, n in zip(tables, asked.lengths):
            copies += len(table.extend(start, max(min(WRITTEN, n - start), 0)))
        start += WRITTEN
    return pool, tables, copies


def evict(lm, asked: Requests, order: str, share: float, shared: bool = False, compact: bool = False) -> Evicted:
    """Drop a `share` (0..1) of every request's tokens in the order of one of ORDERS."""
    pool, before, copies = filled(asked, shared)
    used = pool.used
    pool, after = copied(pool, before)
    holdings: dict[int, list[tuple[int, int, int]]] = {}
    for i, (ids, table) in enumerate(zip(asked.ids, after)):
        ranks, n = ranks_of(lm, ids, order, i), len(ids)
        gone = round(share * n)
        for block in table.blocks:
            holdings.setdefault(block.physical, []).append((gone, n, sum(p is not None for p in block.slots)))
        table.drop((ranks < gone).all(0).nonzero()[:, 0].tolist())
    moved = sum(len(table.compact()) for table in after) if compact else 0
    lost = sum(n - len(table.positions()) for n, table in zip(asked.lengths, after))
    lists = len(ranks)
    return Evicted(before, after, pool, used, copies, lost, moved, expected_freed(holdings.values(), lists), lists)


def ranks_of(lm, ids, order: str, seed: int = 0) -> Tensor:
    """`eviction_ranks` of a text, by the attention that the live model gives."""
    ids = tuple(ids)
    if order == "random":
        return eviction_ranks(order, torch.empty(len(ids)), seed)
    return _ranks.get((lm.name, ids, order), lambda: eviction_ranks(order, received(lm, ids)))


def received(lm, ids, last: int | None = None) -> Tensor:
    return _ranks.get((lm.name, tuple(ids), "received", last), lambda: attention_received(lm, ids, last))


def curves(lm, asked: Requests) -> dict[str, list[tuple[int, float]]]:
    """Percent evicted and share of blocks freed: for every order, for "compact" (random, slid together), and in theory."""

    def compute():
        found = {order: [(s, evict(lm, asked, order, s / 100)) for s in SHARES] for order in ORDERS}
        found["compact"] = [(s, evict(lm, asked, "random", s / 100, compact=True)) for s in SHARES]
        shares = {name: [(s, state.freed / state.used) for s, state in states] for name, states in found.items()}
        return shares | {"theory": [(s, (s / 100) ** 16) for s in SHARES]}

    return _curves.get((lm.name, asked), compute)


def answers(lm, ids) -> dict[str, list[tuple[int, float]]]:
    """Percent evicted and the probability of what the full cache would say, for every order."""

    def compute():
        reading, config, n = live.read(lm, ids), lm.config, len(ids) - 1
        answer = int(reading.logits.argmax())
        cache, found = live.beginning(reading, n), {}
        for order in ORDERS:
            ranks = ranks_of(lm, ids[:-1], order)
            kept = [kept_by_heads(ranks, round(share / 100 * n), config.n_layers, config.n_kv_heads) for share in SHARES]
            logits = logits_after_eviction(lm, ids[-1], cache, torch.stack(kept))
            found[order] = list(zip(SHARES, logits.softmax(-1)[:, answer].tolist()))
        return found

    return _answers.get((lm.name, tuple(ids)), compute)


def budgeted(lm, ids, every: int, budget: int | None, compact: bool) -> Reading:
    """All of `read_with_budget`."""
    key = (lm.name, tuple(ids), every, budget, compact)
    return _readings.get(key, lambda: read_with_budget(lm, ids, every, budget, compact))


def cut_down(lm, ids, every: int, budget: int) -> tuple[dict[str, list[tuple[int, int, int]]], dict[str, float]]:
    """Points of reading without eviction, with holes and slid together (by role), and the numbers for sentences."""
    never, holes, slid = (budgeted(lm, ids, every, *how) for how in ((None, False), (budget, False), (budget, True)))
    answer, before = int(never.logits.argmax()), never.logits.softmax(-1)
    numbers = {name: reading.points[-1][2] for name, reading in (("never", never), ("holes", holes), ("slid", slid))}
    numbers |= {"moved": slid.moved, "freed": slid.freed, "freed_holes": holes.freed, "answer": lm.tokenizer.label(answer)}
    numbers |= {"difference": float((holes.logits - slid.logits).abs().max())}
    numbers |= {"full": float(before[answer]), "share": float(slid.logits.softmax(-1)[answer])}
    return {"dropped": never.points, "paged": holes.points, "computed": slid.points}, numbers


def seen_weights(lm, ids) -> dict[str, float]:
    """Weights that all heads make of a text, row sums a fused kernel keeps, weights of the last queries; and `overlap`."""
    n, heads = len(ids), lm.config.n_layers * lm.config.n_heads
    last = min(n, OBSERVED)
    few = heads * (last * n - last * (last - 1) // 2)
    return {"n": n, "scores": heads * n * (n + 1) // 2, "kept": heads * n, "few": few, "last": last, "overlap": overlap(lm, ids)}


def attention_places(lm, ids) -> list[float]:
    """For each token how high it stands among all by attention received: 0 least, 1 most."""
    places = received(lm, ids).sum((0, 1)).argsort().argsort()
    return (places / max(len(ids) - 1, 1)).tolist()


def overlap(lm, ids, share: float = 0.25) -> float:
    """Of the `share` of tokens with the most attention: how many are also chosen by the last OBSERVED queries alone."""
    best = max(round(share * len(ids)), 1)
    chosen = [set(received(lm, ids, last).sum((0, 1)).topk(best).indices.tolist()) for last in (None, OBSERVED)]
    return len(chosen[0] & chosen[1]) / best
