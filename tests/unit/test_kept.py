import pytest

from core.ui.kept import Kept


def test_results_are_computed_once_and_the_longest_unused_goes():
    kept, calls = Kept(2), []
    for key in "abacbab":
        assert kept.get(key, lambda key=key: calls.append(key) or key.upper()) == key.upper()
    assert calls == ["a", "b", "c", "b", "a"]
    assert "a" in kept and "b" in kept and "c" not in kept


def test_a_failed_computation_is_not_kept():
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 5) == 5
