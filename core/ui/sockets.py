"""What the server sends leaves at once.

A TCP connection holds small parcels back until the last one was acknowledged, which the other side puts off for up to
40 ms (Nagle's algorithm, RFC 896, against delayed acknowledgements): an answer of many small messages would stall in the middle.
asyncio switches that off, but not on a socket bound as Streamlit binds its own (github.com/Kludex/uvicorn/issues/3149).
"""

import os
import socket
import stat
from pathlib import Path

_OPEN_FILES = (Path("/proc/self/fd"), Path("/dev/fd"))  # Linux, macOS


def send_at_once() -> None:
    """Once per server: for its connections and the ones to come, which take after the socket that listens.

    Does nothing where a process cannot list its open files.
    """
    listed = next((folder for folder in _OPEN_FILES if folder.is_dir()), None)
    for number in map(int, os.listdir(listed) if listed else ()):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as one:  # a copy, so that closing it leaves the original open
                if one.type == socket.SOCK_STREAM and one.family in (socket.AF_INET, socket.AF_INET6):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # closed in the meantime
            continue
