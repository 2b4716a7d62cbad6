"""Processes that carry the mark of a command that has ended.

The mark is looked for on the whole host; a process counts only if its command has records in this
repository. What still has a supervisor is its supervisor's business.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.running.supervision import stop_marked
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.orphans import is_orphaned_command

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward


def examine_processes(ward: Ward) -> Examined:
    """Orphans of this repository's commands; ending them is the cure, identity proven first."""
    state_dir = ward.repository.state_dir
    orphans = {n: p for n, p in ward.marked.items() if is_orphaned_command(ward.store, state_dir, n)}
    issues = [_issue(name, pids) for name, pids in sorted(orphans.items())]
    return Examined("processes", f"{len(ward.marked)} commands have living processes", tuple(issues))


def _issue(name: str, pids: tuple[int, ...]) -> Issue:
    shown = ", ".join(map(str, pids))
    detail = f"pid {shown} of a command that has ended, or whose supervisor is gone"
    return Issue("process-orphaned", Gravity.ERROR, name, detail, partial(_end, name=name))


def _end(_bench: Any, _session: Any, name: str) -> None:
    stop_marked(name)
