"""One line for people for each event of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.display.queue_words import said_of_queue
from orchestrator.cli.output import Colour
from orchestrator.events import EventName
from orchestrator.scheduling.reasons import sentence
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from orchestrator.cli.output import Part
    from orchestrator.store.records import StoredEvent

Data = Mapping[str, Any]
_SHORT: Final = 12
_PATHS: Final = 3
_TOGETHER: Final = 3
"""More plans than that which wait for the same get one line."""


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


def narrate_all(events: Iterable[StoredEvent]) -> Iterator[tuple[Part, ...]]:
    """The lines of these events; plans that begin to wait for the same are told of together."""
    for same, group in groupby(events, key=_wait):
        alike = list(group)
        if same is None or len(alike) <= _TOGETHER:
            yield from (line for event in alike if (line := narrate(event)))
        else:
            names = ", ".join(str(event.plan) for event in alike[:_TOGETHER])
            who = (f"{names} and {len(alike) - _TOGETHER} more", Colour.BOLD)
            yield ((alike[-1].ts[11:19], Colour.DIM), " ", who, f": each {same}")


def is_outcome(event: StoredEvent) -> bool:
    """Whether it tells what became of something, or of trouble: what is shown with ``-q``, too."""
    return _colour(event) is not None


def _wait(event: StoredEvent) -> str | None:
    return sentence(event.data.get("reason") or {}) if event.event == EventName.PLAN_WAITING else None


def _said(event: StoredEvent) -> str | None:
    how = _SAYINGS.get(event.event)
    return how(event, event.data) if how else said_of_queue(event)


def _started(_event: StoredEvent, data: Data) -> str:
    phase = f" phase {data['phase']}" if data.get("phase") else ""
    return f"started{phase} in {data.get('worktree')}"


def _ended_badly(event: StoredEvent, data: Data) -> str:
    reason = data.get("reason") or {}
    return f"{event.event.removeprefix('plan.')}: {reason.get('detail') or reason.get('code')}"


def _plan_landed(_event: StoredEvent, data: Data) -> str | None:
    """A landing is told of by its entry; this one is of work that has landed before."""
    return f"has landed before, unchanged, as {_short(data.get('commit'))}" if data.get("unchanged") else None


def _interrupted(_event: StoredEvent, _data: Data) -> str:
    return "the run was interrupted; its commands are ended, its state is kept"


def _drifted(data: Data) -> str:
    """Of drift that was seen while the plan works, also whose files they are; a plan may have no manifest."""
    theirs = [f"{path} of {plan}" for path, plan in data.get("collisions", ())] if data.get("live") else []
    known = {path for path, _ in data.get("collisions", ())} if theirs else set()
    paths = [*theirs, *(path for path in data.get("paths", ()) if path not in known)]
    which = "drifts, changing" if data.get("live") else "changed"
    return f"{which} what its manifest does not name: {_few(paths)}"


def _few(paths: Sequence[str]) -> str:
    return one_line(", ".join(paths[:_PATHS])) + (", …" if len(paths) > _PATHS else "")


def _files(data: Data) -> str:
    """Files of an event, by name."""
    return _few([str(row.get("path")) for row in data.get("files", ())])


def _short(commit: object) -> str:
    return str(commit)[:_SHORT]


_SAYINGS: Final[Mapping[str, Callable[[StoredEvent, Data], str | None]]] = {
    EventName.RUN_STARTED: lambda e, d: f"run {e.run} of {len(d.get('plans', ()))} plans",
    EventName.RUN_RESUMED: lambda e, _: f"run {e.run} goes on",
    EventName.RUN_INTERRUPTED: _interrupted,
    EventName.PLAN_WAITING: lambda _, d: sentence(d.get("reason") or {}),
    EventName.PLAN_DEFERRED: lambda _, d: sentence(d.get("reason") or {}),
    EventName.PLAN_SKIPPED: lambda _, d: f"passed over: {sentence(d.get('reason') or {})}",
    EventName.PLAN_STARTED: _started,
    EventName.PLAN_PREPARED: lambda e, d: (
        f"is prepared in {d.get('worktree')}; `planctl queue add {e.plan}` when it is done"
    ),
    EventName.PLAN_FINISHED: lambda _, d: f"finished at {_short(d.get('head'))}",
    EventName.PLAN_FAILED: _ended_badly,
    EventName.PLAN_LOST: _ended_badly,
    EventName.PLAN_CANCELLED: _ended_badly,
    EventName.PLAN_RETRY: lambda _, d: f"is tried again ({d.get('why')}), attempt {d.get('number')}",
    EventName.PLAN_DRIFT: lambda _, d: _drifted(d),
    EventName.PLAN_DRIFT_ENDED: lambda _, d: f"put back {_few(d.get('paths', ()))}",
    EventName.PLAN_TOUCHED: lambda _, d: (
        f"{d.get('by')} has changed {d.get('path')}, declared here; who lands first wins"
    ),
    EventName.PLAN_LEAKED: lambda _, d: (
        f"may have written {_files(d)} in {d.get('checkout')}: {d.get('text')}"
    ),
    EventName.CHECKOUT_WRITTEN: lambda _, d: f"{_files(d)} in {d.get('checkout')}: {d.get('text')}",
    EventName.CHECKOUT_CLEARED: lambda _, d: f"put back in the main checkout: {_few(d.get('paths', ()))}",
    EventName.PLAN_LANDED: _plan_landed,
}
"""What is said of an event of the run itself; those of the queue have their own words."""


def _colour(event: StoredEvent) -> Colour | None:
    match event.event:
        case "entry.landed" | EventName.PLAN_LANDED:
            return Colour.GREEN
        case EventName.PLAN_FAILED | EventName.PLAN_LOST | "entry.conflicted" | "entry.rejected":
            return Colour.RED
        case (
            EventName.PLAN_SKIPPED
            | EventName.PLAN_CANCELLED
            | EventName.PLAN_DEFERRED
            | EventName.PLAN_DRIFT
            | EventName.PLAN_TOUCHED
            | EventName.PLAN_LEAKED
            | EventName.STASH_LOST
            | EventName.BRANCH_LOST
            | EventName.CHECKOUT_LEFT
            | EventName.QUEUE_PAUSED
        ):
            return Colour.YELLOW
        case "entry.blocked" | "entry.held" | "entry.dropped":
            return Colour.YELLOW
        case _:
            return None
