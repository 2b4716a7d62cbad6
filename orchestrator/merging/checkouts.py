"""Checkouts that a landing could not bring along whole: what is told of them, how they are gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.events import EventName
from worktrees.followlock import Mark
from worktrees.leftfollow import finish_unmarked, recover_follows

if TYPE_CHECKING:
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Intent


def recover_checkouts(tenure: Tenure) -> None:
    """Finish what was begun in the user's checkouts, as far as nobody living is at it."""
    bench = tenure.bench
    tip = bench.target_tip()

    def is_on_target(commit: str) -> bool:
        return bench.objects.has_commit(commit) and bench.objects.is_ancestor(commit, tip)

    for found in recover_follows(bench.git, bench.target, is_on_target):
        tell_left(tenure, str(found.top), found.kept, found.failure)


def recover_unmarked(tenure: Tenure, intent: Intent) -> None:
    """Finish the checkouts of a landing that was made, of which somebody took git's lock away."""
    mark = Mark(intent.target, intent.old, intent.new, tenure.epoch)
    for git_dir in intent.checkouts:
        found = finish_unmarked(tenure.bench.git, Path(git_dir), mark)
        if found is not None:
            tell_left(tenure, str(found.top), found.kept, found.failure)


def tell_left(tenure: Tenure, checkout: str, kept: tuple[str, ...], failure: str) -> None:
    """Tell of paths of a checkout that were left as the user's, or of a checkout that stays locked, if so."""
    if not kept and not failure:
        return
    now = tenure.bench.clock.now()
    tenure.bench.store.emit(
        EventName.CHECKOUT_LEFT, at=now, checkout=checkout, paths=list(kept), failure=failure
    )
