"""What an examination is given, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestrator.running.supervision import marked_processes
from orchestrator.services.conductors import conductor_of
from orchestrator.services.speaking import AGENT
from orchestrator.sessions.death import living_session
from orchestrator.settings import target_reference
from orchestrator.states import LIVING_SESSIONS, SessionState
from worktrees.objects import Objects
from worktrees.pool import Pool, pool_folder
from worktrees.references import References

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.clock import Clock
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import RunRecord, Session
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings
    from worktrees.git import Git
    from worktrees.repository import Repository

    Cure = Callable[[Workbench, SessionHandle], Any]


class Gravity(StrEnum):
    """How much an issue matters: only errors make a repository unhealthy; hints wait for a quiet hour."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that was found. ``code`` is stable; ``cure`` is None where only a person can do something.

    A cure is harmless when the issue is gone by then, and never destroys work. ``facts`` are shown as a row
    of a table, the same names for all of a code. What the code means, ``codes`` tells.
    """

    code: str
    gravity: Gravity
    subject: str
    detail: str
    cure: Callable[[Workbench, SessionHandle], Any] | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same issue in another examination."""
        return self.code, self.subject


@dataclass(frozen=True, slots=True)
class Examined:
    """One check: its name, a line of fact, and what is wrong."""

    name: str
    detail: str
    issues: tuple[Issue, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, ``warn`` or ``fail``."""
        gravities = {issue.gravity for issue in self.issues}
        if Gravity.ERROR in gravities:
            return "fail"
        return "warn" if Gravity.WARNING in gravities else "ok"


def _is_anybody_at_work(store: Store, but: frozenset[str]) -> bool:
    """Whether a session that may live is at work, of a process of planctl's own also one that is silent.

    That one may only be stopped. A silent agent's may be a shell that stays open for days.
    """
    found = [s for s in store.sessions(LIVING_SESSIONS) if s.id not in but]
    return any(
        living_session(store, s.id) for s in found if s.state is SessionState.ACTIVE or s.kind != AGENT
    )


@dataclass(frozen=True)
class Ward:
    """One moment of a repository. ``store`` may be a copy; ``own`` are the sessions of this very doctor."""

    repository: Repository
    git: Git
    store: Store
    clock: Clock
    project: ProjectSettings
    own: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """The full name of the reference that work lands on."""
        return target_reference(self.project)

    @cached_property
    def pool(self) -> Pool:
        """The folders of the pool."""
        return Pool(self.git, pool_folder(self.repository, self.project.worktrees))

    @cached_property
    def references(self) -> References:
        """Reads references."""
        return References(self.git, self.objects)

    @cached_property
    def objects(self) -> Objects:
        """Reads history."""
        return Objects(self.repository)

    @cached_property
    def marked(self) -> dict[str, tuple[int, ...]]:
        """Living processes that carry the mark of a command, by the command's name; of the whole host."""
        return marked_processes()

    def seconds(self) -> float:
        """Wall time in seconds since 1970, as files are stamped."""
        return datetime.fromisoformat(self.clock.now()).timestamp()

    def living(self, key: str | None) -> Session | None:
        """The session of that id unless it has ended or its process is proven dead."""
        return living_session(self.store, key)

    @cached_property
    def is_alone(self) -> bool:
        """Whether no living session but this doctor's own are at work."""
        return not _is_anybody_at_work(self.store, self.own)

    def when_alone(self, cure: Cure) -> Cure:
        """``cure`` of what is nobody's because nobody else is at work, for when that is so at its time, too.

        Who has begun since the look was made (at a copy of the store) may be at work at the very thing.
        """

        def guarded(bench: Workbench, session: SessionHandle) -> None:
            if not _is_anybody_at_work(bench.store, self.own | {session.id}):
                cure(bench, session)

        return guarded

    def is_conducted(self, run: RunRecord | None) -> bool:
        """Whether a process conducts the run."""
        return run is not None and conductor_of(self.store, run) is not None
