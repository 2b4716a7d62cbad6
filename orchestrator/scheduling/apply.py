"""Carry out decisions on the store: guarded moves and events. What takes long is done by the loop's pool.

All moves of one round happen in the transaction in which the view was read, so two runs beside each other
never start plans that exclude each other.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, assert_never

from orchestrator.events import EventName
from orchestrator.scheduling.decide import Again, End, Enqueue, ReportLanded, Skip, Start, Wait
from orchestrator.scheduling.reasons import Code, sentence
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt, Message
from orchestrator.submitting.submit import Work, submit
from plans.holding import holds_of

if TYPE_CHECKING:
    from orchestrator.scheduling.decide import Decision
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.scheduling.view import View
    from orchestrator.workbench import Workbench
    from plans.ids import PlanId


def apply(bench: Workbench, view: View, decision: Decision) -> Attempt | None:
    """Make the moves of one decision; return the attempt that is to be started, if it is a start."""
    match decision:
        case Start(plan):
            return _start(bench, view, plan)
        case Wait(plan, why):
            _wait(bench, view.attempts[plan], why)
        case Skip(plan, why):
            _skip(bench, view.attempts[plan], why)
        case ReportLanded(plan, commit):
            _report_landed(bench, view.attempts[plan], commit)
        case Again(plan, counted):
            _again(bench, view.attempts[plan], counted=counted)
        case Enqueue(plan):
            _enqueue(bench, view, plan)
        case End():
            pass
        case _ as never:
            assert_never(never)
    return None


def _start(bench: Workbench, view: View, plan: PlanId) -> Attempt:
    attempt, now = view.attempts[plan], bench.clock.now()
    holds = tuple(asdict(hold) for hold in holds_of(view.plan(plan)))
    began = attempt.started_at if attempt.state is AttemptState.DEFERRED else now
    moved = bench.store.move_attempt(
        attempt, AttemptState.PREPARING, reason={}, started_at=began, holds=holds
    )
    bench.store.emit(EventName.PLAN_PREPARING, at=now, run=attempt.run, plan=plan, attempt=attempt.id)
    return moved


def _wait(bench: Workbench, attempt: Attempt, why: Reason) -> None:
    """Store the reason once; the same reason again changes nothing. Whose reservation it is hears of it."""
    if dict(attempt.reason) == why:
        return
    if attempt.state is AttemptState.PENDING:
        bench.store.move_attempt(attempt, AttemptState.WAITING, reason=why)
    else:
        bench.store.update_attempt(attempt, reason=why)
    bench.store.emit(
        EventName.PLAN_WAITING,
        at=bench.clock.now(),
        run=attempt.run,
        plan=attempt.plan,
        reason=why,
        text=sentence(why),
    )
    if why["code"] == Code.RESERVED:
        told = f"plan {attempt.plan} of run {attempt.run} waits for {why['pattern']}, which you have reserved"
        bench.store.add_message(Message(bench.clock.now(), "planctl", why["session"], told))


def _skip(bench: Workbench, attempt: Attempt, why: Reason) -> None:
    now = bench.clock.now()
    bench.store.move_attempt(attempt, AttemptState.CANCELLED, reason=why, finished_at=now)
    bench.store.emit(
        EventName.PLAN_SKIPPED, at=now, run=attempt.run, plan=attempt.plan, reason=why, text=sentence(why)
    )


def _enqueue(bench: Workbench, view: View, plan: PlanId) -> None:
    """Stacked work lands after what it is stacked on, merged with its own base as the merge base."""
    attempt, source = view.attempts[plan], view.plan(plan)
    assert attempt.head is not None
    assert attempt.base is not None
    work = Work(
        target=bench.target,
        branch=attempt.branch,
        head=attempt.head,
        base=attempt.base,
        plan=plan,
        explicit_base=bool(attempt.stacked_on),
        after=tuple(d.plan for d in source.dependencies if d.is_stacked),
        check=source.check,
        reads=source.manifest.read.texts if source.manifest else (),
        priority=source.priority,
    )
    submit(bench, work, attempt)


def _report_landed(bench: Workbench, attempt: Attempt, commit: str) -> None:
    now = bench.clock.now()
    bench.store.move_attempt(
        attempt, AttemptState.LANDED, landed_commit=commit, reason={"code": "unchanged"}, finished_at=now
    )
    bench.store.emit(
        EventName.PLAN_LANDED, at=now, run=attempt.run, plan=attempt.plan, commit=commit, unchanged=True
    )


def _again(bench: Workbench, attempt: Attempt, *, counted: bool) -> None:
    now = bench.clock.now()
    bench.store.add_attempt(
        Attempt(
            id=bench.stamp(),
            run=attempt.run,
            plan=attempt.plan,
            number=attempt.number + 1,
            digest=attempt.digest,
            priority=attempt.priority,
            branch=attempt.branch,
            created_at=now,
        )
    )
    why = "retry" if counted else "lost"
    bench.store.emit(
        EventName.PLAN_RETRY, at=now, run=attempt.run, plan=attempt.plan, number=attempt.number + 1, why=why
    )
