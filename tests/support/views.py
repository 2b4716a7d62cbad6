"""Plans and views made in memory, and a world in which a run is played to its end without git."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.scheduling.decide import Again, End, Enqueue, ReportLanded, Skip, Start, Wait, decide
from orchestrator.scheduling.view import Options, View
from orchestrator.states import ACTIVE_ATTEMPTS, PLACED_ATTEMPTS, AttemptState, EntryState
from orchestrator.store.records import Entry
from plans.graph import PlanGraph, build_graph
from plans.ids import PhaseId, PlanId
from plans.model import Dependency, Manifest, Plan, Until
from plans.overlap import find_overlaps
from plans.patterns import PatternSet
from plans.project import OverlapMode
from tests.support.records import an_attempt, an_entry

A = AttemptState
TERMINAL = {A.LANDED, A.FAILED, A.TIMED_OUT, A.CANCELLED, A.CONFLICTED, A.REJECTED, A.FINISHED, A.LOST}


def a_plan(name: str, *needs: str | Dependency, write: Iterable[str] = (), **fields: Any) -> Plan:
    """A plan; a need is a plan's id (landed), or ``id:started``, ``id:finished``, ``id:phase-N``."""
    manifest = None
    read = fields.pop("read", ())
    if write or read:
        manifest = Manifest(PatternSet.parse(list(write)), PatternSet.parse(list(read)))
    return Plan(
        id=PlanId(name),
        title=name,
        path=Path(f"plans/{name}.md"),
        source=b"",
        digest=name,
        branch=f"plan/{name}",
        dependencies=tuple(_need(need) for need in needs),
        manifest=manifest,
        **fields,
    )


def _need(text: str | Dependency) -> Dependency:
    if isinstance(text, Dependency):
        return text
    plan, _, until = text.partition(":")
    if until.startswith("phase-"):
        return Dependency(PlanId(plan), Until.PHASE, PhaseId(until.removeprefix("phase-")))
    return Dependency(PlanId(plan), Until(until or "landed"))


def graph_of(plans: Iterable[Plan], mode: OverlapMode = OverlapMode.SERIALIZE) -> PlanGraph:
    found = tuple(plans)
    return build_graph(found, find_overlaps(found).overlaps, mode)


def a_view(
    *plans: Plan,
    states: Mapping[str, AttemptState] | None = None,
    entry_states: Mapping[str, EntryState] | None = None,
    jobs: int = 8,
    mode: OverlapMode = OverlapMode.SERIALIZE,
    keep_going: bool = False,
    land: bool = True,
    attempt: Mapping[str, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> View:
    """A view in which every plan is pending unless ``states`` says otherwise."""
    attempts, entries = {}, {}
    for plan in plans:
        state = (states or {}).get(plan.id, A.PENDING)
        more = dict((attempt or {}).get(plan.id, {}))
        if state is A.QUEUED:
            more.setdefault("entry", f"e-{plan.id}")
            entry_state = (entry_states or {}).get(plan.id, EntryState.QUEUED)
            after = tuple(d.plan for d in plan.dependencies if d.is_stacked)
            entries[more["entry"]] = an_entry(more["entry"], plan=plan.id, state=entry_state, after=after)
        attempts[plan.id] = an_attempt(f"a-{plan.id}", plan=plan.id, state=state, **more)
    options = Options(jobs, mode, keep_going, land)
    return View("r1", graph_of(plans, mode), options, attempts, entries=entries, **fields)


def decided(view: View) -> dict[str, Any]:
    """What was decided, by plan; ``end`` for the end of the run."""
    return {getattr(d, "plan", "end"): d for d in decide(view)}


def why(view: View, plan: str) -> dict[str, Any]:
    found = decided(view)[plan]
    assert isinstance(found, Wait | Skip), found
    return found.why


@dataclass
class World:
    """Plays a run: commands end, fail, get lost, phases complete, entries land or do not, by dice."""

    view: View
    rng: random.Random
    started: list[str] = field(default_factory=list)
    reasons: dict[str, dict[str, Any]] = field(default_factory=dict)

    def play(self, most: int = 4000) -> None:
        """Until the run ends; fails when it never does."""
        for _ in range(most):
            decisions = decide(self.view)
            for decision in decisions:
                self._apply(decision)
            self.check()
            if any(isinstance(d, End) for d in decisions):
                assert not self._movable(), "it ended while something could still move"
                return
            if all(isinstance(d, Wait) for d in decisions):
                assert self._movable(), f"nothing can move, and the run has not ended: {decisions}"
                self._happen()
        raise AssertionError("the run never ends")

    def check(self) -> None:
        """What must hold at every moment."""
        working = self.view.working
        assert len(working) <= self.view.options.jobs
        used: dict[str, int] = {}
        for plan in working:
            for name, amount in self.view.plan(plan).resources.items():
                used[name] = used.get(name, 0) + amount
        assert all(amount <= self.view.capacities.get(name, 1) for name, amount in used.items()), used
        for one in working:
            assert not set(self.view.plan(one).conflicts_with) & set(working), working
        for edge in self.view.graph.edges:
            serial = edge.why == "overlap" and edge.until is Until.LANDED
            if serial and edge.after in working and self.view.stuck(edge.before) is None:
                assert self.view.state(edge.before) not in ACTIVE_ATTEMPTS, f"{edge} both at work"

    def _apply(self, decision: Any) -> None:
        match decision:
            case Start(plan):
                self._start(plan)
            case Wait(plan, reason):
                self.reasons[plan] = reason
                if self.view.state(plan) is A.PENDING:
                    self._set(plan, A.WAITING)
            case Skip(plan, reason):
                assert reason["code"]
                self.reasons[plan] = reason
                self._set(plan, A.CANCELLED)
            case ReportLanded(plan, commit):
                self._set(plan, A.LANDED, landed_commit=commit)
            case Again(plan, counted):
                self._again(plan, counted=counted)
            case Enqueue(plan):
                self._enqueue(plan)

    def _start(self, plan: PlanId) -> None:
        assert plan not in self.view.limited, "started before its time"
        if self.view.state(plan) is not A.DEFERRED:  # which has begun
            self._require_dependencies(plan)
            self._require_no_failure(plan)
        self.started.append(plan)
        self._set(plan, A.PREPARING)

    def _again(self, plan: PlanId, *, counted: bool) -> None:
        assert not counted or self.view.counted[plan] <= self.view.plan(plan).retries
        old = self.view.attempts[plan]
        self._set(plan, A.PENDING, number=old.number + 1, id=f"{old.id}'", reason={})
        phases = {k: v for k, v in self.view.phases.items() if k[0] != plan}
        self.view = replace(self.view, phases=phases)

    def _enqueue(self, plan: PlanId) -> None:
        for dependency in self.view.plan(plan).dependencies:
            if dependency.is_stacked:
                assert self.view.state(dependency.plan) is A.LANDED
        entry = an_entry(f"e-{plan}", plan=plan)
        self.view = replace(self.view, entries={**self.view.entries, entry.id: entry})
        self._set(plan, A.QUEUED, entry=entry.id)

    def _require_dependencies(self, plan: PlanId) -> None:
        for d in self.view.plan(plan).dependencies:
            state = self.view.state(d.plan)
            match d.until:
                case Until.LANDED:
                    assert state is A.LANDED, (plan, d, state)
                case Until.FINISHED:
                    assert state in (A.FINISHED, A.QUEUED, A.LANDED), (plan, d, state)
                case Until.PHASE:
                    done = (d.plan, d.phase) in self.view.phases
                    assert done or state in (A.FINISHED, A.QUEUED, A.LANDED), (plan, d, state)
                case Until.STARTED:
                    assert state not in (None, A.PENDING, A.WAITING, A.CANCELLED), (plan, d, state)

    def _require_no_failure(self, plan: PlanId) -> None:
        """Without keep_going nothing new starts after a plan has failed for good."""
        if self.view.options.keep_going or self.view.attempts[plan].number > 1:
            return
        for other, attempt in self.view.attempts.items():
            if attempt.state in (A.FAILED, A.TIMED_OUT):
                retried = attempt.reason.get("code") == "exit-code"
                assert retried, (plan, other)
                assert self.view.counted[other] <= self.view.plan(other).retries, (plan, other)

    def _set(self, plan: str, state: AttemptState, **changes: Any) -> None:
        attempts = dict(self.view.attempts)
        attempts[PlanId(plan)] = replace(attempts[PlanId(plan)], state=state, **changes)
        self.view = replace(self.view, attempts=attempts)

    def _movable(self) -> list[str]:
        return [
            p
            for p, a in self.view.attempts.items()
            if a.state in PLACED_ATTEMPTS
            or (a.state is A.QUEUED and self.view.stuck(p) is None)
            or (a.state is A.WAITING and self.reasons[p]["code"] == "reserved")
        ]

    def _happen(self) -> None:
        """One thing happens to one plan at work or in the queue, or to the reservation that it waits for."""
        plan = PlanId(self.rng.choice(sorted(self._movable())))
        state, roll = self.view.state(plan), self.rng.random()
        if state is A.WAITING:
            left = {other: why for other, why in self.view.reserved.items() if other != plan}
            self.view = replace(self.view, reserved=left)
        elif state is A.PREPARING:
            self._set(plan, A.PREPARED if roll < 0.05 else A.FAILED if roll < 0.1 else A.RUNNING)
            self._count(plan)
        elif state is A.RUNNING:
            self._work(plan, roll)
        elif state is A.DEFERRED:
            self.view = replace(self.view, limited={p: w for p, w in self.view.limited.items() if p != plan})
        else:
            self._land(plan, roll)

    def _work(self, plan: PlanId, roll: float) -> None:
        if roll < 0.2:
            key = (str(plan), "1")
            self.view = replace(self.view, phases={**self.view.phases, key: "c" * 40})
        elif roll < 0.3:
            self._set(plan, A.DEFERRED)
            self.view = replace(self.view, limited={**self.view.limited, plan: {"code": "rate-limit"}})
        elif roll < 0.8:
            self._set(plan, A.FINISHED, reason={})
        else:
            bad = {0: A.FAILED, 1: A.TIMED_OUT, 2: A.LOST, 3: A.CANCELLED}[self.rng.randrange(4)]
            code = "lost" if bad is A.LOST else self.rng.choice(("exit-code", "drift"))
            self._set(plan, bad, reason={"code": code})
            self._count(plan)

    def _count(self, plan: PlanId) -> None:
        state = self.view.state(plan)
        if state in (A.FAILED, A.TIMED_OUT):
            self.view = replace(self.view, counted=_more(self.view.counted, plan))
        elif state is A.LOST:
            self.view = replace(self.view, lost=_more(self.view.lost, plan))

    def _land(self, plan: PlanId, roll: float) -> None:
        if roll < 0.75:
            self._set(plan, A.LANDED, landed_commit="1" * 40)
        elif roll < 0.9:
            self._set(plan, A.CONFLICTED if roll < 0.82 else A.REJECTED)
        else:
            entry: Entry = self.view.entries[f"e-{plan}"]
            state = self.rng.choice((EntryState.BLOCKED, EntryState.HELD))
            entries = {**self.view.entries, entry.id: replace(entry, state=state)}
            self.view = replace(self.view, entries=entries)


def _more(counts: Mapping[PlanId, int], plan: PlanId) -> dict[PlanId, int]:
    return {**counts, plan: counts.get(plan, 0) + 1}
