"""``planctl merge``, for CI: hand in what is finished, drain the queue, say what became of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageError
from orchestrator.services.branches import matching
from orchestrator.services.enqueue import add, bring_branches, finished_attempts
from orchestrator.services.queue import drain, let_pass
from orchestrator.services.queuerows import queue_entries
from orchestrator.states import EntryState
from orchestrator.submitting.landed import on_target

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Request:
    """What to merge; ``branches`` are patterns.

    ``patience``: seconds to wait for another worker, None as long as it lives.
    """

    names: tuple[str, ...] = ()
    finished: bool = False
    branches: tuple[str, ...] = ()
    patience: float | None = None
    allow_policy_change: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The entries that were asked for, in that order, as they are in the end.

    ``at_work`` are plans whose branches were asked for by pattern, and are still worked on: left out. So are
    branches with work whose names are ``not_text``; those names are shown with their bytes escaped.
    """

    entries: tuple[Entry, ...]
    landed: frozenset[str]
    at_work: tuple[str, ...] = ()
    not_text: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Entry, ...]:
        """Those that are not on the target."""
        return tuple(entry for entry in self.entries if entry.id not in self.landed)

    @property
    def succeeded(self) -> bool:
        """Whether every one of them is on the target, and none had to be left out for its name."""
        return not self.missing and not self.not_text


def merge(
    bench: Workbench,
    session: SessionHandle,
    request: Request,
    *,
    cancel: threading.Event,
    on_change: Callable[[], None] = lambda: None,
) -> Merged:
    """Queue and land. Raises what :func:`enqueue.add` and :func:`queue.drain` raise.

    Everything is handed in before anything lands, so a name that is none starts nothing.
    """
    matched = matching(bench, request.branches)
    entries = enqueue(bench, request, matched.names)
    if request.allow_policy_change:
        entries = let_pass(bench, entries)
    done = finish(bench, session, entries, cancel=cancel, patience=request.patience, on_change=on_change)
    return replace(done, at_work=matched.at_work, not_text=tuple(map(_escaped, matched.not_text)))


def _escaped(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def enqueue(bench: Workbench, request: Request, matched: Sequence[str] = ()) -> list[Entry]:
    """The entries of what was asked for, and of what its patterns ``matched``, each once."""
    if not request.names and not request.finished and not request.branches:
        raise UsageError("name plans or branches, or give --finished or --branches")
    bring_branches(bench, request.names)
    names = [*request.names, *matched]
    if request.finished:
        names += [attempt.plan for attempt in finished_attempts(bench)]
    with bench.store.transaction():
        found = [add(bench, name) for name in names]
    return list({entry.id: entry for entry in found}.values())


def finish(
    bench: Workbench,
    session: SessionHandle,
    entries: Sequence[Entry],
    *,
    cancel: threading.Event,
    patience: float | None = None,
    on_change: Callable[[], None] = lambda: None,
) -> Merged:
    """Drain until these entries are dealt with."""
    wanted = [entry.id for entry in entries]
    ended = drain(bench, session, wanted, cancel=cancel, patience=patience, on_change=on_change)
    return Merged(tuple(ended), on_target(bench, [e for e in ended if e.state is EntryState.LANDED]))


def merged_json(bench: Workbench, merged: Merged) -> dict[str, Any]:
    """``{"entries": [entry…], "at_work": [plan…], "not_utf8": [branch…]}``.

    ``landed`` is said only of what is on the target.
    """
    shown = {e["id"]: e for e in queue_entries(bench.store.entries(target=bench.target), every=True)}
    return {
        "entries": [shown[entry.id] for entry in merged.entries],
        "at_work": list(merged.at_work),
        "not_utf8": list(merged.not_text),
    }
