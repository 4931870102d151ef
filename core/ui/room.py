"""What a session knows about a room: the database, who one is, and the links."""

import os
import re
import secrets
from io import BytesIO
from pathlib import Path

import streamlit as st

from core.checkpoints.cache import cache_folder
from core.classroom.store import RoomError, RoomStore

ME = "me"  # in the link: what `participant` says
_TOKENS = "_classroom_tokens"  # code -> the lecturer's token, in this session only


def store() -> RoomStore:
    """The rooms' database: `[connections.sql]` in the secrets, else $GLASSBOX_ROOMS (a folder or a database's address).

    Without either a file in the cache folder. A database that cannot be reached is asked anew at the next run.
    """
    if st.secrets.load_if_toml_exists() and "sql" in st.secrets.get("connections", {}):
        return _store("")
    place = os.environ.get("GLASSBOX_ROOMS") or str(cache_folder())
    return _store(place if "://" in place else f"sqlite:///{Path(place).expanduser() / 'classroom.db'}")


@st.cache_resource(show_spinner=False, max_entries=4)
def _store(url: str) -> RoomStore:
    try:
        engine = st.connection("sql", type="sql", pool_pre_ping=True, **({"url": url} if url else {})).engine
    except Exception as error:  # a driver that is not installed, an address that is none
        raise RoomError("unavailable") from error
    return RoomStore(engine)


def participant(page) -> str:
    """A random number that stands for this device; nothing else is known of it.

    It stands in the device's own address line, so that who reloads the page does not answer twice.
    """
    key = page.key(ME)
    given = st.query_params.get(key, "")
    known = given if re.fullmatch("[0-9a-f]{32}", given) else secrets.token_hex(16)
    mine = st.session_state.setdefault("_classroom_participant", known)
    if given != mine:
        st.query_params[key] = mine
    return mine


def token(page, code: str) -> str:
    """The lecturer's token for a room, or nothing. One in the link is taken out of it: the address is on the projector."""
    held = st.session_state.setdefault(_TOKENS, {})
    given = st.query_params.get(page.key("key"))
    if given:
        held[code] = given[:100]
        del st.query_params[page.key("key")]
    return held.get(code, "")


def keep_token(code: str, new: str) -> None:
    """Remember that this session opened the room."""
    st.session_state.setdefault(_TOKENS, {})[code] = new


def link(page, code: str, key: str = "") -> str:
    """The students' way into a room, or with `key` the lecturer's."""
    base = (st.context.url or "").split("?")[0]
    return f"{base}?lang={page.language}&{page.key('room')}={code}" + (f"&{page.key('key')}={key}" if key else "")


def qr(address: str) -> bytes:
    """The link as a QR code, PNG with its white border."""
    import segno

    picture = BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="png", scale=6, border=4)
    return picture.getvalue()
