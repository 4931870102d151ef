"""Steps are shown at most once in a while, the first one always."""

from core.ui import seldom


def test_the_first_step_is_shown_and_then_one_in_a_while(monkeypatch):
    now, shown = [100.0], []
    monkeypatch.setattr(seldom.time, "monotonic", lambda: now[0])
    show = seldom.seldom(shown.append)
    for step in range(1, 41):
        show(step)
        now[0] += seldom.EVERY / 8  # exact in binary but for EVERY itself
    assert shown[0] == 1 and len(shown) <= 5 and all(8 <= b - a <= 9 for a, b in zip(shown, shown[1:]))
