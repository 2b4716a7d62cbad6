"""Errors that keep a server from being started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.errors import PlanctlError

if TYPE_CHECKING:
    from pathlib import Path


class PortInUseError(PlanctlError):
    """A port is taken; ``holder`` says by whom where the system tells, ``free`` is one that is not taken."""

    def __init__(self, port: int, holder: str | None, free: int | None) -> None:
        self.port = port
        self.holder = holder
        self.free = free
        super().__init__(f"port {port} is in use by {holder or 'another process'}")


class MissingExtraError(PlanctlError):
    """A command needs a library that comes with an extra of planctl, and it is not installed."""

    def __init__(self, command: str, library: str, extra: str) -> None:
        self.command = command
        self.library = library
        self.extra = extra
        super().__init__(f"{command} needs {library}, which is not installed")


class TokenUnusableError(PlanctlError):
    """The file with the token of `planctl serve` is not one that only its owner can read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the token in {path} cannot be used: {reason}")
