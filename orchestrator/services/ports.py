"""Listen on a port, or say who has it and which one to take instead (S0.2)."""

from __future__ import annotations

import errno
import socket
from typing import Final

from orchestrator.servingerrors import PortInUseError

_NEIGHBOURS: Final = 50
_LAST: Final = 65535
_TAKEN: Final = (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host`` and ``port`` (0: any free one); the caller closes it.

    Raises :class:`PortInUseError` when the port is taken, :class:`OSError` for anything else.
    """
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise PortInUseError(port, _holder(port), _free_after(host, port)) from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        # Where this option exists, a restart need not wait for connections in TIME_WAIT. On Windows it
        # would let two processes share the port.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen()
    except OSError:
        made.close()
        raise
    return made


def _free_after(host: str, port: int) -> int | None:
    for candidate in range(port + 1, min(port + _NEIGHBOURS, _LAST) + 1):
        try:
            _bound(host, candidate).close()
        except OSError:
            continue
        return candidate
    return None


def _holder(port: int) -> str | None:
    """Name and pid of the process that listens on ``port``, where the system lets us see it."""
    import psutil  # noqa: PLC0415 - only when something is in the way

    try:
        found = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return None
    pids = [
        c.pid for c in found if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN and c.pid
    ]
    if not pids:
        return None
    try:
        return f"{psutil.Process(pids[0]).name()} (pid {pids[0]})"
    except psutil.Error:
        return f"pid {pids[0]}"
