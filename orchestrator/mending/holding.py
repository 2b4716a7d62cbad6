"""Whether a resolving process still has what it is at: it may have been stopped for as long as one likes.

Promise: no record is written for an entry that another process has by now. Non-promise: a worktree has no
such fence. So the lease is looked at before each effect that follows a wait, and a worktree is put back only
while its journal says what this process wrote (returning.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import StaleRecordError
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from orchestrator.leases.lease import HeldLease
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
