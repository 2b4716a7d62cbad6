"""Servers of a bare repository: ``git daemon``, ``git http-backend`` behind HTTP, and a proxy that cuts."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_BLOCK = 65536


@contextlib.contextmanager
def git_daemon(folder: Path) -> Iterator[int]:
    """``git daemon`` for what is in ``folder``, one that takes pushes; yields its port.

    It takes over a socket that listens already, as under inetd: there is no moment at which nobody listens.
    """
    options = ("daemon", "--inetd", "--export-all", "--enable=receive-pack", f"--base-path={folder}")

    def serve(connection: socket.socket) -> None:
        with connection:
            subprocess.run(
                ["git", *options], stdin=connection, stdout=connection, stderr=subprocess.DEVNULL, check=False
            )

    with _listening(serve) as port:
        yield port


@contextlib.contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Call ``serve`` with each connection, in a thread of its own."""
    listener = socket.create_server((HOST, 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(30)


class _Backend(BaseHTTPRequestHandler):
    """``git http-backend`` as a CGI program."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            self._run(b"".join(self._chunks()))
        else:
            self._run(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _run(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": HOST,
            "REMOTE_USER": "test",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
            check=False,
        )  # fmt: skip
        heading, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.partition(":") for line in heading.decode("latin-1").split("\r\n") if line]
        status = next((int(value.split()[0]) for name, _, value in fields if name == "Status"), 200)
        self.send_response(status)
        for name, _, value in fields:
            if name != "Status":
                self.send_header(name, value.strip())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked has gone
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextlib.contextmanager
def http_backend(folder: Path) -> Iterator[int]:
    """Smart HTTP for what is in ``folder``; yields the port."""
    handler = type("Backend", (_Backend,), {"folder": folder})
    server = ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


class Cutter:
    """A TCP proxy; ``plan`` says of each connection that pushes where it is cut, the next one first.

    ``before``: nothing of the pack gets to the server. ``after``: the server has got everything, and nothing
    of its answer comes back. A connection that does not push, or with no plan left, passes.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.plan: list[str] = []
        self.cut: list[str] = []
        self.port = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[Cutter]:
        with _listening(self._serve) as port:
            self.port = port
            yield self

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self._port)) as server:
            conversation = _Conversation(self, client, server)
            back = threading.Thread(target=conversation.answers, daemon=True)
            back.start()
            conversation.asks()
            back.join(30)


class _Conversation:
    """What one connection says both ways. A pack on its way to the server is what makes it a push."""

    def __init__(self, cutter: Cutter, client: socket.socket, server: socket.socket) -> None:
        self._cutter, self._client, self._server = cutter, client, server
        self._cut: str | None = None

    def asks(self) -> None:
        with contextlib.suppress(OSError):
            while block := self._client.recv(_BLOCK):
                if self._cut is None and self._cutter.plan and _pushes(block):
                    self._cut = self._cutter.plan.pop(0)
                    self._cutter.cut.append(self._cut)
                if self._cut == "before":
                    _close(self._server)
                    _close(self._client)
                    return
                self._server.sendall(block)
            self._server.shutdown(socket.SHUT_WR)

    def answers(self) -> None:
        with contextlib.suppress(OSError):
            while block := self._server.recv(_BLOCK):
                if self._cut == "after":
                    break
                self._client.sendall(block)
            _close(self._client)


def _pushes(block: bytes) -> bool:
    return b" refs/heads/main\x00" in block or b"PACK\x00\x00\x00" in block


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
