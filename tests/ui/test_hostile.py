"""Anything at all in the link and in the text fields of every page: one sentence at most, no traceback, no markup, no path.

Each case sets all of a page's settings at once. `GLASSBOX_FUZZ=100 python -m pytest tests/ui/test_hostile.py` tries a hundred
new cases a page instead of the few that are always the same.
"""

import os
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ui.test_pages import PAGES, ROOT, opened

CASES = int(os.environ.get("GLASSBOX_FUZZ", 0))
MARKUP = "<img src=x onerror=alert(7)>"
SOME = [
    "", " ", "0", "-1", "1e999", "nan", "NaN", "-inf", "0x10", "1_000", "٣", "9" * 400, "1.5.2", "true", "None", "[]", "{}", "1,2,3",
    "../../../etc/passwd", "/etc/passwd", "C:\\Windows", "file:///etc/passwd", "%00", "\x00", "\ud7ff", "\u202e", "a\u0301" * 50, "😀👩‍👩‍👧",
    MARKUP, "<script>alert(7)</script>", "[x](javascript:alert(7))", "![x](http://127.0.0.1/x)", "$\\frac{1}{0}$", ":material/home:",
    "{text}", "{0.__class__}", "%s%n", "'; DROP TABLE rooms; --", "${7*7}", "<|endoftext|>", "null", "de", "mini", "x" * 5_000,
]  # fmt: skip
values = st.one_of(
    st.sampled_from(SOME), st.text(max_size=60), st.integers().map(str), st.floats().map(str),
    st.text(string.digits + ".,-+eE_[]", max_size=12), st.lists(st.integers(-9, 999), max_size=4).map(lambda found: ".".join(map(str, found))),
)  # fmt: skip
fuzzed = settings(
    max_examples=CASES or 2, deadline=None, derandomize=not CASES, database=None, suppress_health_check=list(HealthCheck), print_blob=True
)


def check(at, case) -> None:
    """Nothing went wrong, and nothing that came from outside became markup or told about this machine."""
    assert not at.exception, (case, [box.value for box in at.exception])
    assert not at.error, (case, [box.value for box in at.error])
    said = [box.value for box in [*at.warning, *at.info, *at.success, *at.markdown, *at.caption]]
    made = [part.proto.body for part in at.get("html")]
    assert not any(MARKUP in body or "<script>alert" in body for body in made), case
    assert not any(str(ROOT) in text or "Traceback" in text for text in [*said, *made]), case


def names_of(name: str) -> list[str]:
    """What a link may carry for a page."""
    kept = opened(name, lang="en").session_state._state.filtered_state
    return sorted({key for key in kept if isinstance(key, str) and key.startswith(f"{name}_")} | {f"{name}_prompt", "model", "lesson", "step"})


@pytest.mark.parametrize("name", PAGES)
def test_a_link_may_hold_anything(name):
    names = names_of(name)

    @fuzzed
    @given(st.lists(values, min_size=len(names), max_size=len(names)), st.sampled_from(("de", "en")))
    def hostile(found, language):
        case = dict(zip(names, found))
        check(opened(name, lang=language, **case), case)

    hostile()


@pytest.mark.parametrize("name", PAGES)
def test_a_field_may_hold_anything(name):
    at = opened(name, lang="en")
    fields = [(kind, box.key) for kind in ("text_input", "text_area") for box in getattr(at, kind)]
    if not fields:
        pytest.skip("nothing can be typed here")

    @fuzzed
    @given(st.lists(values, min_size=len(fields), max_size=len(fields)))
    def hostile(found):
        for (kind, key), value in zip(fields, found):
            if any(box.key == key for box in getattr(at, kind)):
                getattr(at, kind)(key=key).set_value(value)
        check(at.run(), dict(zip(fields, found)))

    hostile()
