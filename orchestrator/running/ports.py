"""Ports for plans: blocks of ten that nobody else on the host has, and who it is that has a port."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.running.host import Grant, host_folder, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTS_PER_BLOCK: Final = 10
_FIRST: Final = 20_000
_USUAL_EPHEMERAL: Final = (32_768, 60_999)  # Linux; macOS and Windows begin at 49152
_LOWEST: Final = 1_030  # below 1024 is not for everybody
_END: Final = 65_536
_ALTERNATIVES: Final = 100
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


class PortBlock(Grant):
    """The ports ``first`` to ``first + 9``, held by one plan."""

    def __init__(self, first: int, descriptor: int) -> None:
        super().__init__((descriptor,))
        self.first = first


def acquire_ports(folder: Path | None = None) -> PortBlock | None:
    """Take the lowest free block; None when the host has none left.

    Promise: no other planctl of this user has the block, and at this moment every port of it could be
    bound. Not promised: that no other program binds one of them later.
    """
    locks = (folder or host_folder()) / "ports"
    for first in block_starts(ephemeral_range()):
        descriptor = try_lock(locks / f"{first}.lock")
        if descriptor is None:
            continue
        block = PortBlock(first, descriptor)
        if all(is_free(port) for port in range(first, first + PORTS_PER_BLOCK)):
            return block
        block.release()
    return None


def block_starts(ephemeral: tuple[int, int]) -> Iterator[int]:
    """Yield the first ports of the blocks outside the ephemeral range, those below it first.

    The kernel gives ephemeral ports to outgoing connections of anyone at any time.
    """
    low, high = ephemeral
    start = _FIRST if low >= _FIRST + PORTS_PER_BLOCK else _LOWEST
    yield from range(start, low - PORTS_PER_BLOCK + 1, PORTS_PER_BLOCK)
    above = -(-(high + 1) // PORTS_PER_BLOCK) * PORTS_PER_BLOCK
    yield from range(above, _END - PORTS_PER_BLOCK + 1, PORTS_PER_BLOCK)


def ephemeral_range() -> tuple[int, int]:
    """The ports that the kernel hands out by itself."""
    try:
        low, high = _RANGE.read_text(encoding="ascii").split()
        return int(low), int(high)
    except (OSError, ValueError):
        return _USUAL_EPHEMERAL


def is_free(port: int) -> bool:
    """Whether TCP and UDP on that port can be bound on all addresses of both families."""
    return all(
        _can_bind(family, kind, port)
        for family in (socket.AF_INET, socket.AF_INET6)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    )


def _can_bind(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> bool:
    try:
        probe = socket.socket(family, kind)
    except OSError:  # a family that this host does not have is in nobody's way
        return True
    with probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno == errno.EADDRNOTAVAIL  # IPv6 is switched off
    return True


def describe_port_owner(port: int) -> str:
    """One line for people: who has ``port``, and a free one near it."""
    if is_free(port):
        return f"port {port} is free"
    owner = _owner(port)
    who = f"in use by {owner}" if owner else "in use by a process that may not be seen"
    others = range(port + 1, min(port + 1 + _ALTERNATIVES, _END))
    free = next((other for other in others if is_free(other)), None)
    return f"port {port} is {who}" + (f"; port {free} is free" if free else "")


def _owner(port: int) -> str | None:
    import psutil  # noqa: PLC0415 - only for a port that is in use

    with contextlib.suppress(psutil.Error):  # macOS shows other processes' connections to root alone
        found = [c for c in psutil.net_connections("inet") if c.pid and c.laddr and c.laddr.port == port]
        for connection in sorted(found, key=lambda c: c.status != psutil.CONN_LISTEN):
            if connection.pid:
                return f"{_printable(psutil.Process(connection.pid).name())} (pid {connection.pid})"
    return None


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:40]
