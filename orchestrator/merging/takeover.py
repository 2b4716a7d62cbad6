"""Take the queue over: what a killed git child left in the way goes first, where that is proven."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LocksInTheWayError
from orchestrator.events import EventName
from orchestrator.merging.tenure import Tenure, remove_locks, take_epoch
from worktrees.errors import GitFailedError
from worktrees.locks import foreign_locks, own_locks

if TYPE_CHECKING:
    from orchestrator.leases.lease import HeldLease
    from orchestrator.workbench import Workbench

PATIENCE: Final = (0.5,)
"""Seconds between tries while git children of some planctl live, who may be the ones that hold the locks.

Each try takes a second by itself (``core.filesRefLockTimeout``); a worker makes as many as it needs.
"""


def take_over(bench: Workbench, lease: HeldLease) -> Tenure:
    """Take the epoch for the holder of ``lease``.

    Raises ReferenceMovedError when another worker took it at the same moment, LocksInTheWayError when lock
    files that are not provably planctl's stay in the way, GitFailedError for any other reason of git's.
    """
    for seconds in (*PATIENCE, None):
        removed = remove_locks(bench)
        if removed:
            bench.store.emit(EventName.LOCKS_REMOVED, at=bench.clock.now(), locks=list(removed))
        try:
            epoch = take_epoch(bench, lease.token)
        except GitFailedError as error:
            locks = (*own_locks(bench.git), *foreign_locks(bench.git))
            if not locks:
                raise
            if seconds is None:
                raise LocksInTheWayError(locks) from error
            bench.clock.wait(threading.Event(), seconds)
        else:
            bench.store.emit(
                EventName.QUEUE_TAKEN, at=bench.clock.now(), target=bench.target, session=bench.session
            )
            return Tenure(bench, lease, epoch)
    raise AssertionError("the last try returns or raises")
