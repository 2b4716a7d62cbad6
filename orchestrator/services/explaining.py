"""Why an entry is where it is, what happened to it so far, and what would change it."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.composition import unit_size
from orchestrator.merging.estimating import Estimates
from orchestrator.merging.judge import Outcome
from orchestrator.merging.rates import measured
from orchestrator.services.entries import require_entry
from orchestrator.services.expecting import expected
from orchestrator.services.queuelist import queue_json
from orchestrator.states import MOVING_ENTRIES, EntryState
from orchestrator.submitting.standstill import FROZEN, HOLDABLE, freeze_of
from worktrees.mirror import remote_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry, StoredEvent
    from orchestrator.submitting.standstill import Freeze
    from orchestrator.workbench import Workbench

_QUEUES_OWN: Final = ("entry.", "queue.", "check.", "target.", "checkout.", "locks.", "remote.", "resolver.")
_BY_HAND: Final = (
    "resolve it by a commit on {branch}, then `planctl queue add {name}`; or `planctl queue resolve {name}`"
)
_RESOLVE: Final = f"read the log; {_BY_HAND}"
_RESTS: Final = {
    "batch": "the tree of its batch {by} passed the check",
    "lane": "its work passed the check as tree {by}, beside what landed meanwhile",
    "there": "its work was on the target already",
    "before": "it had landed before, here or by another queue",
}
_OF_TARGET: Final = re.compile(r"(`planctl (?:queue|merge|sync)\b[^`]*)`")
"""A command in a cure that is about one target: of a remote's it has to name the remote."""
_CURES: Final = {
    "checkout": "commit or move what is in the way, then `planctl sync`",
    "locked": "let that git command end (`planctl doctor` says whose lock it is), then `planctl sync`",
    "policy-change": "look at it; `planctl merge {name} --allow-policy-change` lands it",
    "no-check": "configure `check:` on the target, then `planctl queue add {name}`",
    "method": "choose another method: `planctl queue add {branch} --method merge`",
    "undoes-others": "look at these paths; merge by hand if they are meant, or `planctl queue add {name}`",
    "git-failed": "read git's messages, then `planctl queue add {name}`",
    "git-killed": "see that memory suffices, then `planctl queue add {name}`",
    "no-verdict": "read the log, mend the check, then `planctl queue add {name}`",
    "conflict": _BY_HAND,
    "resolver-failed": _RESOLVE,
    "resolver-timeout": _RESOLVE,
    "resolver-unresolved": _RESOLVE,
    "resolver-refused": _RESOLVE,
    "resolver-again": _RESOLVE,
    "resolver-method": "`planctl queue add {name} --method merge` after a merge on {branch}, or rebase it",
    "resolver-moved": "`planctl queue add {name}` takes {branch} as it is now",
    "resolver-worktree": "let nobody work on {branch}, then `planctl queue resolve {name}`",
    "red": "mend it by a commit on {branch}, then `planctl queue add {name}`",
    "dropped": "`planctl queue add {name}` takes it in again",
    "dependency-rejected": "land that plan first, or `planctl queue drop {name}`",
    "target-red": "mend the target, and the queue goes on; `planctl queue resume` tries it as it is",
    "paused": "`planctl queue resume` lets it go on",
    FROZEN: "`planctl queue resume` lets all go on, `planctl queue jump {name}` this one alone",
}


def explain(bench: Workbench, name: str) -> dict[str, Any]:
    """``{"entry", "why", "cure", "paused", "frozen", "worker", "expected", "chance", "proof", "history"}``.

    ``frozen``: the freeze that holds it, if one does. Raises NothingToDoError.
    """
    entry = require_entry(bench, name)
    freeze = freeze_of(bench.store, bench.target)
    is_frozen = freeze is not None and entry.state in HOLDABLE and freeze.holds(entry.priority)
    if freeze and is_frozen and entry.state is EntryState.QUEUED:  # perhaps no worker has said so yet
        why = {"code": FROZEN, "detail": freeze.of(entry.priority)}
        entry = replace(entry, reason={**entry.reason, **why})
    shown = queue_json(bench.store, bench.settings.project, bench.seen_tip(), every=True)
    events = list(all_events(bench.store))
    history = [event_json(event) for event in _queues_own(events, entry.id)]
    proofs = [event["proof"] for event in history if event.get("proof")]
    listed = next(e for e in shown["entries"] if e["id"] == entry.id)
    stays = is_frozen or shown["paused"] or entry.state not in MOVING_ENTRIES
    place = None if stays else _place(listed, shown["entries"], freeze)
    when = expected(events, place, _dealt_with_at_once(bench, place), bench.clock.now()) if place else None
    return {
        "entry": listed,
        "why": why_of(entry, shown["worker"] is not None),
        "cure": cure_of(entry),
        "paused": shown["paused"],
        "frozen": shown["frozen"] if is_frozen else None,
        "worker": shown["worker"],
        "expected": when and asdict(when),
        "chance": _chance(bench, entry),
        "proof": proofs[-1] if proofs and entry.state is EntryState.LANDED else None,
        "history": history,
    }


def _place(
    entry: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], freeze: Freeze | None
) -> int | None:
    """How many land up to it, itself included: those that are frozen let it pass."""
    mine = entry["position"]
    before = [e for e in listed if mine and e["position"] and e["position"] <= mine]
    return sum(not (freeze and freeze.holds(e["priority"])) for e in before) or None


def _chance(bench: Workbench, entry: Entry) -> dict[str, Any] | None:
    """How likely it is to land, by what, and how right such estimates were; None once that is decided."""
    if entry.state not in MOVING_ENTRIES or not bench.settings.project.check:
        return None
    estimates = Estimates()
    found = estimates.of(bench, [entry])[entry.id]
    calibration = estimates.experience(bench).calibration
    return {"success": found.success, **asdict(found), "calibration": asdict(calibration)}


def _dealt_with_at_once(bench: Workbench, waiting: int) -> int:
    """How many entries land in the time of one check."""
    project = bench.settings.project
    return project.checks_at_once * unit_size(project, waiting, measured(bench.store, bench.target))


def why_of(entry: Entry, is_served: bool) -> str:  # noqa: FBT001 - one fact, read at its only callers
    """One sentence: why the entry is in the state it is in."""
    if entry.state is EntryState.LANDED:
        return f"landed as {str(entry.landed_commit)[:12]}; {_rests_on(entry)}"
    detail = str(entry.reason.get("detail") or entry.reason.get("code") or "")
    if entry.state in (EntryState.QUEUED, EntryState.RESOLVING) and not is_served:
        return f"{detail + '; ' if detail else ''}nobody works at the queue"
    return detail or str(entry.state)


def _rests_on(entry: Entry) -> str:
    if entry.unchecked:
        return "unchecked: the target has no check"
    words = _RESTS.get(str(entry.reason.get("rests")), "its tree passed the check")
    return words.format(by=str(entry.reason.get("by"))[:12])


def state_of(entry: Entry, *, is_landed: bool) -> str:
    """The state of an entry in words; ``is_landed``: it is on the target now."""
    gone = entry.state is EntryState.LANDED and not is_landed
    return "landed, and reset away since" if gone else str(entry.state)


def cure_of(entry: Entry) -> str:
    """What a person can do about it, or an empty text."""
    if entry.state is EntryState.LANDED:
        return ""
    cure = _CURES.get(_code(entry), "")
    if entry.state is EntryState.RESOLVING or (not cure and entry.state is EntryState.QUEUED):
        cure = "`planctl queue run` works at the queue"
    said = cure.format(name=entry.plan or entry.branch, branch=entry.branch)
    remote = remote_of(entry.target)
    return _OF_TARGET.sub(lambda found: f"{found[1]} --remote {remote}`", said) if remote else said


def _code(entry: Entry) -> str:
    """The code of its reason; of a queue that stands still, that of what it stands still for."""
    is_red = str(entry.reason.get("detail")).startswith(f"{Outcome.TARGET_RED}:")
    return str(Outcome.TARGET_RED if is_red else entry.reason.get("code"))


def events_of(store: Store, entry: str | None = None) -> list[StoredEvent]:
    """What happened at the queue, oldest first; with ``entry`` only what is about it."""
    return list(_queues_own(all_events(store), entry))


def _queues_own(events: Iterable[StoredEvent], entry: str | None) -> Iterator[StoredEvent]:
    for event in events:
        about = {event.data.get("entry"), *event.data.get("batch", ())}
        if event.event.startswith(_QUEUES_OWN) and (entry is None or entry in about):
            yield event


def all_events(store: Store, after: int = 0) -> Iterator[StoredEvent]:
    """Every event after the one of that number, page by page."""
    while page := store.events_after(after):
        yield from page
        after = page[-1].sequence


def news(store: Store, after: int, entry: str | None = None) -> tuple[list[StoredEvent], int]:
    """The queue's events after number ``after``, and the number of the last event looked at."""
    found = list(all_events(store, after))
    return list(_queues_own(found, entry)), found[-1].sequence if found else after


def event_json(event: StoredEvent) -> dict[str, Any]:
    """One event as a line of JSON."""
    shown: dict[str, Any] = {"ts": event.ts, "event": event.event, "run": event.run, "plan": event.plan}
    return {**shown, **dict(event.data)}
