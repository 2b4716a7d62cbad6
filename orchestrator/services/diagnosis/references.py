"""References that a power cut broke: git refuses to read and to move them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.own_references import is_mendable, mend
from orchestrator.states import AttemptState
from worktrees.damage import broken_references
from worktrees.references import OWN

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench


def examine_references(ward: Ward) -> Examined:
    """Branches and planctl's own; whatever works here next puts back those of plans that have not landed."""
    found = broken_references(ward.objects, "refs/heads", OWN)
    landed = AttemptState.LANDED
    of_plans = {f"refs/heads/{a.branch}" for a in ward.store.latest_attempts() if a.state is not landed}
    ours = {name for name in found if name.startswith(OWN) or name in of_plans or name == ward.target}
    issues = [_issue(name, Gravity.ERROR if name in ours else Gravity.WARNING) for name in found]
    return Examined("references", f"{len(found)} are broken", tuple(issues))


def _issue(name: str, gravity: Gravity) -> Issue:
    """What is planctl's own is put back or made anew where something else tells what it was."""
    detail = "its file names no object that is here"
    if is_mendable(name):
        return Issue("reference-broken", gravity, name, detail, partial(_mend, name=name))
    if name.startswith(OWN):
        return Issue("reference-broken", gravity, name, f"{detail}; what it kept is lost: remove that file")
    return Issue("reference-broken", gravity, name, f"{detail}; `git reflog` may know where it was")


def _mend(bench: Workbench, _session: SessionHandle, name: str) -> None:
    mend(bench, name)
