"""Where memory is short, what can be had again is given up before anything is refused."""

import pytest

from core.checkpoints import memory
from core.checkpoints.errors import NotEnoughMemory
from core.kept import Kept, let_go

MB = 1 << 20


def filled(most: int, n: int, weigh=lambda result: 1) -> Kept:
    kept = Kept(most, weigh=weigh)
    for key in range(n):
        kept.get(key, lambda key=key: "x" * (key + 1))
    return kept


def test_every_memory_gives_up_its_older_half():
    counted, weighed, single = filled(10, 8), filled(100, 4, weigh=len), filled(3, 1)
    let_go()
    assert [key for key, _ in counted.items()] == [4, 5, 6, 7]
    assert [key for key, _ in weighed.items()] == [3]  # 1 + 2 + 3 + 4 bytes: the newest alone weighs less than half
    assert not single.items()
    assert single.get(0, lambda: "again") == "again"


@pytest.mark.parametrize("free, needed, gives", [(memory.SHORT, 0, False), (memory.SHORT - 1, 0, True), (memory.SHORT, 1, True), (None, 1 << 40, False)])
def test_only_where_it_is_short(monkeypatch, free, needed, gives):
    kept = filled(10, 4)
    monkeypatch.setattr(memory, "free_bytes", lambda: free)
    assert memory.make_room(needed) is gives
    assert len(kept.items()) == (2 if gives else 4)


def test_a_model_fits_once_the_rest_is_given_up(monkeypatch):
    kept = filled(8, 8)
    monkeypatch.setattr(memory, "free_bytes", lambda: (900 - 100 * len(kept.items())) * MB)
    memory.require_memory("mini", 300 * MB)  # 100 MB are free at first
    assert len(kept.items()) == 4
    with pytest.raises(NotEnoughMemory):
        memory.require_memory("large", 5000 * MB)
