"""A branch has a new head for work that was handed in before: a conflict was resolved, a red check mended.

The new head takes the old one's place: its age, its priority, and how it is to be landed. What is its own is
counted from where the target was merged into it, if that is later than where it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.submitting.landed import landed_plans
from orchestrator.submitting.stacking import unlanded_stacks
from orchestrator.submitting.submit import Work

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def work_of_head(bench: Workbench, old: Entry, head: str) -> Work | None:
    """What is to land of ``head`` in the place of ``old``; None without common history with the target."""
    bases = bench.objects.merge_bases(bench.target_tip(), head)
    if not bases:
        return None
    base, explicit = _base(bench, old, head, bases[0])
    return Work(
        target=old.target,
        branch=old.branch,
        head=head,
        base=base,
        plan=old.plan,
        explicit_base=explicit,
        after=old.after,
        check=old.check,
        method=old.method,
        reads=old.reads,
        priority=old.priority,
        arrival=old.age,
        queued_at=old.queued_at,
    )


def _base(bench: Workbench, old: Entry, head: str, common: str) -> tuple[str, bool]:
    """Where the work begins, and whether that must be the merge base.

    Stacked work stands on its old base until a target that holds what it was stacked on has been merged in.
    """
    objects = bench.objects
    if not objects.is_ancestor(old.base, head):
        return common, False
    if old.explicit_base:
        stands = len(landed_plans(bench, old.after, common)) < len(set(old.after)) or unlanded_stacks(
            bench, [old]
        )
        return (old.base, True) if stands else (common, False)
    return (common if objects.is_ancestor(old.base, common) else old.base), False
