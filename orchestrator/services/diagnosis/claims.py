"""Tasks whose holder is gone: they count as open already, and say still that somebody has them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.taskview import Books, is_held
from orchestrator.sessions.cleanup import reopen
from orchestrator.states import TaskState

if TYPE_CHECKING:
    from orchestrator.clock import Clock
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench

_CLAIMED = frozenset({TaskState.CLAIMED, TaskState.IN_PROGRESS})


def examine_claims(ward: Ward) -> Examined:
    """A claim counts as long as its lease does, and its session is not proven dead."""
    claimed = [task for task in ward.store.tasks() if task.state in _CLAIMED]
    books = _books(ward.store, ward.clock)
    issues = []
    for task in claimed:
        living = ward.living(task.claimed_by) is not None
        if living and is_held(task, books):
            continue
        why = "has lost the lease on it" if living else "is gone"
        detail = f"claimed by {task.claimed_by} since {task.claimed_at}, which {why}"
        issues.append(Issue("claim-stale", Gravity.WARNING, task.id, detail, partial(_reopen, key=task.id)))
    return Examined("claims", f"{len(claimed)} tasks are claimed", tuple(issues))


def _books(store: Store, clock: Clock) -> Books:
    return Books({}, store.leases(), (), clock.monotonic(), clock.boot())


def _reopen(bench: Workbench, _session: SessionHandle, key: str) -> None:
    """Open again unless its holder has it after all; a dead holder's session has ended with all it held."""
    with bench.store.transaction():
        task = bench.store.task(key)
        if task is None or task.state not in _CLAIMED or is_held(task, _books(bench.store, bench.clock)):
            return
        reopen(bench.store, bench.clock, task, "found by doctor: its holder is gone")
