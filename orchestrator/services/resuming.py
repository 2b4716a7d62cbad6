"""Go on with a run that was interrupted, or do again what failed in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import BusyError, NothingToDoError
from orchestrator.events import EventName
from orchestrator.scheduling.adopt import adopt_attempts
from orchestrator.scheduling.freeze import thaw
from orchestrator.services.enqueue import resubmit
from orchestrator.services.begin import Outlook, first_attempt, options_of
from orchestrator.sessions.identity import is_alive
from orchestrator.states import AttemptState, RunState, SessionState
from plans.ids import PlanId
from plans.project import OverlapMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Attempt, RunRecord, Session
    from orchestrator.workbench import Workbench
    from plans.model import Plan

_FAILED = frozenset({AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.LOST})
_WITH_HEAD = frozenset({AttemptState.CONFLICTED, AttemptState.REJECTED})
_AGAIN = _FAILED | _WITH_HEAD | {AttemptState.CANCELLED}


def interrupted_run(bench: Workbench, name: str | None) -> RunRecord:
    """The run to go on with: by id (or its beginning), else the newest that is not finished.

    Raises NothingToDoError when there is none, BusyError when a living process conducts it.
    """
    runs = [r for r in bench.store.runs() if name is None or r.id.startswith(name)]
    open_runs = [r for r in runs if r.state is not RunState.FINISHED]
    free = [r for r in open_runs if _conductor(bench, r) is None]
    if free:
        return free[-1]
    if open_runs:
        conductor = _conductor(bench, open_runs[-1])
        assert conductor is not None
        raise BusyError(f"run {open_runs[-1].id}", f"session {conductor.id} (pid {conductor.pid})")
    raise NothingToDoError(f"run {name} is finished" if runs and name else "no run was interrupted")


def _conductor(bench: Workbench, run: RunRecord) -> Session | None:
    """The living session that conducts ``run``, or None; what cannot be proven dead counts as living."""
    session = bench.store.session(run.session)
    if session is None or session.state is SessionState.ENDED or run.state is not RunState.ACTIVE:
        return None
    alive = is_alive(session.pid, session.process_started, session.boot, session.host)
    return session if alive else None


def take_over(bench: Workbench, run: RunRecord) -> tuple[RunRecord, Outlook]:
    """Make ``run`` this session's, and bring its attempts in line with the commands that are at work."""
    outlook = look_again(thaw(bench, run.frozen), run)
    with bench.store.transaction():
        if run.state is RunState.ACTIVE:
            run = bench.store.move_run(run, RunState.INTERRUPTED)
        run = bench.store.move_run(run, RunState.ACTIVE, session=bench.session, finished_at=None)
        bench.store.emit(EventName.RUN_RESUMED, at=bench.clock.now(), run=run.id)
    adopt_attempts(bench, run.id, outlook.graph.plans)
    return run, outlook


def look_again(plans: Sequence[Plan], run: RunRecord) -> Outlook:
    """The outlook of a stored run, from its frozen plans and stored options: the same as when it began."""
    from plans.graph import build_graph  # noqa: PLC0415 - networkx costs 200 ms
    from plans.overlap import find_overlaps  # noqa: PLC0415 - with the graph

    options = options_of(run)
    report = find_overlaps(plans)
    graph = build_graph(plans, report.overlaps, OverlapMode(options.mode))
    return Outlook(tuple(plans), report, graph, options)


def retry_plans(
    bench: Workbench, names: Sequence[str], *, every_failed: bool, continue_: bool
) -> tuple[RunRecord, tuple[str, ...]]:
    """Prepare the newest run in which one of the plans failed for doing them again; return it and them.

    A conflicted or rejected plan is queued anew without running. Any other gets a new attempt, from a fresh
    base, or with ``continue_`` on the head of its old branch. Plans that were passed over because of them
    get one too. The run is then to be resumed. Raises NothingToDoError.
    """
    run, attempts = _last_failures(bench, names, every_failed=every_failed)
    plans = {plan.id: plan for plan in thaw(bench, run.frozen)}
    again = []
    with bench.store.transaction():
        for attempt in attempts:
            if attempt.state in _WITH_HEAD:
                resubmit(bench, attempt)
            else:
                _renew(bench, attempt, plans, continue_=continue_)
            again.append(attempt.plan)
    return run, tuple(again)


def _last_failures(
    bench: Workbench, names: Sequence[str], *, every_failed: bool
) -> tuple[RunRecord, list[Attempt]]:
    wanted = frozenset(names)
    for run in reversed(bench.store.runs()):
        newest = {a.plan: a for a in sorted(bench.store.attempts(run=run.id), key=lambda a: a.number)}
        failed = [a for a in newest.values() if a.state in _AGAIN]
        chosen = [a for a in failed if every_failed or a.plan in wanted]
        if not any(a.state is not AttemptState.CANCELLED or a.plan in wanted for a in chosen):
            continue
        conductor = _conductor(bench, run)
        if conductor is not None:
            raise BusyError(f"run {run.id}", f"session {conductor.id} (pid {conductor.pid})")
        passed_over = {a.plan for a in chosen}
        more = [a for a in failed if a.plan not in passed_over and a.reason.get("plan") in passed_over]
        return run, chosen + more
    raise NothingToDoError("no such plan has failed" if wanted else "nothing has failed")


def _renew(bench: Workbench, attempt: Attempt, plans: dict[PlanId, Plan], *, continue_: bool) -> None:
    fresh = first_attempt(bench, plans[PlanId(attempt.plan)], attempt.run, attempt.number + 1)
    if continue_ and attempt.base:
        head = bench.references.read(f"refs/heads/{attempt.branch}")
        fresh = replace(fresh, base=attempt.base, stacked_on=attempt.stacked_on, head=head)
    bench.store.add_attempt(fresh)
