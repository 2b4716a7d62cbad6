"""A receiver of webhooks on this machine, as friendly or as hostile as a test wants it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler, int], None]


def answering(*statuses: int, location: str = "") -> Behaviour:
    """Answer with these one after the other, the last one for ever."""

    def behave(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(statuses[min(number, len(statuses) - 1)])
        if location:
            handler.send_header("location", location)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return behave


def closing(handler: BaseHTTPRequestHandler, _number: int) -> None:
    """Hang up without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Receiver:
    """What was posted, in order; ``url`` is where. ``released`` ends what hangs."""

    behave: Behaviour
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]

    def wait_for(self, count: int, seconds: float = 30) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= count, seconds), self.posts


def hanging(receiver: Receiver) -> Behaviour:
    """Take it, and never answer."""

    def behave(_handler: BaseHTTPRequestHandler, _number: int) -> None:
        receiver.released.wait()

    return behave


def dripping(receiver: Receiver) -> Behaviour:
    """Answer a byte every now and then, so that no single read ever times out."""

    def behave(handler: BaseHTTPRequestHandler, _number: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not receiver.released.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return behave


@contextlib.contextmanager
def receiving(behave: Behaviour | Callable[[Receiver], Behaviour] | None = None) -> Iterator[Receiver]:
    receiver = Receiver(answering(204))
    if behave in (hanging, dripping):
        receiver.behave = behave(receiver)  # type: ignore[call-arg, assignment, misc]
    elif behave is not None:
        receiver.behave = behave  # type: ignore[assignment]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.came:
                receiver.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                number = len(receiver.posts) - 1
                receiver.came.notify_all()
            with contextlib.suppress(OSError):  # who posted has been killed
                receiver.behave(self, number)

        def do_GET(self) -> None:
            raise AssertionError("nobody gets anything here")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Who posted has been killed."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/hook"
