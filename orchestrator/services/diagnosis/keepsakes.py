"""What is kept for a person to look at: snapshots of uncommitted work, and stash entries that vanished."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.retention import due, let_go
from worktrees.rescue import list_rescues
from worktrees.stash import PREFIX, stash_entries, vanished

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench


def examine_rescues(ward: Ward) -> Examined:
    """Rescue references wait until a person has looked."""
    labels = Counter(rescued.label for rescued in list_rescues(ward.git))
    issues = [
        Issue("rescue-waiting", Gravity.HINT, label, f"{count} kept: `planctl rescue list {label}`")
        for label, count in sorted(labels.items())
    ]
    return Examined("rescues", f"{labels.total()} snapshots of uncommitted work", tuple(issues))


def examine_retention(ward: Ward) -> Examined:
    """What ``retention:`` lets go, and the next run would."""
    found = due(ward.git, ward.store, ward.project, ward.clock.now())
    issues = [
        Issue("retention-due", Gravity.HINT, one.name, f"{one.thing}, older than is kept", _let_go)
        for one in found
    ]
    return Examined("retention", f"{len(found)} kept things are old enough to go", tuple(issues))


def _let_go(bench: Workbench, _session: SessionHandle) -> None:
    let_go(bench)


def examine_stash(ward: Ward) -> Examined:
    """Entries that were pinned while plans ran and are in the list no more: dropped by you, or by a plan."""
    pinned = [name.removeprefix(f"{PREFIX}/") for name in ward.references.list(f"{PREFIX}/")]
    lost = vanished(ward.git, pinned, stash_entries(ward.git))
    issues = [
        Issue("stash-vanished", Gravity.HINT, e.commit, f"{e.subject}: `git stash apply {e.reference}`")
        for e in lost
    ]
    return Examined("stash", f"{len(pinned)} entries are pinned, {len(lost)} left the list", tuple(issues))
