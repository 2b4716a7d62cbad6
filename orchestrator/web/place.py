"""Where a server listens, and by which names it may be asked there."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.services.ports import listen
from orchestrator.web.gate import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for; ``port`` 0 is any free one, ``names`` are further names that it is known by."""

    host: str
    port: int
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens in truth."""

    address: str
    port: int
    names: frozenset[str]

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host reaches it."""
        return is_loopback(self.address)


@contextlib.contextmanager
def listening(wish: Wish) -> Iterator[tuple[socket.socket, Place]]:
    """A socket that listens where it was wished for.

    Raises PortInUseError, and UsageError for a host that is not of this machine or a port that this user may
    not have.
    """
    try:
        sock = listen(wish.host, wish.port)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"nothing can listen on {wish.host} port {wish.port}: {why}") from error
    with sock:
        address, port, *_ = sock.getsockname()
        names = {*wish.names, wish.host}
        if not is_loopback(address):
            names.add(socket.gethostname())
        yield sock, Place(address, port, frozenset(name.lower() for name in names))
