"""Branches of plans that a power cut broke, put back so that a run, or a retry, can go on.

What a command commits is git's to keep until it has ended, and git's default syncs nothing of it: the file
of the branch may be empty after a power cut, and whatever reads it fails. Such a branch is put back to the
newest commit of its log that is here whole, else to where the attempt began. A branch that was adopted is
somebody else's, and only ``doctor`` speaks of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.scheduling.branching import adopted_name
from orchestrator.states import AttemptState
from worktrees.damage import is_broken, logged, put_back
from worktrees.errors import GitFailedError
from worktrees.git import branch_reference

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench


def put_branches_back(bench: Workbench) -> None:
    """Put back every broken branch of a plan that has not landed, and emit ``branch.lost`` for each."""
    for newest in bench.store.latest_attempts():
        if newest.state is AttemptState.LANDED:
            continue
        if is_broken(bench.objects, branch_reference(newest.branch)):
            attempts = bench.store.attempts(plan=newest.plan)
            begun = [a for a in attempts if a.base and a.branch == newest.branch]
            for attempt in begun[-1:]:
                _put_back(bench, attempt)


def _put_back(bench: Workbench, attempt: Attempt) -> None:
    if attempt.base is None or bench.references.read(adopted_name(attempt)) is not None:
        return
    reference, why = branch_reference(attempt.branch), ""
    places = (*logged(bench.repository, reference), attempt.head or attempt.base)
    try:
        commit = put_back(bench.git, bench.objects, reference, places, attempt.base)
    except GitFailedError as error:
        commit, why = None, str(error)
    bench.store.emit(
        EventName.BRANCH_LOST,
        at=bench.clock.now(),
        run=attempt.run,
        plan=attempt.plan,
        branch=attempt.branch,
        commit=commit,
        detail=why,
    )
