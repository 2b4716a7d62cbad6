"""Restores of rescues that were cut short: the worktree is half written until they are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.restores import require_taken_back
from worktrees.halfway import half_restored
from worktrees.restorejournal import is_restoring, journals

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench


def examine_restores(ward: Ward) -> Examined:
    """One issue a worktree; none while a restore is at work."""
    if is_restoring(ward.repository):
        return Examined("restores", "one is at work")
    half = half_restored(ward.repository)
    issues = [
        Issue(
            "restore-half-way",
            Gravity.ERROR,
            str(one.into),
            f"the restore of {one.journal.reference} was cut short; it is taken back, nothing is lost",
            _take_back,
        )
        for one in half
    ]
    issues += [
        Issue("temporary-left", Gravity.WARNING, str(folder), "a killed restore left it", _take_back)
        for folder, journal in journals(ward.repository).items()
        if journal is None
    ]
    return Examined("restores", f"{len(half)} cut short", tuple(issues))


def _take_back(bench: Workbench, _session: SessionHandle) -> None:
    require_taken_back(bench)
