"""What a page offers to walk through, for lecture mode and lessons: its presets, its predictions and its experiments."""

from collections.abc import Callable, Sequence

import streamlit as st

_WALK, _DUE = "_walk", "_walk_due"


def begin() -> None:
    """Forget the last page's; called before a page runs."""
    at = st.session_state.get(_WALK, {}).get("at")
    st.session_state[_WALK] = {"names": [], "choose": None, "predictions": {}, "panels": {}, "at": at}


def offer_presets(page, names: Sequence[str], now: str | None, choose: Callable[[str | None], None]) -> None:
    """Presets in their order, the one shown, and what sets one; `choose(None)` sets the page back to its start."""
    walk = _walk()
    walk |= {"names": list(names), "choose": choose}
    if now or walk["at"] is None or walk["at"][0] != page.name:
        walk["at"] = (page.name, now)


def offer_prediction(key: str) -> None:
    """The session key of a prediction's choice."""
    _walk()["predictions"][key] = True


def offer_panel(key: str, title: str) -> None:
    """The key of a card with an experiment, in the order they are drawn, and what it is called."""
    _walk()["panels"][key] = title


def panels() -> dict[str, str]:
    """Key -> title of the experiments on the page."""
    return _walk()["panels"]


def ask(page: str, preset: str) -> None:
    """Have a preset set when its page is drawn next."""
    st.session_state[_DUE] = (page, preset)


def due(page: str) -> str | None:
    """The preset that was asked for on this page, once."""
    if st.session_state.get(_DUE, ("", ""))[0] == page:
        return st.session_state.pop(_DUE)[1]
    return None


def place() -> tuple[int, int]:
    """Which preset is shown, from 1, and how many there are; 0 where none is."""
    walk = st.session_state.get(_WALK, {})
    names, at = walk.get("names", []), (walk.get("at") or ("", None))[1]
    return (names.index(at) + 1 if at in names else 0), len(names)


def shown() -> str | None:
    """The name of the preset that is shown."""
    i, _ = place()
    return st.session_state[_WALK]["names"][i - 1] if i else None


def step(by: int) -> bool:
    """Set the next preset (1) or the one before (-1), for callbacks; False where the page has no further one."""
    i, n = place()
    if not 1 <= i + by <= n:
        return False
    walk = st.session_state[_WALK]
    name = walk["names"][i + by - 1]
    walk["choose"](name)
    walk["at"] = (walk["at"][0], name)
    return True


def _walk() -> dict:
    return st.session_state.setdefault(_WALK, {"predictions": {}, "panels": {}, "at": None})


def reset() -> None:
    """Set the page back to its start and take back all predictions, for callbacks."""
    walk = st.session_state[_WALK]
    answer(None)
    if walk["choose"]:
        walk["choose"](None)


def answer(choice: str | None = "skip") -> None:
    """Show the answers of all predictions, for callbacks; None hides them."""
    for key in st.session_state[_WALK]["predictions"]:
        st.session_state[key] = choice
