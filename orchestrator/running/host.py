"""Things that all planctl processes of one user on one host share: port blocks and counted places.

A grant is a kernel lock (flock) on a file in ``${XDG_STATE_HOME:-~/.local/state}/planctl/host/``. Promise:
one holder at a time, and the kernel takes the lock back when the last process that has the descriptor
dies. Hand :attr:`hold` to ``CommandSpec.hold`` and the command's supervisor has it too: the grant outlives
a planctl that is killed, exactly as long as its command is watched. So a release only closes, and only
:meth:`Grant.free` unlocks, for the supervisor as well. Not promised: fairness, other users, other hosts.

Files are never removed: removing one that somebody has open would make two locks of one.
"""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.effects import step
from plans.systems import lock, unlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST_NAME: Final = 200  # a name of 64, quoted, and the ending are a file name everywhere


def host_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the locks are. The XDG specification has relative paths ignored."""
    given = Path(environment.get("XDG_STATE_HOME", ""))
    state = given if given.is_absolute() else Path.home() / ".local" / "state"
    return state / "planctl" / "host"


def try_lock(path: Path) -> int | None:
    """Lock ``path`` without waiting; return the descriptor that holds the lock, None if another has it."""
    with step("running.host-lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        held = lock(descriptor, wait=False)
    except OSError:
        os.close(descriptor)
        raise
    if held:
        return descriptor
    os.close(descriptor)
    return None


class Grant:
    """Locks that are held until :meth:`release`, the end of this process, and that of its supervisors."""

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._descriptors = tuple(descriptors)

    @property
    def hold(self) -> tuple[int, ...]:
        """The descriptors, for ``CommandSpec.hold``; empty after the release."""
        return self._descriptors

    def free(self, keep: int) -> None:
        """Give back all but ``keep`` of the locks, for everybody who has them by way of this grant."""
        freed, self._descriptors = self._descriptors[keep:], self._descriptors[:keep]
        for descriptor in freed:
            unlock(descriptor)
            os.close(descriptor)

    def release(self) -> None:
        """Give it back, as far as this process is concerned. A second time does nothing."""
        released, self._descriptors = self._descriptors, ()
        for descriptor in released:
            os.close(descriptor)


class HostSlot(Grant):
    """Places of a named capacity."""


class HostSlots:
    """A named capacity shared by all runs on the host, such as ``db`` with two places.

    Runs that name different capacities share the places that both know.
    """

    def __init__(self, name: str, capacity: int, folder: Path | None = None) -> None:
        self.name = name
        self.capacity = capacity
        quoted = urllib.parse.quote(name, safe=" ")
        if not name or quoted in {".", ".."} or len(quoted) > _LONGEST_NAME or capacity < 0:
            raise ValueError(f"{name[:40]!r} with {capacity} places cannot be a host-wide capacity")
        self._folder = (folder or host_folder()) / "slots"
        self._stem = quoted

    def try_acquire(self, amount: int = 1) -> HostSlot | None:
        """Take ``amount`` places, all or none, without waiting."""
        held: list[int] = []
        try:
            for place in range(self.capacity):
                if len(held) == amount:
                    break
                descriptor = try_lock(self._folder / f"{self._stem}.{place}.lock")
                if descriptor is not None:
                    held.append(descriptor)
        except BaseException:
            HostSlot(held).release()
            raise
        slot = HostSlot(held)
        if len(held) == amount:
            return slot
        slot.release()
        return None
