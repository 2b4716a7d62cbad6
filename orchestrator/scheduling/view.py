"""The frozen view of the world that one scheduling decision is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.states import WORKING_ATTEMPTS, AttemptState, EntryState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.records import Attempt, Entry
    from plans.graph import PlanGraph
    from plans.ids import PlanId
    from plans.model import Plan
    from plans.project import OverlapMode


@dataclass(frozen=True, slots=True)
class Options:
    """What ``run-multi`` was asked for, as far as it decides who starts. ``jobs`` is at least 1."""

    jobs: int
    mode: OverlapMode
    keep_going: bool = False
    land: bool = True


@dataclass(frozen=True, slots=True)
class Foreign:
    """A plan at work in another living run.

    ``meets`` maps plans of this run to a witness path that both write; ``working`` says whether it has a
    command at work right now.
    """

    plan: PlanId
    run: str
    working: bool
    meets: Mapping[PlanId, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    conflicts_with: tuple[PlanId, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One moment of one run.

    ``attempts`` holds the newest attempt of each plan of the run, ``entries`` those of queued ones by id,
    ``counted`` and ``lost`` how many failed and lost attempts there are; ``landed`` commits of plans (of any run) that are on the target; ``unchanged`` the
    plans of this run whose very text has landed already; ``phases`` the completed ones.
    """

    run: str
    graph: PlanGraph
    options: Options
    attempts: Mapping[PlanId, Attempt]
    entries: Mapping[str, Entry] = field(default_factory=dict)
    counted: Mapping[PlanId, int] = field(default_factory=dict)
    lost: Mapping[PlanId, int] = field(default_factory=dict)
    landed: Mapping[PlanId, str] = field(default_factory=dict)
    unchanged: Mapping[PlanId, str] = field(default_factory=dict)
    phases: frozenset[tuple[str, str]] = frozenset()
    foreign: tuple[Foreign, ...] = ()
    capacities: Mapping[str, int] = field(default_factory=dict)

    def plan(self, plan: PlanId) -> Plan:
        """The plan of that id in this run."""
        return self.graph.plans[plan]

    def state(self, plan: PlanId) -> AttemptState | None:
        """Where the newest attempt of a plan of this run stands; None for plans of no part in it."""
        attempt = self.attempts.get(plan)
        return attempt.state if attempt else None

    def stuck(self, plan: PlanId) -> str | None:
        """The state of a queued plan's entry if a person or a retry is needed to move it on."""
        attempt = self.attempts.get(plan)
        if attempt is None:
            return None
        if attempt.state in (AttemptState.CONFLICTED, AttemptState.REJECTED):
            return str(attempt.state)
        entry = self.entries.get(attempt.entry or "")
        if attempt.state is AttemptState.QUEUED and entry and entry.state in STUCK_ENTRIES:
            return str(entry.state)
        return None

    def working(self) -> tuple[PlanId, ...]:
        """Plans of this run with a command at work or being prepared."""
        return tuple(p for p, a in self.attempts.items() if a.state in WORKING_ATTEMPTS)


STUCK_ENTRIES = frozenset({EntryState.BLOCKED, EntryState.HELD, EntryState.DROPPED})
