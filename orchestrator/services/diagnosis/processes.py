"""Processes that carry the mark of a command that has ended.

The mark is looked for on the whole host; a process counts only if its command has records in this
repository. What still has a supervisor is its supervisor's business.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.running.supervision import stop_marked
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.orphans import left_of, over_since

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward


def examine_processes(ward: Ward) -> Examined:
    """Orphans of this repository's commands; ending them is the cure, identity proven first."""
    state_dir = ward.repository.state_dir
    orphans = {n: left_of(ward.store, state_dir, n, p) for n, p in ward.marked.items()}
    issues = [_issue(ward, name, pids) for name, pids in sorted(orphans.items()) if pids]
    return Examined("processes", f"{len(ward.marked)} commands have living processes", tuple(issues))


def _issue(ward: Ward, name: str, pids: tuple[int, ...]) -> Issue:
    until = over_since(ward.store, ward.repository.state_dir, name)
    shown = ", ".join(map(str, pids))
    detail = f"pid {shown} of a command that has ended, or whose supervisor is gone"
    return Issue("process-orphaned", Gravity.ERROR, name, detail, partial(_end, name=name, until=until))


def _end(_bench: Any, _session: Any, name: str, until: float | None) -> None:
    if until is not None:
        stop_marked(name, until=until)
