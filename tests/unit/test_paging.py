"""Blocks and tables against plain lists, freed blocks against scipy's hypergeometric distribution, the charts' tables."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from core.charts.paged_cache import SIDE, STEP, pool_data, reserved_data, time_data
from core.costs.paging import blocks_for, expected_freed, freed_chance, shared_blocks
from core.kv_cache.blocks import BlockPool, BlockTable, copied


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 6))
def test_tables_against_plain_lists(seed, size):
    """Any mix of writing, dropping, sliding together and forking: every request holds its own tokens, wherever they lie."""
    rng, pool = random.Random(seed), BlockPool(200, size, seed)
    memory: dict[int, tuple] = {}  # place -> what was written there
    first = BlockTable(pool)
    tables, expected, written = [first], [[]], [0]

    def write(i, n):
        for source, target, slots in tables[i].extend(written[i], n):
            memory.update({target * size + s: memory[source * size + s] for s in range(slots)})
        places = tables[i].places()[-n:] if n else []
        for position, place in zip(range(written[i], written[i] + n), places):
            memory[place] = (i, position)
            expected[i].append((i, position))
        written[i] += n

    for _ in range(25):
        i = rng.randrange(len(tables))
        action = rng.choice(["write", "write", "drop", "compact", "fork"])
        if action == "write":
            write(i, rng.randrange(0, 9))
        elif action == "drop" and expected[i]:
            gone = set(rng.sample(tables[i].positions(), rng.randrange(len(expected[i]) + 1)))
            used = pool.used
            freed = tables[i].drop(gone)
            expected[i] = [token for token in expected[i] if token[1] not in gone]
            assert pool.used == used - freed
        elif action == "compact":
            moves = tables[i].compact()
            memory |= {new: memory[old] for old, new in moves}
            assert len(tables[i].table) == blocks_for(len(expected[i]), size)
        elif action == "fork" and len(tables) < 4:
            tables.append(tables[i].fork())
            expected.append(list(expected[i]))
            written.append(written[i])
        for table, tokens in zip(tables, expected):
            assert [memory[place] for place in table.places()] == tokens
            assert table.positions() == [position for _, position in tokens]
        held = [block for table in tables for block in table.table]
        assert [held.count(block) for block in range(200)] == pool.holders
        assert sorted(pool.free + list(set(held))) == list(range(200)) and pool.used == len(set(held))


def test_copied_bookkeeping_leaves_the_first_alone():
    pool = BlockPool(10, 4)
    tables = [BlockTable(pool), BlockTable(pool)]
    for table in tables:
        table.extend(0, 10)
    twin, others = copied(pool, tables)
    others[0].drop(range(10))
    others[1].compact()
    assert twin.used == 3 and pool.used == 6 and [len(table.positions()) for table in tables] == [10, 10]


def test_a_full_pool_says_so():
    table = BlockTable(BlockPool(2, 4))
    table.extend(0, 8)
    with pytest.raises(MemoryError, match="all 2 blocks"):
        table.extend(8, 1)


@settings(max_examples=100, deadline=None)
@given(tokens=st.integers(1, 2000), share=st.floats(0, 1), slots=st.integers(1, 16))
def test_freed_chance_is_the_hypergeometric_one(tokens, share, slots):
    """Drawing `gone` of `tokens` without putting back: the chance that all of a block's are among them."""
    slots, gone = min(slots, tokens), round(share * tokens)
    assert freed_chance(gone, tokens, slots) == pytest.approx(hypergeom(tokens, slots, gone).pmf(slots), rel=1e-6, abs=1e-12)


def test_published_widget_numbers():
    """14 of 16 thousand: 117.9 of 1,000 blocks; p^16 at 50, 75, 87.5, 90, 95 and 99 %."""
    assert 1000 * freed_chance(14_000, 16_000) == pytest.approx(117.9, abs=0.05)
    assert [round(100 * p**16, 1) for p in (0.5, 0.75, 0.875, 0.9, 0.95, 0.99)] == [0.0, 1.0, 11.8, 18.5, 44.0, 85.1]


def test_blocks_freed_at_random_are_those_expected():
    """The bookkeeping, 600 times, against the exact expectation: two requests that share two blocks, the last ones part filled."""
    lengths, prefix, size, share = (45, 70), 8, 4, 0.8
    freed = []
    for seed in range(600):
        pool = BlockPool(60, size, seed)
        first = BlockTable(pool)
        first.extend(0, prefix)
        tables = [first, first.fork()]
        for table, n in zip(tables, lengths):
            table.extend(prefix, n - prefix)
        used, holdings = pool.used, {}
        for i, (table, n) in enumerate(zip(tables, lengths)):
            gone = round(share * n)
            for block in table.blocks:
                holdings.setdefault(block.physical, []).append((gone, n, sum(p is not None for p in block.slots)))
            table.drop(np.random.default_rng((seed, i)).permutation(n)[:gone])
        freed.append(used - pool.used)
    expected = expected_freed(holdings.values())
    assert abs(np.mean(freed) - expected) < 4 * np.std(freed) / 600**0.5
    assert expected_freed([[(8, 10, 2)]], lists=3) == pytest.approx((8 * 7 / 90) ** 3)


def test_blocks_by_hand():
    assert [blocks_for(n) for n in (0, 1, 16, 17)] == [0, 1, 1, 2]
    assert shared_blocks(35, [35, 40, 50]) == 2 + 1 + 1 + 2  # two full ones shared, the rest each for itself
    for wrong in ((5, 4, 2), (1, 4, 0), (1, 4, 5)):
        with pytest.raises(ValueError, match="need 0 <= gone"):
            freed_chance(*wrong)


def test_the_picture_of_a_pool():
    """One block shared, one copied on write, one freed, one never used; every slot in its square."""
    pool = BlockPool(5, 16, seed=3)
    first = BlockTable(pool)
    first.extend(0, 20)
    tables = [first, first.fork()]
    tables[1].extend(20, 2)
    pool, after = copied(pool, tables)
    after[0].drop(range(16, 20))  # its own block, left by the second when it was copied
    data = pool_data(tables, after, pool, [["a"] * 20, ["b"] * 22], 3)
    blocks, slots = data[data["kind"] == "block"], data[data["kind"] == "slot"]
    assert blocks["role"].value_counts().to_dict() == {"held": 2, "free": 2, "freed": 1}
    assert slots["role"].value_counts().to_dict() == {"reused": 16, "second": 6}
    after[1].drop([3, 20])
    after[0].drop([3])
    slots = pool_data(tables, after, pool, [["a"] * 20, ["b"] * 22], 3).query("kind == 'slot'")
    assert slots["role"].value_counts().to_dict() == {"reused": 15, "second": 5, "dropped": 2}
    after[0].compact()
    after[1].compact()
    slots = pool_data(tables, after, pool, [["a"] * 20, ["b"] * 22], 3).query("kind == 'slot'")
    assert "dropped" not in set(slots["role"]) and len(slots) == 15 + 20  # nothing is shared any more, and there are no holes
    assert ((slots["x0"] % STEP) < SIDE).all() and ((slots["y0"] % STEP) < SIDE).all()


def test_tables_of_the_other_charts():
    data = reserved_data([10, 20], {"piece": [64, 64], "pages": [16, 32]})
    assert data["slots"].tolist() == [30, 98, 30, 18]
    data = time_data({"computed": [(0, 0, 0), (8, 8, 2), (8, 4, 1)]})
    assert data["blocks"].tolist() == [0, 2, 1] and data["i"].tolist() == [0, 1, 2]
