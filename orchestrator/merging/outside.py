"""Moves of the target that were not the queue's own: noticed, recorded, and checked before more lands (S1).

A person's commit or push is normal. Its tip is checked when something wants to land on it: red pauses the
queue (``target-red``), and nobody is blamed for it later. Without a check of the target it is only recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.merging.checks import target_check
from orchestrator.merging.pausing import TIP, UNVERIFIED, note, noted, turn_red

if TYPE_CHECKING:
    from orchestrator.merging.checking import Checker
    from orchestrator.merging.tenure import Tenure


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
        note(bench.store, target, UNVERIFIED, tip)
        forward = bench.objects.has_commit(known) and bench.objects.is_ancestor(known, tip)
        bench.store.emit(
            EventName.TARGET_MOVED, at=bench.clock.now(), target=target, old=known, new=tip, forward=forward
        )


def hindrance_of_tip(tenure: Tenure, checker: Checker, tip: str) -> str | None:
    """Check a tip that came from outside, once; return why nothing may land on it, or None."""
    bench, target = tenure.bench, tenure.bench.target
    if noted(bench.store, target, UNVERIFIED) != tip:
        return None
    check = target_check(bench.settings.project)
    verdict = checker.verdict(check, tip, of_target=True) if check else None
    if verdict is not None and verdict.passed is None:
        return f"{tip[:12]} came from outside, and its check gave {verdict.detail} (log: {verdict.log})"
    with tenure.writing():
        note(bench.store, target, UNVERIFIED, None)
        if verdict is not None and not verdict.passed:
            turn_red(bench.store, bench.clock, target, tip, verdict.log)
            return f"target-red: {tip[:12]} fails its own check"
    return None
