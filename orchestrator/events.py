"""The names of events that ``run-multi --json`` and ``events`` show; others script against them."""

from __future__ import annotations

from enum import StrEnum


class EventName(StrEnum):
    """What happened. ``entry.<state>`` is made with :func:`entry_event`."""

    RUN_STARTED = "run.started"
    RUN_RESUMED = "run.resumed"
    RUN_INTERRUPTED = "run.interrupted"
    RUN_FINISHED = "run.finished"
    PLAN_WAITING = "plan.waiting"
    PLAN_PREPARING = "plan.preparing"
    PLAN_STARTED = "plan.started"
    PLAN_PREPARED = "plan.prepared"
    PLAN_FINISHED = "plan.finished"
    PLAN_FAILED = "plan.failed"
    PLAN_RETRY = "plan.retry"
    PLAN_LOST = "plan.lost"
    PLAN_CANCELLED = "plan.cancelled"
    PLAN_LANDED = "plan.landed"
    PLAN_SKIPPED = "plan.skipped"
    PLAN_DRIFT = "plan.drift"
    """With ``live`` seen while the plan was at work, without when it had finished."""
    PLAN_DRIFT_ENDED = "plan.drift-ended"
    PLAN_TOUCHED = "plan.touched"
    """Another plan changed a file that this one, at work, declared."""
    PHASE_COMPLETE = "phase.complete"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    TARGET_MOVED = "target.moved"
    CHECK_STARTED = "check.started"
    CHECK_FINISHED = "check.finished"
    CHECK_REUSED = "check.reused"
    CHECK_STOPPED = "check.stopped"
    """A check ahead of its turn whose tree will not come."""
    LANES_MERGED = "queue.lanes-merged"
    """A landing by another tree's verdict was red when it was checked whole."""
    CHECKOUT_LEFT = "checkout.left"
    QUEUE_TAKEN = "queue.taken"
    QUEUE_LOST = "queue.lost"
    LOCKS_REMOVED = "locks.removed"
    STASH_LOST = "stash.lost"
    BRANCH_LOST = "branch.lost"
    RESCUED = "worktree.rescued"
    SLOT_PASSED = "worktree.passed"
    """Another process was giving the slot back already."""
    OUTPUTS_FAILED = "outputs.failed"
    RETENTION_LET_GO = "retention.let-go"
    RETENTION_FAILED = "retention.failed"
    STORE_REBUILT = "store.rebuilt"


def entry_event(state: str) -> str:
    """The event of an entry that came into ``state``."""
    return f"entry.{state}"
