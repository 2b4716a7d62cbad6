"""The remote whose target counts: what this clone knows of it, and how it is brought up to date.

What has landed is told by the landed references, and by the trailers of the target's own commits, from which
the mirror's folder ``told`` is made. Both are always read: not every clone may write the former.

``plain``: the server takes no references of planctl's own (``refs/planctl/…``), only branches. Then the
target's lease alone is the fence. A target that is taken while the epoch is refused shows it; the clone
remembers, and tries again with each landing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.errors import StaleRecordError
from orchestrator.events import EventName
from orchestrator.states import EntryState
from orchestrator.submitting.key import BY_KEY, landed_folder
from orchestrator.submitting.remote import UNREACHABLE
from worktrees.errors import GitFailedError, ReferenceMovedError
from worktrees.fetch import Follow, refresh
from worktrees.references import Create, Update
from worktrees.remoteerrors import RemoteUnreachableError
from worktrees.trailers import BATCH_TRAILER, KEY_TRAILER, PLAN_TRAILER, trailers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.workbench import Workbench
    from plans.errors import PlanctlError
    from worktrees.mirror import Mirror
    from worktrees.references import Change

FRESH: Final = 1.0
"""Seconds for which what was seen counts while there is work: a push tells what has moved since."""
IDLE: Final = 5.0
"""Seconds between two looks while there is nothing to do."""
WHOLE: Final = 600.0
"""Seconds after which a look is for the landed references as well, which somebody may have deleted."""
_DIGITS: Final = 20
_MERGED: Final = 2


class Upstream:
    """One worker's looks at the remote, if its target is one's."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._seen: float | None = None
        self._whole = bench.clock.monotonic()

    def look(self, *, idle: bool) -> None:
        """Bring the mirror up to date unless that was done just now; raises as :func:`bring_up_to_date`."""
        if self._bench.mirror is None:
            return
        now = self._bench.clock.monotonic()
        if self._seen is not None and now - self._seen < (IDLE if idle else FRESH):
            return
        whole = now - self._whole >= WHOLE
        bring_up_to_date(self._bench, whole=whole)
        self._whole = now if whole else self._whole
        self.seen()

    def seen(self) -> None:
        """The mirror is as the remote is: it was pushed to just now."""
        self._seen = self._bench.clock.monotonic()


def begin(bench: Workbench) -> None:
    """Look at all, before a command decides anything by what the remote holds; raises as the next."""
    try:
        bring_up_to_date(bench, whole=True)
    except RemoteUnreachableError as error:
        say_unreachable(bench, error)
        raise


def bring_up_to_date(bench: Workbench, *, whole: bool = False) -> None:
    """Have the mirror be as the remote is now; nothing to do for a local target.

    ``whole``: the landed references, too, even if nothing else has moved.
    Raises RemoteUnreachableError, also where it cannot be noted here, UnknownRemoteError and
    RemoteBranchMissingError.
    """
    mirror = bench.mirror
    if mirror is None:
        return
    try:
        seconds, read = bench.settings.project.remote_timeout, list[str | None]()

        def begins() -> None:
            # killed before it is known what has gone, trailers are read anew: they may tell what that told
            read.append(bench.store.value(_read_to(mirror)))
            bench.store.set_value(_read_to(mirror), None)

        gone = refresh(bench.git, bench.references, mirror, seconds, Follow(whole, begins))
        known = read[0] if read else bench.store.value(_read_to(mirror))
        _read_trailers(bench, mirror, None if gone else known)
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


def _plain(mirror: Mirror) -> str:
    return f"remote.{mirror.remote}.plain"


def _read_to(mirror: Mirror) -> str:
    return f"remote.{mirror.remote}.{mirror.branch}.trailers"


def _read_trailers(bench: Workbench, mirror: Mirror, read: str | None) -> None:
    """Note what trailers of the target tell that are new since ``read``, unless a landed reference does.

    A commit that the target has lost again is replaced by that of a later landing of the same key. Only of
    its first-parent history, and of the side chains of batches: whoever writes a branch may write what
    trailers they like.
    """
    tip = bench.target_tip()
    if tip != read:
        _note_landings(bench, mirror, tip, read)
    if tip != bench.store.value(_read_to(mirror)):
        bench.store.set_value(_read_to(mirror), tip)


def _note_landings(bench: Workbench, mirror: Mirror, tip: str, read: str | None) -> None:
    by_key = {n.rpartition("/")[2]: c for n, c in bench.references.list(f"{mirror.landed}/").items()}
    since = (f"^{read}",) if read and bench.objects.has_commit(read) else ()
    made: dict[str, str] = {}
    for name, commit in _landings(bench, mirror, tip, since):
        known = by_key.get(name.rpartition("/")[2])
        if known is None or not bench.objects.is_ancestor(known, tip):
            made.setdefault(name, commit)  # the newest comes first
    tell(bench, made, tip)


def tell(bench: Workbench, made: Mapping[str, str], tip: str) -> None:
    """Have references in the folder ``told`` name these commits, unless the target has what they name."""
    changes: list[Change] = []
    for name, commit in made.items():
        found = bench.references.read(name)
        if found is None:
            changes.append(Create(name, commit))
        elif not bench.objects.is_ancestor(found, tip):
            changes.append(Update(name, commit, found))
    if changes:
        bench.references.transact(changes, message="planctl: remote", step="remote.trailers")


def _landings(
    bench: Workbench, mirror: Mirror, tip: str, since: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    greps = (f"--grep=^{KEY_TRAILER}: ", f"--grep=^{BATCH_TRAILER}: ")
    asked = ("log", "--first-parent", "-z", "--format=%H %P%n%B", *greps)
    for record in bench.git.run(*asked, "--end-of-options", tip, *since).records:
        heading, _, message = record.lstrip("\n").partition("\n")
        commit, *parents = heading.split()
        trailers = trailers_of(message)
        key = trailers.get(KEY_TRAILER, "")
        if BATCH_TRAILER in trailers and len(parents) == _MERGED:
            yield from _landings(bench, mirror, parents[1], (f"^{parents[0]}",))
        elif len(key) == _DIGITS and key.isalnum():
            plan = trailers.get(PLAN_TRAILER)
            yield f"{landed_folder(mirror.told, plan or BY_KEY)}/{key}", commit
