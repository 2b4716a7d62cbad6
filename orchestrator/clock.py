"""The door to time and randomness. Everything that waits or draws a name is given a :class:`Clock`.

Wall time is for people. Expiry counts monotonic seconds of one boot, named by its boot id: a lease written
under another boot id belongs to a process that cannot be alive.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from plans.systems import LINUX, machine_id

if TYPE_CHECKING:
    import threading

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as in ULID
_MACHINE_ID_DIGITS: Final = 32


class Clock(Protocol):
    """What the rest of planctl knows of time."""

    def now(self) -> str:
        """Wall time as ISO 8601 in UTC with milliseconds, ``2026-11-21T00:56:01.123Z``."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment of this boot; the same for all processes of the machine."""

    def uptime(self) -> float:
        """As :meth:`monotonic`, and the time that the machine slept counts, where the system can tell."""

    def boot(self) -> str:
        """The id of this boot of this machine."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until ``event`` is set or the time is over; return whether it is set."""


def written(moment: datetime) -> str:
    """A moment of UTC as :meth:`Clock.now` writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one :meth:`Clock.now` to another; negative where wall time was set back in between."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class SystemClock:
    """The machine's own clock."""

    def now(self) -> str:
        """See :meth:`Clock.now`."""
        return written(datetime.now(UTC))

    def monotonic(self) -> float:
        """See :meth:`Clock.monotonic`."""
        return time.monotonic()

    def uptime(self) -> float:
        """See :meth:`Clock.uptime`."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if LINUX else time.monotonic()

    def boot(self) -> str:
        """See :meth:`Clock.boot`."""
        return boot_id()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """See :meth:`Clock.wait`."""
        return event.wait(seconds)


@cache
def boot_id() -> str:
    """Linux names each boot; elsewhere psutil's boot time, to the minute, with the host's name."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text(encoding="ascii").strip()
    import psutil  # noqa: PLC0415 - needed only where the kernel does not say

    return f"{host()}-{int(psutil.boot_time() // 60)}"


@cache
def host() -> str:
    """This machine's name."""
    import socket  # noqa: PLC0415 - status starts without it

    return socket.gethostname()


@cache
def machine() -> str:
    """What stays the same of this machine over reboots and changes of its name: 16 hex digits.

    A hash of the id that the system keeps of itself (which is not to be shown, machine-id(5)); of the host's
    name where there is none, as in most containers.
    """
    return _sha256(f"planctl {machine_id() or host()}".encode())[:16]


def _sha256(data: bytes) -> str:
    """As hashlib's, which loads OpenSSL: 4 ms of the 100 that ``status`` takes."""
    for name in ("_sha2", "_sha256", "hashlib"):  # Python 3.12, Python 3.11, any
        with contextlib.suppress(ImportError):
            digest: str = importlib.import_module(name).sha256(data).hexdigest()
            return digest
    raise AssertionError("hashlib is always there")


def new_id() -> str:
    """Draw a ULID: 26 characters, sortable by the millisecond of making, 80 random bits."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def new_secret() -> str:
    """Draw 256 bits that nobody can guess, as 64 hexadecimal digits."""
    return os.urandom(32).hex()


def jitter(seconds: float, share: float) -> float:
    """``seconds`` ± up to ``share`` of it, drawn evenly."""
    drawn = int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF
    return seconds * (1 + share * (2 * drawn - 1))
