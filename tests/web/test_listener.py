"""A connection is held by who asks, not by who only holds it (S1.6)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.services.ports import listen
from orchestrator.web.listener import Impatient, Listener
from tests.support.process import until

LIMIT = 30.0
LARGE = 64 << 20


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"x" * LARGE)(scope, receive, send)


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(Impatient, "patience", 0.2)
    with listen("127.0.0.1", 0) as sock:
        found = Listener(large, sock)
        thread = threading.Thread(target=found.run)
        thread.start()
        yield found
        found.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()


def is_cut(connection: socket.socket) -> bool:
    """Whether the other end has ended it; what it has said is read over."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1 << 16):
            pass
    return True


@pytest.mark.parametrize("dripping", [False, True])
def test_s1_6_who_never_finishes_to_ask_is_cut(at_work: Listener, dripping: bool) -> None:
    with socket.create_connection(at_work._listening.getsockname(), LIMIT) as connection:
        ended = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\nx: ")
                while not ended.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip if dripping else lambda: None)
        thread.start()
        assert is_cut(connection)
        ended.set()
        thread.join()


def test_s1_6_who_takes_no_answer_is_cut(at_work: Listener) -> None:
    with socket.create_connection(at_work._listening.getsockname(), LIMIT) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        until(lambda: not at_work._server.server_state.connections)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 20):
                got += len(part)
        assert got < LARGE
