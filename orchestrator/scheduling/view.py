"""The frozen view of the world that one scheduling decision is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from orchestrator.states import ACTIVE_ATTEMPTS, WORKING_ATTEMPTS, AttemptState, EntryState
from plans.holding import held, holds_of
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.running.memory import MemoryShortage
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.slots.places import Places
    from orchestrator.store.records import Attempt, Entry
    from orchestrator.submitting.standstill import Freeze
    from plans.graph import PlanGraph
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

    ``meets`` maps plans of this run to a witness path that both write; ``resources`` is what it still holds;
    ``stuck`` says that a person is needed for its work to land; ``touches`` maps plans of this run to a path
    of theirs that it has changed beside its own manifest.
    """

    plan: PlanId
    run: str
    state: AttemptState
    meets: Mapping[PlanId, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    conflicts_with: tuple[PlanId, ...] = ()
    stuck: bool = False
    touches: Mapping[str, str] = field(default_factory=dict)

    @property
    def working(self) -> bool:
        """Whether it has a command at work, or one being prepared."""
        return self.state in WORKING_ATTEMPTS


@dataclass(frozen=True)
class View:
    """One moment of one run.

    ``attempts`` holds the newest attempt of each plan of the run, ``entries`` those of queued ones by id,
    ``counted`` and ``lost`` how many failed and lost attempts there are; ``landed`` commits of plans (of any
    run) that are on the target; ``unchanged`` the plans of this run whose very text has landed already.
    ``phases`` maps completed phases to the pinned commit; of plans of this run only those that their newest
    attempt has completed. ``standstill`` is why nothing may land at all for now, if so;
    ``freeze`` below which priority nothing may; ``borne`` the entries blocked that are about to be tried
    again by themselves; ``refused`` and ``unlanded`` what the queue knows of plans that queued entries land
    after (see ``submitting.stacking``); ``places`` None means a pool without bounds.
    ``touches`` maps plans of this run to those that they have drifted into, with a path;
    ``memory`` says that less is available than a start asks for; ``host_lacks`` what other runs on the host
    have at this moment of what plans of this run want to start with; ``limited`` are those that wait for the
    end of a rate limit; ``reserved`` which reservation of files, of a session outside, is in the way of plans
    that have not begun; ``leaked`` a file in the main checkout that seems to be a plan's, where that is a
    reason not to land.
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
    phases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    foreign: tuple[Foreign, ...] = ()
    capacities: Mapping[str, int] = field(default_factory=dict)
    standstill: str | None = None
    freeze: Freeze | None = None
    borne: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    unlanded: Mapping[str, str] = field(default_factory=dict)
    places: Places | None = None
    touches: Mapping[PlanId, Mapping[str, str]] = field(default_factory=dict)
    memory: MemoryShortage | None = None
    host_lacks: Mapping[PlanId, Reason] = field(default_factory=dict)
    limited: Mapping[PlanId, Reason] = field(default_factory=dict)
    reserved: Mapping[PlanId, Reason] = field(default_factory=dict)
    leaked: Mapping[PlanId, str] = field(default_factory=dict)

    def plan(self, plan: PlanId) -> Plan:
        """The plan of that id in this run."""
        return self.graph.plans[plan]

    def state(self, plan: PlanId) -> AttemptState | None:
        """Where the newest attempt of a plan of this run stands; None for plans of no part in it."""
        attempt = self.attempts.get(plan)
        return attempt.state if attempt else None

    def stuck(self, plan: PlanId) -> str | None:
        """What keeps a plan's finished work from landing unless a person or a retry helps, or None."""
        attempt = self.attempts.get(plan)
        match attempt.state if attempt else None:
            case AttemptState.CONFLICTED | AttemptState.REJECTED as state:
                return str(state)
            case AttemptState.FINISHED if plan in self.leaked:
                return f"held: {self.leaked[plan]} in the main checkout seems to be its work"
            case AttemptState.QUEUED:
                entry = self.entries.get(self.attempts[plan].entry or "")
                return None if entry is None else self._stuck_in_the_queue(entry)
            case _:
                return None

    def _stuck_in_the_queue(self, entry: Entry) -> str | None:
        if entry.state in STUCK_ENTRIES and entry.id not in self.borne:
            return str(entry.state)
        if entry.state in (EntryState.QUEUED, EntryState.BLOCKED):
            if self.standstill:
                return f"{entry.state}, and the queue stands still ({self.standstill})"
            if self.freeze and self.freeze.holds(entry.priority):
                return f"{entry.state}, and frozen ({self.freeze.of(entry.priority)})"
        return self._behind_in_vain(entry)

    def _behind_in_vain(self, entry: Entry) -> str | None:
        """An entry that must land after work which nobody is about to land."""
        elsewhere = {foreign.plan for foreign in self.foreign if not foreign.stuck}
        for name in entry.after:
            plan = PlanId(name)
            here = self.state(plan) in MAY_LAND and self.stuck(plan) is None
            if here or plan in elsewhere:
                continue
            if plan in self.refused:
                return f"queued behind {plan}, which was {self.refused[plan]}"
            has_landed = plan in self.landed or self.state(plan) is AttemptState.LANDED
            if not has_landed or self.unlanded.get(entry.id) == plan:
                return f"queued behind {plan}, which has not landed"
        return None

    def held(self, plan: PlanId) -> dict[str, int]:
        """What a plan at work still holds of each resource."""
        holds = holds_of(self.plan(plan))
        if not holds:
            return {}  # nearly all: their phases are of no account
        return held(holds, {phase for other, phase in self.phases if other == plan})

    @cached_property
    def working(self) -> tuple[PlanId, ...]:
        """Plans of this run with a command at work or being prepared."""
        return tuple(p for p, a in self.attempts.items() if a.state in WORKING_ATTEMPTS)

    @cached_property
    def failed(self) -> PlanId | None:
        """A plan that failed for good in this run, if any."""
        ended = (p for p, a in self.attempts.items() if a.state in FAILED_ATTEMPTS)
        return next((plan for plan in ended if not self.goes_again(plan)), None)

    def goes_again(self, plan: PlanId) -> bool:
        """Whether a plan that failed or was lost gets a new attempt; refused work is not mended by one."""
        attempt = self.attempts[plan]
        if attempt.state is AttemptState.LOST:
            return self.lost.get(plan, 0) <= MOST_LOST
        few = self.counted.get(plan, 0) <= self.plan(plan).retries
        return few and attempt.reason.get("code") in _MENDABLE


MOST_LOST: Final = 5
"""A plan whose supervisor dies this often in one run has something killing it; it fails."""
FAILED_ATTEMPTS: Final = frozenset({AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.LOST})
_MENDABLE: Final = frozenset({"exit-code", "signal", "timeout", "setup-failed"})
MAY_LAND = ACTIVE_ATTEMPTS | {AttemptState.PENDING, AttemptState.WAITING}
STUCK_ENTRIES = frozenset({EntryState.BLOCKED, EntryState.HELD, EntryState.DROPPED})
