"""What became of each plan in each run, from what is left: a pure function.

The first that is so, for a plan in a run:

| evidence | the attempt |
| --- | --- |
| a landing of it is on the target, or was and was taken off | ``landed`` |
| a landing of it was cut short | ``queued``; its entry is ``landing``, and the queue's recovery decides |
| ``status.json`` of this run: a state that ends it | that state |
| … work that was handed in, and its head is there | the same, or ``finished`` |
| … at work, and a command was launched | ``running``; what lives is watched, else it runs again |
| a record of a command of this run | the same |
| its worktree stands on its branch, and it has no command | ``prepared`` |
| finished work is pinned, on its branch, and no other run has the plan | ``finished`` |
| a later run has the plan, or this one was made by hand | ``cancelled``: never started again |
| none | ``pending``, after a ``lost`` one where its branch is planctl's own |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.scheduling.basing import FINISHED
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.deferral import Deferral
from orchestrator.services.rebuilding.landings import landing_of
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt

if TYPE_CHECKING:
    from orchestrator.services.rebuilding.evidence import Evidence, Folder, FrozenRun, Landed, Launched, Said
    from plans.model import Plan

_A = AttemptState
_ENDED: Final = frozenset({_A.FAILED, _A.TIMED_OUT, _A.CANCELLED, _A.LOST})
_HANDED_IN: Final = frozenset({_A.FINISHED, _A.QUEUED, _A.CONFLICTED, _A.REJECTED, _A.LANDED})
_UNKNOWN: Final = {"code": "rebuilt", "detail": "the store was lost; what became of it is not known"}


def attempts_of(evidence: Evidence, run: FrozenRun) -> tuple[Attempt, ...]:
    """The attempts of ``run``, one for each plan, or two where the first is lost."""
    return tuple(attempt for plan in run.plans for attempt in _attempts(evidence, run, plan))


def _attempts(evidence: Evidence, run: FrozenRun, plan: Plan) -> tuple[Attempt, ...]:
    fresh = _fresh(run, plan)
    landing = landing_of(evidence, run, plan)
    said = (evidence.said or {}).get(plan.id)
    if said is not None and said.run == run.id:
        fresh = _with(fresh, said)
    else:
        said = None
    if landing is not None:
        return (_landed(fresh, landing),)
    found = (
        (_as_said(evidence, fresh, said) if said else None)
        or _at_work(evidence, fresh)
        or _by_hand(evidence, fresh, plan)
        or _pinned(evidence, fresh, plan)
    )
    if found is not None:
        return (found,)
    if _is_newest(evidence, run, plan) and not (run.options or {}).get("by_hand"):
        return _to_start(evidence, fresh)
    return (replace(fresh, state=_A.CANCELLED, reason=_UNKNOWN, finished_at=evidence.now),)


def _fresh(run: FrozenRun, plan: Plan) -> Attempt:
    return Attempt(
        id=run.ids[plan.id],
        run=run.id,
        plan=plan.id,
        number=1,
        digest=plan.digest,
        priority=plan.priority,
        branch=plan.branch,
        created_at=run.at,
    )


def _with(attempt: Attempt, said: Said) -> Attempt:
    return replace(
        attempt,
        id=said.attempt,
        number=said.number,
        base=said.base,
        head=said.head,
        stacked_on=said.stacked_on,
        worktree=said.worktree,
        exit_code=said.exit_code,
        drift=said.drift,
        started_at=said.started_at,
        finished_at=said.finished_at,
    )


def _landed(attempt: Attempt, landing: Landed) -> Attempt:
    known = replace(
        attempt, entry=landing.key, head=landing.head, base=attempt.base or landing.old, reason={}
    )
    if not landing.on_target and landing.candidate:
        return replace(known, state=_A.QUEUED)
    at = attempt.finished_at or landing.at
    return replace(known, state=_A.LANDED, landed_commit=landing.commit, finished_at=at)


def _as_said(evidence: Evidence, attempt: Attempt, said: Said) -> Attempt | None:
    state = AttemptState(said.state)
    if state in _ENDED:
        counted = state is not _A.LOST
        return replace(
            attempt,
            state=state,
            reason=said.reason,
            counted=counted,
            finished_at=said.finished_at or evidence.now,
        )
    if state in _HANDED_IN and attempt.head and attempt.base:
        kept = state if state in (_A.QUEUED, _A.CONFLICTED, _A.REJECTED) else _A.FINISHED
        return replace(attempt, state=kept, reason=said.reason if kept is state else {})
    if state is _A.PREPARED and attempt.worktree and attempt.base:
        return replace(attempt, state=_A.PREPARED, reason=said.reason)
    if state in (_A.PREPARING, _A.RUNNING, _A.DEFERRED):
        return _at_work(evidence, attempt) or replace(attempt, state=_A.PREPARING)
    return None


def _at_work(evidence: Evidence, attempt: Attempt) -> Attempt | None:
    """With the last command that was launched for it, whether that lives or not."""
    own = [c for c in evidence.launched if (c.run, c.plan) == (attempt.run, attempt.plan)]
    numbered = [(c.attempt, c.stage, c) for c in own if c.stage is not None and c.base]
    if not numbered:
        return None
    name, _, last = max(numbered, key=lambda found: found[:2])
    if last.cwd is None:
        return None  # without its worktree it could not be finished
    if name == attempt.id:
        base = attempt.base or last.base
        return replace(
            attempt,
            state=_A.RUNNING,
            supervisor=last.name,
            base=base,
            worktree=last.cwd,
            deferral=_deferral(last, evidence.now),
        )
    if attempt.started_at is not None and name < attempt.id:
        return None  # of an attempt before the one that status.json speaks of
    return replace(
        attempt,
        id=name,
        number=attempt.number + (attempt.started_at is not None),
        state=_A.RUNNING,
        supervisor=last.name,
        base=last.base,
        head=None,
        worktree=last.cwd,
        started_at=evidence.now,
        finished_at=None,
        deferral=_deferral(last, evidence.now),
    )


def _deferral(last: Launched, now: str) -> dict[str, Any]:
    """How often the stage was deferred, by the name of its command: the next one has another name."""
    number, again = last.stage or (0, 0)
    if not again:
        return {}
    return Deferral(number, again, seconds=0, total=0, until=now, uptime=0, boot="", line="").stored()


def _by_hand(evidence: Evidence, attempt: Attempt, plan: Plan) -> Attempt | None:
    folder = _standing(evidence, plan)
    if folder is None or stages(plan):
        return None
    _, base = (evidence.owned or {}).get(plan.branch, (None, None))
    if base is None:
        return None
    why = {"code": "prepared", "detail": f"work in it, commit, then `planctl queue add {plan.id}`"}
    return replace(attempt, state=_A.PREPARED, reason=why, worktree=folder.path, base=base)


def _standing(evidence: Evidence, plan: Plan) -> Folder | None:
    return next((f for f in evidence.folders if f.plan == plan.id and f.branch == plan.branch), None)


def _pinned(evidence: Evidence, attempt: Attempt, plan: Plan) -> Attempt | None:
    """Stacked work is left out: what it was stacked on is not known, so it could not be merged rightly."""
    pin = (evidence.pins or {}).get((plan.id, FINISHED))
    tip, base = (evidence.owned or {}).get(plan.branch, (None, None))
    runs = [run for run in evidence.runs if plan.id in {p.id for p in run.plans}]
    if pin is None or pin != tip or len(runs) > 1 or any(d.is_stacked for d in plan.dependencies):
        return None
    if any(landing.plan == plan.id and landing.head == pin for landing in evidence.landings):
        return None
    folder = _standing(evidence, plan)
    worktree = folder.path if folder else None
    return replace(
        attempt, state=_A.FINISHED, head=pin, base=base, worktree=worktree, finished_at=evidence.now
    )


def _is_newest(evidence: Evidence, run: FrozenRun, plan: Plan) -> bool:
    having = [other.id for other in evidence.runs if plan.id in {p.id for p in other.plans}]
    return run.id == max(having)


def _to_start(evidence: Evidence, fresh: Attempt) -> tuple[Attempt, ...]:
    owned = (evidence.owned or {}).get(fresh.branch)
    if owned is None:
        return (replace(fresh, reason={}),)
    tip, base = owned
    lost: dict[str, Any] = {"reason": _UNKNOWN, "counted": False, "finished_at": evidence.now}
    earlier = replace(fresh, id=f"{fresh.id}-lost", state=_A.LOST, head=tip, base=base, **lost)
    return earlier, replace(fresh, number=fresh.number + 1)
