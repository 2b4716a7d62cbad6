"""One line for people for each event of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import Colour
from orchestrator.events import EventName
from orchestrator.scheduling.reasons import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.cli.output import Part
    from orchestrator.store.records import StoredEvent

_SHORT = 12


def narrate(event: StoredEvent) -> tuple[Part, ...] | None:
    """The line of ``event``, or None for one that people need not hear of."""
    text = _said(event)
    if text is None:
        return None
    subject = event.plan or event.data.get("branch") or ""
    clock = event.ts[11:19]
    head: tuple[Part, ...] = ((clock, Colour.DIM), " ")
    name: tuple[Part, ...] = ((f"{subject}", Colour.BOLD), " ") if subject else ()
    colour = _colour(event)
    return (*head, *name, (text, colour) if colour else text)


def _said(event: StoredEvent) -> str | None:
    data = event.data
    reason = data.get("reason") or {}
    match event.event:
        case EventName.RUN_STARTED:
            return f"run {event.run} of {len(data.get('plans', ()))} plans"
        case EventName.RUN_RESUMED:
            return f"run {event.run} goes on"
        case EventName.PLAN_WAITING | EventName.PLAN_SKIPPED:
            passed = "passed over: " if event.event == EventName.PLAN_SKIPPED else ""
            return passed + sentence(reason)
        case EventName.PLAN_STARTED:
            phase = f" phase {data['phase']}" if data.get("phase") else ""
            return f"started{phase} in {data.get('worktree')}"
        case EventName.PLAN_PREPARED:
            return f"is prepared in {data.get('worktree')}; `planctl queue add {event.plan}` when it is done"
        case EventName.PLAN_FINISHED:
            return f"finished at {str(data.get('head'))[:_SHORT]}"
        case EventName.PLAN_FAILED | EventName.PLAN_LOST | EventName.PLAN_CANCELLED:
            word = event.event.removeprefix("plan.")
            return f"{word}: {reason.get('detail') or reason.get('code')}"
        case EventName.PLAN_RETRY:
            return f"is tried again ({data.get('why')}), attempt {data.get('number')}"
        case EventName.PLAN_DRIFT:
            return f"changed what its manifest does not name: {', '.join(data.get('paths', ())[:3])}"
        case EventName.PLAN_LANDED if data.get("unchanged"):
            return f"has landed before, unchanged, as {str(data.get('commit'))[:_SHORT]}"
        case _:
            return _said_of_queue(event)


def _said_of_queue(event: StoredEvent) -> str | None:
    data = event.data
    match event.event:
        case EventName.CHECK_FINISHED:
            verdict = {True: "green", False: "red", None: "without a verdict"}[data.get("passed")]
            return f"check is {verdict} after {data.get('seconds')} s"
        case EventName.CHECK_REUSED:
            return f"check is green: the same tree passed it at {str(data.get('said_at'))[:19]}"
        case EventName.QUEUE_PAUSED:
            return f"the queue stands still: {data.get('why')}"
        case EventName.QUEUE_RESUMED:
            return "the queue goes on"
        case EventName.CHECKOUT_LEFT:
            return _left(data)
        case EventName.TARGET_MOVED:
            return f"the target was moved by somebody else to {str(data.get('new'))[:_SHORT]}"
        case EventName.STASH_LOST:
            return (
                f"the stash entry {data.get('subject')!r} left the list while plans ran; it is kept: "
                f"`git stash store {data.get('commit')}` puts it back"
            )
        case EventName.PHASE_COMPLETE:
            return f"phase {data.get('phase')} is complete at {str(data.get('commit'))[:_SHORT]}"
        case "entry.landed":
            unchecked = " (unchecked)" if data.get("unchecked") else ""
            return f"landed as {str(data.get('landed_commit'))[:_SHORT]}{unchecked}"
        case "entry.conflicted" | "entry.rejected" | "entry.blocked" | "entry.held":
            log = f"; log: {data['log']}" if data.get("log") else ""
            return f"{event.event.removeprefix('entry.')}: {data.get('detail')}{log}"
        case "entry.queued":
            return "is in the queue"
        case "entry.dropped":
            return f"dropped: {data.get('detail')}"
        case _:
            return None


def _left(data: Mapping[str, Any]) -> str:
    paths = ", ".join(data.get("paths", ())[:3])
    if data.get("failure"):
        return f"{data.get('checkout')} could not be brought along: {data['failure']}; `planctl sync` tries again"
    return f"{data.get('checkout')}: edited during the landing, and left as it is: {paths}"


def _colour(event: StoredEvent) -> Colour | None:
    match event.event:
        case "entry.landed" | EventName.PLAN_LANDED:
            return Colour.GREEN
        case EventName.PLAN_FAILED | EventName.PLAN_LOST | "entry.conflicted" | "entry.rejected":
            return Colour.RED
        case (
            EventName.STASH_LOST
            | EventName.PLAN_SKIPPED
            | "entry.blocked"
            | "entry.held"
            | EventName.PLAN_DRIFT
        ):
            return Colour.YELLOW
        case _:
            return None
