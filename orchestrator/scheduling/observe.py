"""One read of the store and of the references: the view that a decision is made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.running.memory import memory_shortage
from orchestrator.scheduling import drifttable, leaktable
from orchestrator.scheduling.declared import counts, folding, hot_files
from orchestrator.scheduling.drifttable import NO_DRIFT
from orchestrator.scheduling.freeze import thaw_run
from orchestrator.scheduling.limited import first_speakers, limited
from orchestrator.scheduling.ownattempts import OwnAttempts
from orchestrator.scheduling.reasons import Code
from orchestrator.scheduling.reservations import ReservedFiles
from orchestrator.scheduling.resourcetable import ResourceTable
from orchestrator.scheduling.speakers import Speakers
from orchestrator.scheduling.view import Foreign, Options, View
from orchestrator.slots.places import places
from orchestrator.slots.room import lasting_shortage
from orchestrator.states import ACTIVE_ATTEMPTS, MOVING_ENTRIES, OPEN_ENTRIES, AttemptState, EntryState
from orchestrator.submitting import locked
from orchestrator.submitting.landed import landed_plans
from orchestrator.submitting.stacking import refused_plans, unlanded_stacks
from orchestrator.submitting.standstill import freeze_of, standstill
from plans.comparing import writes_in_common
from plans.ids import PlanId
from plans.project import Leaks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.scheduling.drifttable import Drifted
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.slots.places import Places
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, Entry, RunRecord
    from orchestrator.workbench import Workbench
    from plans.graph import PlanGraph
    from plans.model import Manifest, Plan
    from plans.patterns import PatternSet


class Observer:
    """Makes the views of one run; remembers what cannot change, such as other runs' frozen plans."""

    def __init__(
        self,
        bench: Workbench,
        run: RunRecord,
        graph: PlanGraph,
        options: Options,
        speaks: Collection[str] = (),
    ) -> None:
        """``speaks`` are sessions that the run works for: what they have reserved is not in its way."""
        self._bench = bench
        self._run = run
        self.run = run.id
        self._graph = graph
        self._options = options
        self.jobs = options.jobs
        self._attempts = OwnAttempts(run.id)
        self._thawed: dict[str, Mapping[PlanId, Plan]] = {}
        self._witnesses: dict[tuple[PlanId, str, Manifest | None], str | None] = {}
        self._landed: tuple[str, dict[str, str]] = ("", {})
        self._not_landed: set[PlanId] = set()
        self._locked: dict[str, float] = {}
        self._drifts: dict[str, tuple[str | None, dict[str, Drifted]]] = {}
        self._reserved = ReservedFiles(bench.clock, speaks, hot_files(run), folding(run))
        self._again = bool(run.options.get("again"))
        self._speakers = first_speakers(graph.plans, Speakers(bench.settings.project))

    def view(self) -> View:
        """What is so right now."""
        store = self._bench.store
        attempts = self._attempts.look(store)
        newest = {PlanId(a.plan): a for a in sorted(attempts, key=lambda a: a.number)}
        queued = [a.entry for a in newest.values() if a.entry and a.state is AttemptState.QUEUED]
        listed = {e.id: e for e in store.entries(target=self._bench.target, states=OPEN_ENTRIES)}
        entries = {key: entry for key in queued if (entry := listed.get(key) or store.entry(key))}
        behind = [entry for entry in entries.values() if entry.after]
        return View(
            run=self._run.id,
            graph=self._graph,
            options=self._options,
            attempts=newest,
            entries=entries,
            counted=_count(attempts, {AttemptState.FAILED, AttemptState.TIMED_OUT}),
            lost=_count([a for a in attempts if a.reason.get("code") == "lost"], {AttemptState.LOST}),
            landed=self._landed_outside(),
            unchanged={} if self._again else self._unchanged(store, newest),
            phases=_phases(store, newest),
            foreign=self._foreign(store),
            capacities=self._bench.settings.project.resources,
            standstill=self._standstill(store),
            freeze=freeze_of(store, self._bench.target),
            refused=refused_plans(self._bench, sorted({plan for entry in behind for plan in entry.after})),
            unlanded=unlanded_stacks(self._bench, behind),
            borne=frozenset(key for key, entry in entries.items() if self._is_borne(entry)),
            places=self._places({a.id: a for a in attempts}),
            touches=self._touches(store, newest),
            reserved=self._reserved.in_the_way(store, self._waiting(newest)),
            leaked=self._leaked(store),
            memory=memory_shortage(self._bench.settings.project.host_memory_floor),
            limited=self._limited(store, newest),
        )

    def _limited(self, store: Store, newest: Mapping[PlanId, Attempt]) -> Mapping[PlanId, Reason]:
        deferred = store.attempts(states={AttemptState.DEFERRED})
        if not deferred:
            return {}
        share = self._bench.settings.project.rate_limits_share
        return limited(newest, deferred, self._speakers, share, self._bench.clock)

    def declared_by_others(self, plan: PlanId, states: Collection[AttemptState]) -> dict[PlanId, PatternSet]:
        """What other plans with an attempt in ``states``, of any living run, declared to write."""
        store = self._bench.store
        declared: dict[PlanId, PatternSet] = {}
        for attempt in store.attempts(states=states):
            if attempt.plan == plan:
                continue
            if attempt.run == self._run.id:
                other = self._graph.plans.get(PlanId(attempt.plan))
            else:
                other = self._plan_of(store, attempt) if counts(store, self._bench.clock, attempt) else None
            if other is not None and other.declared is not None:
                declared[other.id] = other.declared.write
        return declared

    def _waiting(self, newest: Mapping[PlanId, Attempt]) -> list[Plan]:
        waiting = (AttemptState.PENDING, AttemptState.WAITING)
        return [self._graph.plans[plan] for plan, attempt in newest.items() if attempt.state in waiting]

    def _leaked(self, store: Store) -> dict[PlanId, str]:
        """The first file in the main checkout for which a plan's work waits, by plan."""
        if self._bench.settings.project.leaks is not Leaks.HOLD:
            return {}
        rows = leaktable.load(store, self._run.id).rows
        return {PlanId(leak.plan): path for path, leak in sorted(rows.items(), reverse=True) if leak.holds}

    def _touches(self, store: Store, newest: Mapping[PlanId, Attempt]) -> Mapping[PlanId, Mapping[str, str]]:
        rows = self._drifted(store, self._run.id)
        return {plan: rows[a.id].touches for plan, a in newest.items() if a.id in rows} if rows else {}

    def _drifted(self, store: Store, run: str) -> Mapping[str, Drifted]:
        """What the conductor of ``run`` last saw, by attempt; parsed again only when that has changed."""
        text = drifttable.load_text(store, run)
        known = self._drifts.get(run)
        if known is None or known[0] != text:
            known = self._drifts[run] = (text, drifttable.parse(text))
        return known[1]

    def _places(self, known: Mapping[str, Attempt]) -> Places:
        short = lasting_shortage(self._bench)
        return replace(places(self._bench, self._run.id, known), short=str(short or ""))

    def _standstill(self, store: Store) -> str | None:
        """Why the queue lands nothing for now."""
        return standstill(store, self._bench.target, self._bench.target_tip())

    def _landed_outside(self) -> dict[PlanId, str]:
        """Landings of plans that this run depends on without running them; asked again when the tip moves."""
        wanted = {d.plan for external in self._graph.external.values() for d in external}
        if not wanted:
            return {}
        tip = self._bench.target_tip()
        if self._landed[0] != tip:
            self._landed = (tip, landed_plans(self._bench, sorted(wanted), tip))
        return {PlanId(plan): commit for plan, commit in self._landed[1].items()}

    def _unchanged(self, store: Store, newest: Mapping[PlanId, Attempt]) -> dict[PlanId, str]:
        """Plans that have not begun here and whose very text is on the target already.

        Only a run that had the same plan at work when we last looked can have landed it since.
        """
        found: dict[PlanId, str] = {}
        for plan, attempt in newest.items():
            if attempt.state not in (AttemptState.PENDING, AttemptState.WAITING):
                continue
            if plan in self._not_landed and attempt.reason.get("code") != Code.PLAN_ACTIVE:
                continue
            commit = self._landing_of(store, plan)
            if commit is None:
                self._not_landed.add(plan)
            else:
                found[plan] = commit
        return found

    def _landing_of(self, store: Store, plan: PlanId) -> str | None:
        digest = self._graph.plans[plan].digest
        landed = store.attempts(plan=plan, states={AttemptState.LANDED})
        commits = [a.landed_commit for a in landed if a.digest == digest and a.landed_commit]
        return next((commit for commit in commits if self._is_on_target(commit)), None)

    def _is_on_target(self, commit: str) -> bool:
        return self._bench.objects.is_ancestor(commit, self._bench.target_tip())

    def _foreign(self, store: Store) -> tuple[Foreign, ...]:
        active = [a for a in store.attempts(states=ACTIVE_ATTEMPTS) if a.run != self._run.id]
        if not active:
            return ()
        table = ResourceTable(store)
        rows = {run: self._drifted(store, run) for run in {a.run for a in active}}
        return tuple(
            self._foreign_plan(
                attempt,
                plan,
                table.held(attempt.id),
                rows[attempt.run].get(attempt.id, NO_DRIFT).touches,
                stuck=self._is_stuck(store, attempt),
            )
            for attempt in active
            if counts(store, self._bench.clock, attempt) and (plan := self._plan_of(store, attempt))
        )

    def _is_stuck(self, store: Store, attempt: Attempt) -> bool:
        entry = store.entry(attempt.entry or "") if attempt.state is AttemptState.QUEUED else None
        if entry is None:
            return False
        waits = entry.state is EntryState.QUEUED and self._lets_wait(store, entry)
        return waits or (entry.state not in MOVING_ENTRIES and not self._is_borne(entry))

    def _lets_wait(self, store: Store, entry: Entry) -> bool:
        """Whether a person has to say that work of this priority may land."""
        freeze = freeze_of(store, self._bench.target)
        return self._standstill(store) is not None or (freeze is not None and freeze.holds(entry.priority))

    def _is_borne(self, entry: Entry) -> bool:
        """Whether it is blocked and yet about to be tried again by itself.

        The target has moved since, or a lock file of git is in its way, not for too long yet.
        """
        if entry.state is EntryState.BLOCKED and self._is_of_another_tip(entry):
            return True
        if entry.state is not EntryState.BLOCKED or entry.reason.get("code") != locked.LOCKED:
            self._locked.pop(entry.id, None)
            return False
        now = self._bench.clock.monotonic()
        return now - self._locked.setdefault(entry.id, now) < locked.PATIENCE

    def _is_of_another_tip(self, entry: Entry) -> bool:
        tip = self._bench.target_tip()
        return bool(entry.reason.get("tip", tip) != tip)

    def _plan_of(self, store: Store, attempt: Attempt) -> Plan | None:
        if attempt.run not in self._thawed:
            run = store.run(attempt.run)
            plans = thaw_run(self._bench, run) if run else ()
            self._thawed[attempt.run] = {plan.id: plan for plan in plans}
        return self._thawed[attempt.run].get(PlanId(attempt.plan))

    def _foreign_plan(
        self,
        attempt: Attempt,
        plan: Plan,
        held: Mapping[str, int],
        touches: Mapping[str, str],
        *,
        stuck: bool,
    ) -> Foreign:
        meets = {p: w for p in self._graph.plans if (w := self._witness(p, plan))}
        return Foreign(
            plan=plan.id,
            run=attempt.run,
            state=attempt.state,
            meets=meets,
            resources=held,
            conflicts_with=plan.conflicts_with,
            stuck=stuck,
            touches=touches,
        )

    def _witness(self, ours: PlanId, other: Plan) -> str | None:
        key = (ours, other.digest, other.manifest)
        if key not in self._witnesses:
            mine, hot = self._graph.plans[ours], hot_files(self._run)
            self._witnesses[key] = writes_in_common(mine, other, hot, folding(self._run))
        return self._witnesses[key]


def _phases(store: Store, newest: Mapping[PlanId, Attempt]) -> dict[tuple[str, str], str]:
    """Completed phases and their commits. Those of an earlier attempt of a plan of this run do not count."""
    own = {str(plan): attempt.id for plan, attempt in newest.items()}
    return {
        (done.plan, done.phase): done.commit
        for done in store.phases_done()
        if own.get(done.plan, done.attempt) == done.attempt
    }


def _count(attempts: Sequence[Attempt], states: set[AttemptState]) -> dict[PlanId, int]:
    counts = Counter(a.plan for a in attempts if a.state in states)
    return {PlanId(plan): count for plan, count in counts.items()}
