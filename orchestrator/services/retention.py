"""What planctl keeps, let go when ``retention:`` says so, and said.

1. at the end of a run, at most once a day, or when ``doctor --fix`` is asked for it
2. look what is due: a pure comparison of ages with ``retention:``
3. let it go, references by compare-and-swap; each kind is told in an event with the names

Without ``retention:`` no rescue, nothing archived and no output of a plan is ever let go. The age of a rescue
is that of its snapshot, of a file that of its last change; of what is archived the time since this looked at
it first, because a commit may be older than its parking. Landed references are kept for ever, and packed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.clock import written
from orchestrator.events import EventName
from orchestrator.running.outputs import default_root
from orchestrator.running.places import records_root
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll
from orchestrator.scheduling.freeze import RUNS
from orchestrator.states import TERMINAL_ATTEMPTS, AttemptState, RunState
from plans.errors import PlanctlError
from worktrees.archive import PREFIX as ARCHIVE
from worktrees.packing import pack_references
from worktrees.references import Delete, References
from worktrees.removal import delete_tree
from worktrees.rescue import list_rescues
from worktrees.stash import PREFIX as STASH
from worktrees.stash import stash_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings
    from worktrees.git import Git

DAY: Final = 24 * 3600.0
FOREVER: Final = float("inf")
_LAST: Final = "retention.last"
_SEEN: Final = "retention.archive"
_OVER: Final = frozenset({AttemptState.LANDED, AttemptState.CANCELLED})


class Thing(StrEnum):
    """What is kept, under the names of ``retention:``."""

    RESCUE = "rescue"
    ARCHIVE = "archive"
    LOGS = "logs"
    OUTPUTS = "outputs"
    RUNS = "runs"
    SESSIONS = "sessions"
    EVENTS = "events"


DEFAULTS: Final[Mapping[Thing, float]] = {
    Thing.RESCUE: FOREVER,
    Thing.ARCHIVE: FOREVER,
    Thing.LOGS: 30 * DAY,
    Thing.OUTPUTS: FOREVER,
    Thing.RUNS: 90 * DAY,
    Thing.SESSIONS: 30 * DAY,
    Thing.EVENTS: 90 * DAY,
}
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Due:
    """One reference (with the commit that it names) or path that is older than it has to be kept."""

    thing: Thing
    name: str
    commit: str = ""


class Ages:
    """The moments before which each kind is old."""

    def __init__(self, project: ProjectSettings, now: str) -> None:
        self._kept = {**DEFAULTS, **{Thing(name): value for name, value in project.retention.items()}}
        self._now = datetime.fromisoformat(now)

    def before(self, thing: Thing) -> str:
        """The moment as the store writes it; before all times where it is kept for ever."""
        seconds = self._kept[thing]
        if seconds == FOREVER:
            return ""
        return written(self._now - timedelta(seconds=seconds))

    def is_old(self, thing: Thing, changed: float) -> bool:
        """Whether a file that was changed then, in seconds since 1970, is old."""
        return self._now.timestamp() - changed > self._kept[thing]


def due(git: Git, store: Store, project: ProjectSettings, now: str) -> tuple[Due, ...]:
    """What is to be let go now, sessions and events aside; changes nothing."""
    ages, state = Ages(project, now), git.repository.state_dir
    found = [
        Due(Thing.RESCUE, rescue.reference, rescue.commit)
        for rescue in list_rescues(git)
        if rescue.at < ages.before(Thing.RESCUE)
    ]
    seen = _seen(store)
    for name, commit in _archived(git).items():
        known, since = seen.get(name, ("", ""))
        if known == commit and since < ages.before(Thing.ARCHIVE):
            found.append(Due(Thing.ARCHIVE, name, commit))
    found += [Due(Thing.RUNS, name, commit) for name, commit in _old_runs(git, store, ages)]
    found += [Due(Thing.LOGS, str(path)) for path in _old_logs(store, state, ages)]
    found += [Due(Thing.OUTPUTS, str(path)) for path in _old_outputs(store, state, ages)]
    return tuple(found)


def let_go(bench: Workbench) -> tuple[Due, ...]:
    """Let go what is due, and say so in events; returns it. Harmless to repeat, and beside another one."""
    store, now, project = bench.store, bench.clock.now(), bench.settings.project
    _note_archived(store, _archived(bench.git), now)
    found = due(bench.git, store, project, now)
    deletes = [Delete(one.name, one.commit) for one in found if one.commit]
    if deletes:
        bench.references.transact(deletes, message="planctl: retention", step="retention.references")
    for one in found:
        if not one.commit:
            delete_tree(Path(one.name))
    ages = Ages(project, now)
    for thing in Thing:
        names = [one.name for one in found if one.thing is thing]
        if names:
            store.emit(EventName.RETENTION_LET_GO, at=now, kind=str(thing), names=names)
    store.prune(events=ages.before(Thing.EVENTS), sessions=ages.before(Thing.SESSIONS))
    pack_references(bench.git)
    return found


def let_go_daily(bench: Workbench) -> None:
    """The same at most once a day, and each time what `metrics` counts is summed up.

    A failure is an event: it must not be that of the run it comes after.
    """
    store, now = bench.store, bench.clock.now()
    with store.transaction():
        store.sum_up()
        last = store.value(_LAST)
        if last is not None and _age(last, now) < timedelta(days=1):
            return
        store.set_value(_LAST, now)
    try:
        let_go(bench)
    except (PlanctlError, OSError) as error:
        store.emit(EventName.RETENTION_FAILED, at=now, detail=str(error))


def _age(moment: str, now: str) -> timedelta:
    return datetime.fromisoformat(now) - datetime.fromisoformat(moment)


def _archived(git: Git) -> dict[str, str]:
    """Everything archived, but for pins of stash entries that are still in the list."""
    stashed = {f"{STASH}/{entry}" for entry in stash_entries(git)}
    return {n: c for n, c in References(git).list(f"{ARCHIVE}/").items() if n not in stashed}


def _seen(store: Store) -> dict[str, tuple[str, str]]:
    """Archived reference to its commit, and since when it is known."""
    return {name: (commit, at) for name, (commit, at) in json.loads(store.value(_SEEN) or "{}").items()}


def _note_archived(store: Store, archived: Mapping[str, str], now: str) -> None:
    seen = _seen(store)
    noted = {
        name: seen[name] if name in seen and seen[name][0] == commit else (commit, now)
        for name, commit in archived.items()
    }
    if noted != seen:
        store.set_value(_SEEN, json.dumps(noted))


def _old_runs(git: Git, store: Store, ages: Ages) -> Iterator[tuple[str, str]]:
    """Frozen plan files of runs that have ended, and of which nothing can be resumed, retried or queued."""
    frozen = References(git).list(f"{RUNS}/")
    for run in store.runs({RunState.FINISHED}):
        name = f"{RUNS}/{run.id}"
        old = name in frozen and (run.finished_at or "") < ages.before(Thing.RUNS)
        if old and all(attempt.state in _OVER for attempt in store.attempts(run=run.id)):
            yield name, frozen[name]


def _old_logs(store: Store, state: Path, ages: Ages) -> Iterator[Path]:
    """Logs of checks and faults, and the records of commands that are over."""
    for folder in (state / "checks", state / "logs"):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.is_file() and ages.is_old(Thing.LOGS, _newest([path])):
                yield path
    root = records_root(state)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if ages.is_old(Thing.LOGS, _newest([folder])) and _is_over(store, folder):
            yield folder


def _is_over(store: Store, record: Path) -> bool:
    attempt = store.attempt(record.name) or store.attempt(record.name.rpartition("-")[0])
    if attempt is not None and attempt.state not in TERMINAL_ATTEMPTS:
        return False
    handle = find(record)
    if handle is None:
        return True
    state = poll(handle)
    return not isinstance(state, Running) and not state.command_alive


def _old_outputs(store: Store, state: Path, ages: Ages) -> Iterator[Path]:
    """Outputs inside planctl's own folder; those that were configured to be elsewhere are the user's."""
    root = default_root(state)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        latest = store.attempts(plan=folder.name)
        over = not latest or latest[-1].state in TERMINAL_ATTEMPTS
        if over and ages.is_old(Thing.OUTPUTS, _newest(chain([folder], folder.rglob("*")))):
            yield folder


def _newest(paths: Iterable[Path]) -> float:
    """When one of them was changed last, in seconds since 1970; infinity where one goes away meanwhile.

    Somebody is at work there then.
    """
    try:
        return max(path.lstat().st_mtime for path in paths)
    except FileNotFoundError:
        return FOREVER
