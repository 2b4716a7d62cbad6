"""Processes that carry the mark of a command that has ended.

The mark is looked for on the whole host; a process counts only if its command has records in this
repository. What still has a supervisor is its supervisor's business.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.running.places import record_folder
from orchestrator.running.platforms import MARKER
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll, stop_marked
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward


def examine_processes(ward: Ward) -> Examined:
    """Orphans of this repository's commands; ending them is the cure, identity proven first."""
    issues = [_issue(name, pids) for name, pids in sorted(ward.marked.items()) if _is_orphan(ward, name)]
    return Examined("processes", f"{len(ward.marked)} commands have living processes", tuple(issues))


def _issue(name: str, pids: tuple[int, ...]) -> Issue:
    shown = ", ".join(map(str, pids))
    detail = f"pid {shown} of a command that has ended, or whose supervisor is gone"
    return Issue("process-orphaned", Gravity.ERROR, name, detail, partial(_end, name=name))


def _is_orphan(ward: Ward, name: str) -> bool:
    if "/" in name or name.startswith(".") or name == os.environ.get(MARKER):
        return False  # no name of ours, or the command that this very doctor is part of
    handle = find(record_folder(ward.repository.state_dir, name))
    if handle is None or isinstance(poll(handle), Running):
        return False
    attempt = ward.store.attempt(name.rpartition("-")[0])
    # One that is running counts as an attempt without supervisor: its worktree needs care first.
    return attempt is None or attempt.state is not AttemptState.RUNNING


def _end(_bench: Any, _session: Any, name: str) -> None:
    stop_marked(name)
