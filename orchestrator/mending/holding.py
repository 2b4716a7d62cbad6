"""Whether a resolving process still has what it is at: it may have been stopped for as long as one likes.

Promise: no record is written for an entry that another process has by now. Non-promise: a worktree has no
such fence. So the lease is looked at before each effect that follows a wait, and what is done in a worktree
is done only while its journal says what this process wrote, under a lock that keeps it so
(slots/prepared.py).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LeaseLostError, StaleRecordError
from orchestrator.slots.prepared import note, standing
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.leases.lease import HeldLease
    from orchestrator.slots.prepared import Prepared
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def require_held(bench: Workbench, lease: HeldLease) -> None:
    """Raise LeaseLostError unless the store knows the lease as this one. For writes: in their transaction."""
    lease.check()
    lease.verify(bench.store, "another process has it now")


def current(bench: Workbench, lease: HeldLease, entry: Entry) -> Entry:
    """The entry as it is now.

    Raises LeaseLostError when another process has it, StaleRecordError when it is resolving no more.
    """
    with bench.store.transaction():
        require_held(bench, lease)
        found = bench.store.entry(entry.id)
    if found is None or found.state is not EntryState.RESOLVING:
        raise StaleRecordError("entry", entry.id)
    return found


def rewrite(bench: Workbench, prepared: Prepared, **changes: Any) -> Prepared:
    """The journal with these changes, written where it still says ``prepared``; raises as the next."""
    changed = replace(prepared, **changes)
    with own_worktree(bench, prepared):
        note(bench.repository, changed)
    return changed


@contextlib.contextmanager
def own_worktree(bench: Workbench, prepared: Prepared) -> Iterator[None]:
    """The worktree with that merge is this process' while this lasts; raises LeaseLostError, BusyError."""
    with standing(bench.repository, prepared) as stands:
        if not stands:
            raise LeaseLostError(f"the merge in {prepared.slot}", "another process has put it back")
        yield
