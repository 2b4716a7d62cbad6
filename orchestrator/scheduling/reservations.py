"""Files that sessions have reserved, and files of plans at work: each keeps the other waiting.

Promised: no plan starts while another session's reservation can name a file that the plan declares to write,
and no session is granted such a reservation while the plan is at work. Each is decided in the transaction
that makes it so, by the exact test of :mod:`plans.intersect`, hot files aside. Not promised: that anybody
keeps to it while working; anything of a plan without a manifest; an order between a plan and sessions that
wait for the same (who looks first has it); and that a command counts whose planctl is dead, until ``resume``.

Nobody waits in a circle. A plan waits before it begins, and has nothing then that a session waits for. A
session waits for plans that get on by themselves: at work, deferred (with half their work done), prepared, or
in the queue behind nobody; not for finished work that lands behind others, since these may be waiting for the
session in turn. What a plan's own command reserves belongs to its attempt, under whose id the plan's files
stand, too: so the wait-for graph of :mod:`orchestrator.leases.line` has both. Its plans do not wait for the
sessions that wait for a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.leases.lease import who
from orchestrator.scheduling.declared import counts, written
from orchestrator.scheduling.reasons import Code, Reason, reason
from orchestrator.states import MOVING_ENTRIES, PLACED_ATTEMPTS, AttemptState
from orchestrator.store.leaserecords import Lease
from orchestrator.store.scopes import FILES, Scope, is_over
from plans.comparing import file_in_common
from plans.hotfiles import without_hot_paths
from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from orchestrator.clock import Clock
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt
    from plans.folding import Folding
    from plans.ids import PlanId
    from plans.intersect import Witness
    from plans.model import Plan

_HOLD: Final = PLACED_ATTEMPTS | {AttemptState.PREPARED, AttemptState.QUEUED}
_STANDS: Final = {AttemptState.QUEUED: "in the queue", AttemptState.DEFERRED: "held by a rate limit"}
_EVERYTHING: Final = PatternSet.parse(["**"])


class ReservedFiles:
    """Asks for plans that have not begun; what was found of two lists of patterns is kept.

    ``speaks`` are the sessions that they would run for, ``hot`` and ``folding`` what names mean there.
    """

    def __init__(self, clock: Clock, speaks: Collection[str], hot: Collection[str], folding: Folding) -> None:
        self._clock = clock
        self._speaks = speaks
        self._hot = hot
        self._folding = folding
        self._known: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Witness | None] = {}

    def in_the_way(self, store: Store, plans: Sequence[Plan]) -> dict[PlanId, Reason]:
        """Of each plan that a live reservation meets, the first granted, as the reason to wait."""
        found: dict[PlanId, Reason] = {}
        for lease in self.live(store):
            attempt = store.attempt(lease.session)
            for plan in plans:
                own = attempt is not None and attempt.plan == plan.id
                met = None if plan.id in found or own else self.met(plan, lease)
                if met is not None:
                    found[plan.id] = _reason(store, lease, met)
        return found

    def live(self, store: Store) -> list[Lease]:
        """The reservations of others that count, the first granted first."""
        now, boot = self._clock.monotonic(), self._clock.boot()
        return [
            lease
            for lease in sorted(store.leases(FILES), key=lambda lease: lease.token)
            if lease.session not in self._speaks
            and lease.scope is not Scope.NONE
            and not is_over(lease, now=now, boot=boot)
        ]

    def met(self, plan: Plan, lease: Lease) -> Witness | None:
        """A file that ``plan`` declares to write and ``lease`` reserves, with the pattern of each."""
        if plan.manifest is None:
            return None
        key = (plan.id, plan.manifest.write.texts, lease.patterns)
        if key not in self._known:
            write = without_hot_paths(plan.manifest.write, self._hot, self._folding)
            reserved = PatternSet.parse(lease.patterns) if lease.patterns else _EVERYTHING
            self._known[key] = file_in_common(self._folding.patterns(write), self._folding.patterns(reserved))
        return self._known[key]


def _reason(store: Store, lease: Lease, met: Witness) -> Reason:
    return reason(
        Code.RESERVED,
        detail=met.path or met.pattern_a,
        session=lease.session,
        holder=who(store, lease.session),
        pattern=met.pattern_b,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a command stands: in the folder ``here``, and in the command of ``attempt``, if it does."""

    here: Path
    attempt: str = ""

    def own(self, store: Store) -> frozenset[str]:
        """The attempts whose files are not held against it: who works in a plan's worktree works on that."""
        inside = {
            attempt.id
            for attempt in store.attempts(states=_HOLD)
            if attempt.worktree is not None and self.here.is_relative_to(attempt.worktree)
        }
        return frozenset({*inside, self.attempt} if self.attempt else inside)


def files_at_work(store: Store, clock: Clock) -> list[Lease]:
    """What plans at work write, as if their attempts had reserved it: without a token, without an end."""
    found = []
    for attempt in store.attempts(states=_HOLD):
        run = store.run(attempt.run)
        if run is None or not _holds(store, clock, attempt):
            continue
        write = written(run, attempt.plan)
        if write.patterns:
            found.append(_as_lease(attempt, write, clock.boot()))
    return found


def _holds(store: Store, clock: Clock, attempt: Attempt) -> bool:
    if attempt.state is AttemptState.QUEUED:
        entry = store.entry(attempt.entry or "")
        return entry is not None and entry.state in MOVING_ENTRIES and not entry.after
    return counts(store, clock, attempt)


def _as_lease(attempt: Attempt, write: PatternSet, boot: str) -> Lease:
    state = _STANDS.get(attempt.state, "at work")
    since = f" since {attempt.started_at}" if attempt.started_at else ""
    return Lease(
        name=FILES,
        session=attempt.id,
        token=0,
        boot=boot,
        expires=float("inf"),
        acquired_at=attempt.started_at or attempt.created_at,
        purpose=f"plan {attempt.plan} of run {attempt.run}, {state}{since}",
        patterns=write.texts,
    )
