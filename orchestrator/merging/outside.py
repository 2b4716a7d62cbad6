"""Moves of the target that were not the queue's own: noticed, recorded, and checked before more lands (S1).

A person's commit or push is normal. Its tip is checked when something wants to land on it: red pauses the
queue (``target-red``), and nobody is blamed for it later. Without a check of the target it is only recorded.
So is the tip after a landing by a lane that was drawn for a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.events import EventName
from orchestrator.merging.checks import target_check
from orchestrator.merging.pausing import SAMPLED, TIP, UNPROVEN, UNTOLD, UNVERIFIED, turn_red
from orchestrator.merging.upstream import is_plain
from orchestrator.submitting.standstill import note, noted
from worktrees.trailers import BATCH_TRAILER, KEY_TRAILER, says

if TYPE_CHECKING:
    from orchestrator.merging.checking import Checker
    from orchestrator.merging.tenure import Tenure
    from orchestrator.workbench import Workbench


def notice_move(tenure: Tenure, tip: str) -> None:
    """Record that the target is at ``tip``; where the queue did not bring it there, say so."""
    bench, target = tenure.bench, tenure.bench.target
    known = noted(bench.store, target, TIP)
    if known == tip:
        return
    with tenure.writing():
        note(bench.store, target, TIP, tip)
        if known is None:
            return
        queued = _landed_elsewhere(bench, tip)
        if not queued:
            note(bench.store, target, UNVERIFIED, tip)
        forward = bench.objects.has_commit(known) and bench.objects.is_ancestor(known, tip)
        moved: dict[str, Any] = {"old": known, "new": tip, "forward": forward, "queued": queued}
        bench.store.emit(EventName.TARGET_MOVED, at=bench.clock.now(), target=target, **moved)


def _landed_elsewhere(bench: Workbench, tip: str) -> bool:
    """Whether the queue of another clone landed exactly ``tip`` on the remote: then it checked it, too.

    Told by the remote's landed references, which only a push that all clones are fenced by writes, and by the
    trailer that such a commit carries: work that somebody had pushed by hand has the one and not the other.
    Trailers alone, which anybody may write, are not believed. A batch is told by the last of its members.
    """
    if bench.mirror is None or is_plain(bench):
        return False
    message, parents = bench.objects.message(tip), bench.objects.parents(tip)
    made = tip
    if f"\n{BATCH_TRAILER}: " in message and len(parents) > 1:
        made = parents[1]
        if bench.objects.tree_of(made) != bench.objects.tree_of(tip):
            return False
    landed = bench.references.list(f"{bench.landed}/").items()
    keys = [name.rpartition("/")[2] for name, commit in landed if commit == made]
    return any(says(bench.objects.message(made), KEY_TRAILER, key) for key in keys)


def hindrance_of_tip(tenure: Tenure, checker: Checker, tip: str) -> str | None:
    """Check a tip that came from outside, once; return why nothing may land on it, or None."""
    bench, target = tenure.bench, tenure.bench.target
    if noted(bench.store, target, UNVERIFIED) != tip:
        return None
    check = target_check(bench.settings.project)
    verdict = checker.verdict(check, tip, of_target=True) if check else None
    sampled = noted(bench.store, target, SAMPLED) == tip
    if verdict is not None and verdict.passed is None:
        with tenure.writing():
            note(bench.store, target, UNTOLD, tip)
        whence = "landed by a lane" if sampled else "came from outside"
        return f"{tip[:12]} {whence}, and its check gave {verdict.detail} (log: {verdict.log})"
    with tenure.writing():
        note(bench.store, target, UNVERIFIED, None)
        note(bench.store, target, SAMPLED, None)
        if verdict is not None and not verdict.passed:
            turn_red(bench.store, bench.clock, target, tip, verdict.log)
            return f"target-red: {tip[:12]} fails its own check"
        if verdict is not None:
            note(bench.store, target, UNPROVEN, None)
    return None
