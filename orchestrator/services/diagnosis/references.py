"""References that a power cut broke: git refuses to read and to move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.states import AttemptState
from worktrees.damage import broken_references
from worktrees.references import OWN

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward


def examine_references(ward: Ward) -> Examined:
    """Branches and planctl's own; that of a plan at work is put back by whatever command works here next."""
    found = broken_references(ward.objects, "refs/heads", OWN)
    at_work = {f"refs/heads/{a.branch}" for a in ward.store.attempts(states={AttemptState.RUNNING})}
    ours = {name for name in found if name.startswith(OWN) or name in at_work or name == ward.target}
    detail = "its file names no object that is here; `git reflog` may know where it was"
    issues = [
        Issue("reference-broken", Gravity.ERROR if name in ours else Gravity.WARNING, name, detail)
        for name in found
    ]
    return Examined("references", f"{len(found)} are broken", tuple(issues))
