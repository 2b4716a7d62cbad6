"""What a plan is, once read: frozen values without files, git or clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from plans.ids import PhaseId, PlanId, TaskId
from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PRIORITIES: Final = {"critical": 100, "high": 75, "medium": 50, "low": 25}
DEFAULT_PRIORITY: Final = PRIORITIES["medium"]


class Until(StrEnum):
    """What a dependent waits for."""

    LANDED = "landed"
    """The other plan's commit is on the target."""
    FINISHED = "finished"
    """The other plan's work is committed and pinned; the dependent is stacked on it."""
    STARTED = "started"
    """Order only: the other plan has begun."""
    PHASE = "phase"
    """One phase of the other plan is complete and pinned; the dependent is stacked on it."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line of ``dependencies``; ``phase`` is set exactly when ``until`` is PHASE."""

    plan: PlanId
    until: Until = Until.LANDED
    phase: PhaseId | None = None

    @property
    def is_stacked(self) -> bool:
        """Whether the dependent starts on work that has not landed."""
        return self.until in (Until.FINISHED, Until.PHASE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files a plan (or one phase of it) says it writes and reads; ``predicted``: it did not say so."""

    write: PatternSet = PatternSet()
    read: PatternSet = PatternSet()
    predicted: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What does the work: a command line for the shell, or an agent of ``planctl.yaml`` with a prompt.

    Exactly one of ``command`` and ``agent`` is set. ``tty`` gives the command a pseudo terminal. ``profile``
    names the agent whose rate limits its output is read for, where the command line does not tell.
    """

    command: str | None = None
    agent: str | None = None
    prompt: str = ""
    tty: bool = False
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A checkbox line of the body: ``- [ ] 2.1 Add the table (after: 1.1)``; ``line`` counts from 1.

    ``after`` are the tasks that have to be complete before, of this plan (``1.1``) or another (``api:2.3``).
    """

    id: TaskId
    title: str
    done: bool
    phase: PhaseId | None
    line: int
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """A numbered stage, from the header's ``phases`` or the body's ``## Phase N: title``.

    ``manifest`` narrows the plan's own and is None where the phase says nothing.
    """

    id: PhaseId
    title: str = ""
    manifest: Manifest | None = None
    run: Run | None = None
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. ``manifest`` is None when the plan declares none: unknown, which is not the same as empty.

    ``timeout`` is in seconds. ``digest`` identifies the work: sha256 hex of header and body with ticked
    checkboxes read as open, so that ticking a task does not make a new plan. ``path`` is where it was read,
    relative to the repository's top where it lies inside. ``source`` are the file's exact bytes.
    """

    id: PlanId
    title: str
    path: Path
    source: bytes
    digest: str
    body: str = ""
    priority: float = DEFAULT_PRIORITY
    branch: str = ""
    base: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    manifest: Manifest | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    conflicts_with: tuple[PlanId, ...] = ()
    labels: tuple[str, ...] = ()
    run: Run | None = None
    check: str | None = None
    timeout: float | None = None
    retries: int = 0
    phases: tuple[Phase, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def declared(self) -> Manifest | None:
        """The manifest that the plan itself gives: what its work is held to. None where it was predicted."""
        return None if self.manifest is None or self.manifest.predicted else self.manifest
