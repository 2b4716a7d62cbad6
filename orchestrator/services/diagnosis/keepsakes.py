"""What is kept for a person to look at: snapshots of uncommitted work, and stash entries that vanished."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from worktrees.rescue import list_rescues
from worktrees.stash import PREFIX, vanished

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward


def examine_rescues(ward: Ward) -> Examined:
    """Rescue references wait until a person has looked."""
    labels = Counter(rescued.label for rescued in list_rescues(ward.git))
    issues = [
        Issue("rescue-waiting", Gravity.HINT, label, f"{count} kept: `planctl rescue list {label}`")
        for label, count in sorted(labels.items())
    ]
    return Examined("rescues", f"{labels.total()} snapshots of uncommitted work", tuple(issues))


def examine_stash(ward: Ward) -> Examined:
    """Entries that were pinned while plans ran and are in the list no more: dropped by you, or by a plan."""
    pinned = [name.removeprefix(f"{PREFIX}/") for name in ward.references.list(f"{PREFIX}/")]
    lost = vanished(ward.git, pinned)
    issues = [
        Issue("stash-vanished", Gravity.HINT, e.commit, f"{e.subject}: `git stash apply {e.reference}`")
        for e in lost
    ]
    return Examined("stash", f"{len(pinned)} entries are pinned, {len(lost)} left the list", tuple(issues))
