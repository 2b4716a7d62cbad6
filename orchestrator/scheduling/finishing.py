"""From a command that has ended to finished work, or to a failure that lost nothing.

Exit 0:

1. leftovers are committed on the plan's branch, with the plan's trailers
2. the head is pinned (for a phase, or as the plan's whole work)
3. a further stage is launched, if there is one
4. what really changed is compared with the manifest; drift is recorded, and refused where ``enforce`` says so
5. ``finished``: the next round of the loop queues it

A command that asked to be run again later is deferred: its stage will be run again in the same worktree.

Anything else: a snapshot of what is uncommitted goes to the rescue references, the worktree stays as it is,
and the attempt ends with the reason.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StoreUnusableError
from orchestrator.events import EventName
from orchestrator.running.spec import Outcome
from orchestrator.running.supervision import stop_tree, stop_wish
from orchestrator.scheduling.basing import FINISHED, PHASES
from orchestrator.scheduling.branching import note_tip
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.deferring import asked, defer
from orchestrator.scheduling.drift import Drift, Means, find_drift
from orchestrator.scheduling.launching import StageLauncher, stage_number
from orchestrator.slots.lastsave import save_last
from orchestrator.slots.unlocking import unlock
from orchestrator.states import ACTIVE_ATTEMPTS, AttemptState
from orchestrator.store.records import PhaseDone
from plans.errors import PlanctlError
from plans.ids import PlanId
from plans.project import HookPolicy
from worktrees.candidate import Work
from worktrees.changes import own_changes
from worktrees.durable import sync_work
from worktrees.errors import LeftoversRefusedError
from worktrees.leftovers import CommitResult, HeadMoved, commit_leftovers, find_head
from worktrees.references import Create, Update
from worktrees.trailers import PLAN_TRAILER, RUN_TRAILER

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.running.spec import Ended, Supervised
    from orchestrator.scheduling.observe import Observer
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan


class Finisher:
    """Ends attempts of one run, each in a thread of the loop's pool."""

    def __init__(
        self,
        bench: Workbench,
        launcher: StageLauncher,
        observer: Observer,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """``look`` looks at the main checkout, where a plan may have written, before its command is over."""
        self._look = look
        self._bench = bench
        self._launcher = launcher
        self._observer = observer

    def finish(self, attempt: Attempt, plan: Plan, handle: Supervised | None, ended: Ended) -> None:
        """Take a running ``attempt`` whose command has ended to its next state."""
        try:
            if not is_deleted(attempt):
                unlock(self._bench, Path(attempt.worktree or ""))
            if ended.succeeded and is_deleted(attempt):
                gone = {"code": "worktree-deleted", "detail": "its worktree was deleted"}
                self._fail(attempt, gone | save_last(self._bench, attempt.id), exit_code=ended.exit_code)
            elif ended.succeeded:
                self._succeeded(attempt, plan)
            else:
                self._ended_badly(attempt, plan, handle, ended)
        except InterruptedError:  # the run is stopped while a further stage waits for its resources
            self.interrupted(self._stored(attempt))
        except LeftoversRefusedError as error:
            why = {"code": error.code, "detail": str(error), "paths": list(error.paths)}
            self._fail(attempt, why | save_last(self._bench, attempt.id))
        except StoreUnusableError:
            raise  # whether its last write holds is not known: whoever goes on with the run looks
        except (PlanctlError, OSError) as error:
            why = {"code": "finishing", "detail": str(error)}
            self._fail(self._stored(attempt), why | save_last(self._bench, attempt.id))

    def interrupted(self, attempt: Attempt) -> None:
        """End an attempt whose command was stopped because the whole run was: not counted, run again."""
        why = {"code": "interrupted", "detail": "the run was interrupted"}
        self._lost(attempt, why | save_last(self._bench, attempt.id))

    def _stored(self, attempt: Attempt) -> Attempt:
        """The attempt as it is now: a further stage writes to it before it is launched."""
        current = self._bench.store.attempt(attempt.id)
        assert current is not None
        return current

    def _succeeded(self, attempt: Attempt, plan: Plan) -> None:
        head = self._commit(attempt, plan)
        if head is None:
            return
        sync_work(self._bench.git, self._bench.objects, attempt.branch, head, attempt.base or head)
        chain, number = stages(plan), stage_number(attempt)
        phase = chain[number].phase
        if phase is not None:
            complete_phase(self._bench, attempt, phase, head)
        if number + 1 < len(chain):
            self._launcher.launch(attempt, plan, number + 1)
            return
        drift = self._drift(attempt, plan, head)
        if drift.refused:
            self._fail(attempt, {"code": "drift", "detail": drift.refused, "paths": list(drift.outside)})
            return
        pin(self._bench, f"{PHASES}/{attempt.plan}/{FINISHED}", head)
        self._look()
        self._finished(attempt, head, drift)

    def _commit(self, attempt: Attempt, plan: Plan) -> str | None:
        """Commit what the command left; None when that failed the attempt."""
        message = f"{plan.title or plan.id}\n\nLeft uncommitted by the command of plan '{plan.id}'."
        if self._bench.settings.project.leftovers:
            result = commit_work(self._bench, attempt, message)
        else:
            worktree = Path(attempt.worktree or "")
            result = find_head(self._bench.git, worktree, attempt.branch, attempt.plan)
        if isinstance(result, HeadMoved):
            detail = f"HEAD was left off the branch {attempt.branch}; both are kept"
            self._fail(attempt, {"code": "head-moved", "detail": detail, "kept": list(result.references)})
            return None
        return result.commit

    def _drift(self, attempt: Attempt, plan: Plan, head: str) -> Drift:
        work = Work(head, attempt.base or head, bool(attempt.stacked_on))
        others = self._observer.declared_by_others(PlanId(attempt.plan), ACTIVE_ATTEMPTS)
        changed = own_changes(self._bench.objects, work)
        settings = self._bench.settings
        means = Means(settings.project.hot_files, settings.folding)
        drift = find_drift(plan, changed, others, settings.project.enforce, means)
        if drift.outside or drift.collisions:
            self._bench.store.emit(
                EventName.PLAN_DRIFT,
                at=self._bench.clock.now(),
                run=attempt.run,
                plan=attempt.plan,
                paths=list(drift.outside),
                collisions=[list(hit) for hit in drift.collisions],
            )
        return drift

    def _finished(self, attempt: Attempt, head: str, drift: Drift) -> None:
        store, now = self._bench.store, self._bench.clock.now()
        changes = {"head": head, "exit_code": 0, "drift": drift.outside, "reason": {}, "finished_at": now}
        with store.transaction():
            store.move_attempt(attempt, AttemptState.FINISHED, **changes)
            store.emit(
                EventName.PLAN_FINISHED,
                at=now,
                run=attempt.run,
                plan=attempt.plan,
                head=head,
                base=attempt.base,
            )

    def _ended_badly(self, attempt: Attempt, plan: Plan, handle: Supervised | None, ended: Ended) -> None:
        if ended.outcome is Outcome.LOST and handle is not None:
            stop_tree(handle)
        asks = None if is_deleted(attempt) else asked(self._bench, attempt, plan, ended)
        if asks:
            self._look()
        refused = defer(self._bench, attempt, asks) if asks else None
        if asks and refused is None:
            return
        state, why = _ending(ended, stop_wish(handle) if handle else None)
        why |= refused or {}
        why |= save_last(self._bench, attempt.id)
        if state is AttemptState.LOST:
            self._lost(attempt, why)
        else:
            self._fail(attempt, why, state, ended.exit_code)

    def _lost(self, attempt: Attempt, why: dict[str, Any]) -> None:
        store, now = self._bench.store, self._bench.clock.now()
        note_tip(self._bench, attempt)
        with store.transaction():
            store.move_attempt(attempt, AttemptState.LOST, reason=why, finished_at=now, counted=False)
            store.emit(EventName.PLAN_LOST, at=now, run=attempt.run, plan=attempt.plan, reason=why)

    def _fail(
        self,
        attempt: Attempt,
        why: dict[str, Any],
        state: AttemptState = AttemptState.FAILED,
        exit_code: int | None = None,
    ) -> None:
        store, now = self._bench.store, self._bench.clock.now()
        note_tip(self._bench, attempt)
        name = EventName.PLAN_CANCELLED if state is AttemptState.CANCELLED else EventName.PLAN_FAILED
        with store.transaction():
            store.move_attempt(attempt, state, reason=why, exit_code=exit_code, finished_at=now)
            store.emit(name, at=now, run=attempt.run, plan=attempt.plan, reason=why, state=str(state))


def _ending(ended: Ended, wish: bool | None) -> tuple[AttemptState, dict[str, Any]]:  # noqa: FBT001 - a value
    """What an end that was no success makes of the attempt, and why; ``wish`` as ``stop_wish`` says."""
    match ended.outcome:
        case Outcome.TIMED_OUT:
            return AttemptState.TIMED_OUT, {"code": "timeout", "detail": f"ended after {ended.seconds:.0f} s"}
        case Outcome.STOPPED | Outcome.PARENT_DIED:
            return _stopped(ended.outcome, wish)
        case Outcome.LOST:
            return AttemptState.LOST, {
                "code": "lost",
                "detail": "its supervisor died; how it ended is unknown",
            }
        case _ if ended.signal is not None:
            return AttemptState.FAILED, {"code": "signal", "detail": f"ended by signal {ended.signal}"}
        case _:
            return AttemptState.FAILED, {"code": "exit-code", "detail": f"exit {ended.exit_code}"}


def _stopped(outcome: Outcome, wish: bool | None) -> tuple[AttemptState, dict[str, Any]]:  # noqa: FBT001 - as above
    """Only a command that was stopped for good is cancelled; see :func:`_ending`.

    One that planctl stopped because it ended itself runs again, and so does one whose supervisor was ended
    from outside (the machine is shut down), though not for ever: something may be ending it each time.
    """
    if outcome is Outcome.STOPPED and wish:
        return AttemptState.CANCELLED, {"code": "stopped", "detail": "its command was stopped"}
    if outcome is Outcome.STOPPED and wish is None:
        return AttemptState.LOST, {"code": "lost", "detail": "its supervisor was ended from outside"}
    return AttemptState.LOST, {"code": "interrupted", "detail": "its command was interrupted"}


def is_deleted(attempt: Attempt) -> bool:
    """Whether nothing is left of the attempt's worktree, so that what its command left cannot be known."""
    return not os.path.lexists(Path(attempt.worktree or "") / ".git")


def commit_work(bench: Workbench, attempt: Attempt, message: str) -> CommitResult:
    """Commit what is uncommitted in the attempt's worktree on its branch, with the plan's trailers."""
    return commit_leftovers(
        bench.git,
        Path(attempt.worktree or ""),
        message,
        run_hooks=bench.settings.project.hooks is HookPolicy.RUN,
        expected_branch=attempt.branch,
        trailers={PLAN_TRAILER: attempt.plan, RUN_TRAILER: attempt.run},
    )


def complete_phase(bench: Workbench, attempt: Attempt, phase: str, head: str) -> None:
    """Pin ``head`` as the plan's work up to ``phase`` and record the phase as complete."""
    pin(bench, f"{PHASES}/{attempt.plan}/{phase}", head)
    now = bench.clock.now()
    bench.store.complete_phase(PhaseDone(attempt.plan, phase, attempt.id, head, now))
    bench.store.emit(
        EventName.PHASE_COMPLETE, at=now, run=attempt.run, plan=attempt.plan, phase=phase, commit=head
    )


def pin(bench: Workbench, name: str, commit: str) -> None:
    """Have the reference ``name`` keep ``commit``, whatever it kept before."""
    old = bench.references.read(name)
    if old == commit:
        return
    change = Update(name, commit, old) if old else Create(name, commit)
    bench.references.transact([change], message="planctl: pin", step="plan.pin")
