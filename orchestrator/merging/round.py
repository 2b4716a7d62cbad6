"""One round of the worker: look at the target, the settings and the queue; decide; process what is next."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StaleRecordError
from orchestrator.merging.ahead import Now
from orchestrator.merging.batching import Batcher, Ended
from orchestrator.merging.composition import TOGETHER, Composition, unit_size
from orchestrator.merging.estimating import Estimates, remember
from orchestrator.merging.jumping import lift_remembered
from orchestrator.merging.landing import ALONE
from orchestrator.merging.lanes import BY_STACKS, Lanes
from orchestrator.merging.lifting import JUMPED
from orchestrator.merging.locked import LockedEntries
from orchestrator.merging.outside import hindrance_of_tip, notice_move
from orchestrator.merging.pausing import SAMPLED, TIP, UNVERIFIED
from orchestrator.merging.planner import Process, Stay, beside_others, line, plan_serial
from orchestrator.merging.postcheck import MISSING
from orchestrator.merging.processing import Processor
from orchestrator.merging.rates import measured
from orchestrator.merging.viewing import foreseen, queue_view
from orchestrator.planning.cost import LARGEST
from orchestrator.states import EntryState
from orchestrator.submitting.locked import LOCKED
from orchestrator.submitting.remote import UNREACHABLE
from orchestrator.submitting.standstill import FROZEN, freeze_of, noted, standstill
from plans.errors import InvalidPlansError

if TYPE_CHECKING:
    from orchestrator.merging.ahead import Ahead
    from orchestrator.merging.checking import Checker
    from orchestrator.merging.planner import QueueView
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry

_OVERWRITTEN = frozenset(
    {
        None,
        "behind",
        "paused",
        FROZEN,
        "order",
        JUMPED,
        "dependency-rejected",
        "target-moved",
        "recovered",
        "interrupted",
        "batch",
        "lanes",
        ALONE,
        LOCKED,
        UNREACHABLE,
    }
)
"""Reasons that say no more than where the entry stands; one that says more (a conflict, a log) stays."""


class Round:
    """What one tenure remembers from round to round: where the target is, and what was tried there."""

    def __init__(self, tenure: Tenure, checker: Checker, ahead: Ahead, *, allow_policy_change: bool) -> None:
        self._tenure = tenure
        self._checker = checker
        self._ahead = ahead
        self._allow_policy_change = allow_policy_change
        self._tip = self._settled_at = self._own = ""
        self._unusable: str | None = None
        self._outside: str | None = None
        self._tried: set[str] = set()
        self._locked = LockedEntries(tenure.bench)
        self._later: set[str] = set()
        self._composition = Composition()
        self._size = 1
        self._estimates = Estimates()
        self._lanes = Lanes(self._estimates)
        self._looks_from = ""
        self.is_busy = False

    def choose(self) -> tuple[Entry, ...]:
        """The entries to process now, together; none where nothing can be. Every other gets why it stays."""
        bench = self._tenure.bench
        tip = bench.target_tip()
        if tip != self._tip:
            self._moved_to(tip)
        if tip != self._settled_at:
            self._refresh(tip)
        self._tried -= self._locked.freed()
        chosen = self._decide()
        if (chosen or self._is_sample_due()) and self._tip_hinders():
            chosen = self._decide()
        if not chosen and not self.is_busy:
            self._ahead.rest()
            self._locked.rest()
        return chosen

    def process(self, unit: tuple[Entry, ...]) -> None:
        """Bring ``unit`` as far as it goes; once a person has dropped an entry there is no more to do."""
        self._ahead.hold()
        self._checker.use(self._tenure.bench)
        if self._tenure.bench.settings.project.check:
            self._estimates.of(self._tenure.bench, unit)  # before its checks, to be held against what comes
        if len(unit) > 1:
            together = Batcher(self._tenure, self._checker, self._look_ahead).process(unit, self._tip)
            if together is not None:
                self._after_batch(together)
                return
        processor = Processor(
            self._tenure,
            self._checker,
            self._look_ahead,
            allow_policy_change=self._allow_policy_change,
            carried=self._lanes.carried(self._tenure.bench, unit[0]),
        )
        with contextlib.suppress(StaleRecordError):
            ended = processor.process(unit[0], self._tip)
            self._ahead.hold()  # the target is another: nothing is to be foreseen from the old one
            self._after(ended)

    def _after_batch(self, ended: Ended) -> None:
        if ended.is_red:
            self._composition.is_red(ended.entries)
        self._composition.is_apart([e.id for e in ended.entries if e.reason.get("code") == ALONE])
        for entry in ended.entries:
            self._note_blocked(entry)
        self._note_landed(ended.entries)

    def _note_blocked(self, ended: Entry) -> None:
        if ended.state is EntryState.BLOCKED:
            self._tried.add(ended.id)
            self._locked.note(ended)

    def _after(self, ended: Entry) -> None:
        self._note_blocked(ended)
        if ended.reason.get("code") in {"no-verdict", MISSING}:
            self._later.add(ended.id)
        if ended.state is not EntryState.LANDED:
            self._composition.is_out(ended.id)
            self._lanes.is_out(ended.id)
        self._note_landed((ended,))

    def _note_landed(self, entries: tuple[Entry, ...]) -> None:
        bench = self._tenure.bench
        landed = [entry for entry in entries if entry.state is EntryState.LANDED]
        self._composition.has_landed([entry.id for entry in landed])
        self._own = noted(bench.store, bench.target, TIP) or "" if landed else ""
        if landed:
            self._lanes.has_landed(bench, landed, self._own)
        remember(self._tenure, self._estimates, entries, self._checker.tally)

    def _look_ahead(self, unit: tuple[Entry, ...]) -> None:
        bench, tip, later = self._tenure.bench, self._tip, frozenset(self._later)
        project = bench.settings.project
        by_stacks = project.queue in BY_STACKS
        if project.checks_at_once > 1 or by_stacks:
            environment = self._checker.environment()
            now = Now(bench, unit, tip, environment, partial(foreseen, bench, unit, tip, later, self._size))
            if by_stacks:
                at_turn = unit[0] if unit else None
                now = replace(now, unit=(), lanes=self._lanes, at_turn=at_turn)
            self._ahead.at(now)

    def _moved_to(self, tip: str) -> None:
        """What was tried in vain may go now; what was foreseen holds if it was our own landing."""
        if tip != self._own:
            self._composition.forget()
            self._lanes.outside(self._tenure.bench, self._tip, tip)
            if not self._lanes.are_at_work:
                self._ahead.rest()
        self._tip = tip
        self._tried.clear()
        self._outside = None
        notice_move(self._tenure, tip)

    def _refresh(self, tip: str) -> None:
        """Take the settings of ``tip``; while they cannot be used nothing lands, and each round looks again.

        A worker's queue is that of one target: when the working copy names another, this one stands still.
        """
        bench = self._tenure.bench
        try:
            fresh = bench.refreshed()
        except InvalidPlansError as error:
            self._unusable = f"the settings at {tip[:12]} cannot be used: {error}"
            return
        if fresh.target != bench.target:
            self._unusable = f"planctl.yaml names another target now: {fresh.settings.project.target}"
            return
        if fresh.settings.project != bench.settings.project:
            self._lanes.renew()
        self._tenure = replace(self._tenure, bench=fresh)
        self._unusable, self._settled_at = None, tip

    def _tip_hinders(self) -> bool:
        """Only now that something wants to land, a tip that came from outside is checked."""
        self._checker.use(self._tenure.bench)
        self._outside = hindrance_of_tip(self._tenure, self._checker, self._tip)
        return self._outside is not None

    def _paused(self) -> str | None:
        bench = self._tenure.bench
        if noted(bench.store, bench.target, UNVERIFIED) != self._tip:
            self._outside = None  # a person said to go on
        return self._unusable or standstill(bench.store, bench.target, self._tip) or self._outside

    def _decide(self) -> tuple[Entry, ...]:
        self.is_busy = False
        lift_remembered(self._tenure, self._tip)
        view = queue_view(self._tenure.bench, self._tip)
        self._later -= {entry.id for entry in view.entries if entry.reason.get("code") == JUMPED}
        view = replace(
            view,
            paused=self._paused(),
            tried=frozenset(self._tried),
            later=frozenset(self._later),
        )
        steps = plan_serial(view)
        first = next((step.entry for step in steps if isinstance(step, Process)), None)
        unit = self._unit(view, first) if first else ()
        at_turn = {entry.id for entry in unit}
        stays = [s for s in steps if isinstance(s, Stay) and s.entry.id not in at_turn]
        if first and self.is_busy:
            stays = [beside_others(stay) for stay in (Stay(first, "behind", ""), *stays)]
        self._store_reasons(view, stays)
        return unit

    def _unit(self, view: QueueView, first: Entry) -> tuple[Entry, ...]:
        """``first``, and those behind it that one check is to cover with it."""
        bench = self._tenure.bench
        project = bench.settings.project
        by_stacks = project.queue in BY_STACKS and project.check
        if project.queue not in TOGETHER and not by_stacks:
            self._size = 1
            return (first,)
        found = (first, *line(view, (first,), LARGEST * project.checks_at_once))
        if by_stacks:
            return self._decided(found)
        outcomes = measured(bench.store, bench.target)
        self._size = unit_size(project, len(found), outcomes)
        return self._composition.unit(found, self._size, outcomes.rates)

    def _decided(self, found: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Who of ``found`` the checks have decided; while there is nobody they are looked after."""
        bench, first = self._tenure.bench, found[0]
        if first.state is not EntryState.QUEUED or first.id in self._later:
            return (first,)
        chosen = self._lanes.next(bench, found)
        if chosen is not None:
            return (chosen,)
        if self._looks_from != self._tip:
            self._checker.use(bench)
            self._looks_from = self._tip
        self._look_ahead(())
        self.is_busy = True
        return ()

    def _is_sample_due(self) -> bool:
        bench = self._tenure.bench
        return noted(bench.store, bench.target, SAMPLED) == self._tip and self._paused() is None

    def _store_reasons(self, view: QueueView, stays: list[Stay]) -> None:
        """Every wait has a stored reason; the same one again is not written, nor what was so a moment ago."""
        fresh = [(stay.entry, why) for stay in stays if (why := _new_reason(stay)) is not None]
        if not fresh:
            return
        store, target = self._tenure.bench.store, self._tenure.bench.target
        with self._tenure.writing():
            if (self._paused(), freeze_of(store, target)) != (view.paused, view.freeze):
                self.is_busy = True  # a person has spoken since: the next round sees what holds now
                return
            for entry, why in fresh:
                # one that moved meanwhile: the next round sees why
                with contextlib.suppress(StaleRecordError):
                    store.update_entry(entry, reason=why)


def _new_reason(stay: Stay) -> dict[str, Any] | None:
    """What is to be stored with an entry that stays, None where that is stored already or says less."""
    entry, code = stay.entry, stay.entry.reason.get("code")
    why = {**entry.reason, "code": stay.code, "detail": stay.detail}
    if code not in _OVERWRITTEN or entry.state is not EntryState.QUEUED or dict(entry.reason) == why:
        return None
    return why
