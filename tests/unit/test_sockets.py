"""Every TCP connection of a server sends at once; what is no TCP socket is left as it was."""

import os
import socket

from core.ui.sockets import send_at_once


def no_delay(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_open_connections_and_later_ones_send_at_once():
    # as Streamlit binds its own: without naming TCP, so that asyncio leaves the delay on
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as viewer, listening.accept()[0] as answers:
            assert not any(map(no_delay, (listening, viewer, answers)))
            send_at_once()
            assert all(map(no_delay, (listening, viewer, answers)))
            answers.sendall(b"still open")
            assert viewer.recv(10) == b"still open"
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as later:
            assert no_delay(later)


def test_files_and_other_sockets_are_left_alone(tmp_path):
    near, far = socket.socketpair()
    with (tmp_path / "file").open("w") as file, near, far, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        send_at_once()
        assert not before or len(os.listdir("/proc/self/fd")) == before, "copies were left open"
        file.write("still open")
        near.sendall(b"still open")
        assert far.recv(10) == b"still open"
        assert datagrams.fileno() >= 0
    assert (tmp_path / "file").read_text() == "still open"
