"""Which events people are told of, and in which words. Pure: events in, notices out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import MANY_ENDED, EventName, entry_event
from orchestrator.states import EntryState
from plans.drawing.escape import one_line
from plans.notify import Told

if TYPE_CHECKING:
    from orchestrator.store.records import StoredEvent

_LONGEST: Final = 300
_SHORT: Final = 10
_BRANCH: Final = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is to be told. ``subject`` is what it is about, ``code`` the stable part of why."""

    kind: Told
    subject: str
    title: str
    text: str
    code: str = ""


_ENTRIES: Final = {
    entry_event(EntryState.LANDED): (Told.LANDED, "landed"),
    entry_event(EntryState.CONFLICTED): (Told.CONFLICTED, "conflicts with what landed before"),
    entry_event(EntryState.REJECTED): (Told.REJECTED, "was refused: its check is red"),
    entry_event(EntryState.HELD): (Told.WAITING, "is held for you"),
    entry_event(EntryState.BLOCKED): (Told.WAITING, "waits for a checkout"),
}


def notice_of(event: StoredEvent) -> Notice | None:
    """What ``event`` is to be told as; None for what nobody needs to be told."""
    if event.event in _ENTRIES:
        return _of_entry(event)
    if event.event == EventName.PLAN_FAILED:
        return _of_failure(event)
    if event.event == EventName.QUEUE_PAUSED and event.data.get("commit"):  # not by a person
        target = str(event.data.get("target", ""))
        shown = target.removeprefix(_BRANCH)
        subject = f"queue {target} {event.sequence}"  # each standstill by itself: between two it went on
        return _notice(Told.WAITING, subject, f"the queue of {shown} stands still", _why(event))
    if event.event.startswith("watchdog."):
        return _of_sweep(event)
    return None


def is_news(notice: Notice, before: tuple[str, str] | None) -> bool:
    """Whether it says more than the last one about its subject, of which ``before`` are kind and code.

    Work that waits for a person is looked at again whenever the target moves, and waits on.
    """
    return notice.kind is not Told.WAITING or before != (notice.kind, notice.code)


def _of_entry(event: StoredEvent) -> Notice:
    kind, words = _ENTRIES[event.event]
    data = event.data
    who = event.plan or data.get("branch") or "work"
    text = _why(event)
    if kind is Told.LANDED:
        unchecked = ", unchecked" if data.get("unchecked") else ""
        text = f"at {str(data.get('landed_commit') or '')[:_SHORT]}{unchecked}"
    subject = f"entry {data.get('entry')}"
    return _notice(kind, subject, f"{who} {words}", text, _code(event))


def _of_failure(event: StoredEvent) -> Notice:
    words = "ran out of time" if event.data.get("state") == "timed_out" else "failed"
    subject = f"plan {event.run} {event.plan}"
    return _notice(Told.FAILED, subject, f"{event.plan} {words}", _why(event), _code(event))


def _of_sweep(event: StoredEvent) -> Notice | None:
    count = event.data.get("count")
    if not isinstance(count, int) or count <= MANY_ENDED:
        return None
    title = f"{count} processes were ended"
    return _notice(Told.CLEANED, "watchdog", title, "left over by sessions that are gone")


def _why(event: StoredEvent) -> str:
    """The reason in the event's own words: as entries carry it, or as plans do."""
    found = _said(event)
    said = found.get("detail") or found.get("why") or found.get("code") or ""
    paths = found.get("paths") or ()
    return f"{said}: {', '.join(map(str, paths[:3]))}" if paths else str(said)


def _code(event: StoredEvent) -> str:
    return str(_said(event).get("code") or "")


def _said(event: StoredEvent) -> dict[str, Any]:
    reason = event.data.get("reason")
    return {**(reason if isinstance(reason, dict) else {}), **event.data}


def _notice(kind: Told, subject: str, title: str, text: str, code: str = "") -> Notice:
    """Its words are lines without control characters, and valid Unicode: they leave the house."""
    return Notice(kind, subject, one_line(f"planctl: {title}", _LONGEST), one_line(text, _LONGEST), code)
