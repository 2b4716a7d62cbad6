"""The remote whose target counts: what this clone knows of it, and how it is brought up to date.

What has landed is told by the landed references, and by the trailers of the target's own commits, from which
the mirror's folder ``told`` is made. Both are always read: not every clone may write the former, and whoever
deletes those there takes nothing from the latter.

``plain``: the server takes no references of planctl's own (``refs/planctl/…``), only branches. Then the
target's lease alone is the fence. A target that is taken while the epoch is refused shows it; the clone
remembers, and tries again with each landing.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from orchestrator.errors import StaleRecordError
from orchestrator.events import EventName
from orchestrator.merging.told import note_landings
from orchestrator.states import EntryState
from orchestrator.submitting.remote import UNREACHABLE
from worktrees.errors import GitFailedError, ReferenceMovedError
from worktrees.fetch import refresh
from worktrees.remoteerrors import RemoteUnreachableError

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench
    from plans.errors import PlanctlError
    from worktrees.mirror import Mirror

FRESH: Final = 1.0
"""Seconds for which what was seen counts while there is work: a push tells what has moved since."""
IDLE: Final = 5.0
"""Seconds between two looks while there is nothing to do."""
WHOLE: Final = 600.0
"""Seconds after which a look is for the landed references as well, which somebody may have deleted."""


class Upstream:
    """One worker's looks at the remote, if its target is one's."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._seen: float | None = None

    def look(self, *, idle: bool) -> None:
        """Bring the mirror up to date unless that was done just now; raises as :func:`bring_up_to_date`."""
        if self._bench.mirror is None:
            return
        now = self._bench.clock.monotonic()
        if self._seen is not None and now - self._seen < (IDLE if idle else FRESH):
            return
        bring_up_to_date(self._bench)
        self.seen()

    def seen(self) -> None:
        """The mirror is as the remote is: it was pushed to just now."""
        self._seen = self._bench.clock.monotonic()


def begin(bench: Workbench) -> None:
    """Look, before a command decides anything by what the remote holds; raises as the next."""
    try:
        bring_up_to_date(bench)
    except RemoteUnreachableError as error:
        say_unreachable(bench, error)
        raise


def bring_up_to_date(bench: Workbench, *, whole: bool = False) -> None:
    """Have the mirror be as the remote is now; nothing to do for a local target.

    ``whole``: the landed references, too, even if nothing else has moved; so it is after :data:`WHOLE`, too.
    Raises RemoteUnreachableError, also where it cannot be noted here, UnknownRemoteError and
    RemoteBranchMissingError.
    """
    mirror = bench.mirror
    if mirror is None:
        return
    try:
        whole = whole or _is_long_ago(bench, mirror)
        refresh(bench.git, bench.references, mirror, bench.settings.project.remote_timeout, whole=whole)
        if whole:
            _note_whole(bench, mirror)
        note_landings(bench, mirror, bench.target_tip())
    except (GitFailedError, ReferenceMovedError, OSError) as error:
        raise RemoteUnreachableError(
            mirror.remote, f"it answers, which cannot be noted here: {error}"
        ) from error


def say_unreachable(bench: Workbench, error: PlanctlError) -> None:
    """Store ``error`` as the reason of what waits for the remote.

    An entry that was landing stays so: what became of it is not known, and not guessed.
    """
    store, why = bench.store, {"code": UNREACHABLE, "detail": str(error)}
    with store.transaction():
        for entry in store.entries(target=bench.target, states={EntryState.QUEUED, EntryState.LANDING}):
            if entry.reason.get("detail") != why["detail"]:
                with contextlib.suppress(StaleRecordError):  # somebody moved it: it says why itself
                    store.update_entry(entry, reason={**entry.reason, **why})


def is_plain(bench: Workbench) -> bool:
    """Whether the remote is known to take branches alone."""
    return bench.mirror is not None and bench.store.value(_plain(bench.mirror)) is not None


def turn_plain(bench: Workbench, why: str) -> None:
    """Remember that it does, and tell it once."""
    assert bench.mirror is not None
    with bench.store.transaction():
        bench.store.set_value(_plain(bench.mirror), why)
        said = {"remote": bench.mirror.remote, "why": why}
        bench.store.emit(EventName.REMOTE_PLAIN, at=bench.clock.now(), target=bench.target, **said)


def forget_plain(bench: Workbench) -> None:
    """The server takes planctl's own references, after all."""
    assert bench.mirror is not None
    bench.store.set_value(_plain(bench.mirror), None)


def is_untold(bench: Workbench) -> bool:
    """Whether the server is known to take the epoch, and no landed references."""
    return bench.mirror is not None and bench.store.value(_untold(bench.mirror)) is not None


def note_untold(bench: Workbench, *, untold: bool) -> None:
    """Remember how the last landing was taken."""
    assert bench.mirror is not None
    if is_untold(bench) is not untold:
        bench.store.set_value(_untold(bench.mirror), "trailers alone" if untold else None)


def _plain(mirror: Mirror) -> str:
    return f"remote.{mirror.remote}.plain"


def _untold(mirror: Mirror) -> str:
    return f"remote.{mirror.remote}.untold"


def _is_long_ago(bench: Workbench, mirror: Mirror) -> bool:
    """Whether the landed references themselves were last looked at long ago, or before the machine began."""
    said = json.loads(bench.store.value(_whole(mirror)) or "{}")
    now = bench.clock.monotonic()
    return said.get("boot") != bench.clock.boot() or not 0 <= now - said["at"] < WHOLE


def _note_whole(bench: Workbench, mirror: Mirror) -> None:
    at = {"boot": bench.clock.boot(), "at": bench.clock.monotonic()}
    bench.store.set_value(_whole(mirror), json.dumps(at))


def _whole(mirror: Mirror) -> str:
    return f"remote.{mirror.remote}.whole"
