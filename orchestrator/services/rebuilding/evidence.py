"""What is left of a repository's past when its store is gone, as frozen values; and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.running.places import StageName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.records import Attempt, Entry, Intent, PhaseDone, RunRecord, Slot
    from plans.model import Plan


@dataclass(frozen=True, slots=True)
class FrozenRun:
    """A run by its reference. ``options`` is None where an older planctl froze it.

    ``ids`` are ids for attempts of which nothing is left, one for each plan.
    """

    id: str
    commit: str
    at: str
    plans: tuple[Plan, ...]
    options: Mapping[str, Any] | None
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Landed:
    """A landed reference: the key in its name, the commit, and whether the target contains that.

    ``old`` and ``head`` are the commit's first parent and what it merged (itself where it is no merge).
    ``plan`` and ``run`` are those of its trailers where these name the very key. ``candidate``: its
    candidate is still referenced, so the landing had not come to its last step.
    """

    slug: str
    key: str
    commit: str
    old: str
    head: str
    on_target: bool
    candidate: bool
    at: str
    plan: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a plan's ``status.json`` says of its newest attempt; a plan's command may have written it.

    So every commit in it is there, ``worktree`` is a folder of the pool, and no landing is believed.
    """

    run: str
    attempt: str
    number: int
    state: str
    reason: Mapping[str, Any]
    base: str | None
    head: str | None
    stacked_on: tuple[str, ...]
    worktree: str | None
    exit_code: int | None
    drift: tuple[str, ...]
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Launched:
    """A command by its record: ``<attempt>-<stage>``; ``alive`` where its supervisor or any of it lives."""

    name: str
    cwd: str | None
    plan: str | None
    run: str | None
    base: str | None
    alive: bool

    @property
    def attempt(self) -> str:
        """The attempt that it is a stage of."""
        return self.name.rpartition("-")[0]

    @property
    def stage(self) -> tuple[int, int] | None:
        """Its number, and how often it was deferred before; None for a set-up."""
        found = StageName.parse(self.name)
        return (found.number, found.again) if found else None


@dataclass(frozen=True, slots=True)
class Folder:
    """A worktree of the pool. ``tidy``: detached, and nothing in it that is not committed."""

    name: str
    path: str
    purpose: str
    plan: str | None
    branch: str | None
    tidy: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything, at one moment. ``owned`` maps branches that planctl made to (tip, where its work begins).

    ``pins`` are the commits of ``refs/planctl/phases`` by (plan, phase).
    """

    target: str
    now: str
    runs: tuple[FrozenRun, ...] = ()
    landings: tuple[Landed, ...] = ()
    said: Mapping[str, Said] | None = None
    launched: tuple[Launched, ...] = ()
    folders: tuple[Folder, ...] = ()
    pins: Mapping[tuple[str, str], str] | None = None
    owned: Mapping[str, tuple[str, str]] | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether planctl has never worked here."""
        return not (self.runs or self.landings or self.folders or self.unreadable)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The records of a new store, and in words what nothing is left to tell of."""

    runs: tuple[RunRecord, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    entries: tuple[Entry, ...] = ()
    intents: tuple[Intent, ...] = ()
    phases: tuple[PhaseDone, ...] = ()
    slots: tuple[Slot, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was rebuilt, in one line."""
        landed = sum(entry.landed_commit is not None for entry in self.entries)
        counts = {"runs": self.runs, "attempts": self.attempts, "worktrees": self.slots}
        return ", ".join([f"{landed} landings", *(f"{len(of)} {name}" for name, of in counts.items())])
