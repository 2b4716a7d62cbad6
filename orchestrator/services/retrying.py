"""Do again what failed. What counts is the newest attempt of a plan in any run.

| it | and it is named, or ``--failed`` asks for all | plans that were passed over because of it |
| --- | --- | --- |
| failed, timed out, lost, stopped | gets a new attempt in its run, from a fresh base (``--continue``: on its old head) | get one too |
| conflicted, rejected, blocked, held | is queued anew at its old age; nothing runs | get one too |
| passed over because of a plan that has landed since | gets a new attempt | get one too |
| deferred (its command met a rate limit) | its hold ends, and it goes on where it was | |
| at work | busy | |
| landed, in the queue, interrupted | is said to be so | |

The run is then gone on with. Its plan files are those that it froze when it began: a plan file that has been
changed since is a new plan, for ``run-multi``.
"""  # noqa: E501 - a table

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, NothingToDoError, UsageError
from orchestrator.scheduling.deferral import Deferral
from orchestrator.scheduling.freeze import thaw
from orchestrator.scheduling.reasons import Code
from orchestrator.services.begin import first_attempt
from orchestrator.services.conductors import conductor_of
from orchestrator.services.enqueue import resubmit
from orchestrator.services.reading import read_catalog
from orchestrator.states import AttemptState, EntryState
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.store.records import Attempt, RunRecord
    from orchestrator.workbench import Workbench
    from plans.model import Plan

_A = AttemptState
_WITH_HEAD: Final = frozenset({_A.CONFLICTED, _A.REJECTED})
_FAILED: Final = _WITH_HEAD | {_A.FAILED, _A.TIMED_OUT, _A.LOST}
_AGAIN: Final = _FAILED | {_A.CANCELLED}
_GIVEN_UP: Final = frozenset({Code.DEPENDENCY_FAILED, Code.DEPENDENCY_REJECTED})
_SUFFIXES: Final = (".md", ".markdown", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Retry:
    """What is to be done again, in which run."""

    run: RunRecord
    attempts: tuple[Attempt, ...]


def end_holds(bench: Workbench, plans: Sequence[str]) -> tuple[str, ...]:
    """End the holds of those of ``plans`` whose run is conducted, which goes on with them; return these.

    Raises StaleRecordError when one has just come to its end.
    """
    ended = []
    for attempt in bench.store.attempts(states={_A.DEFERRED}):
        run = bench.store.run(attempt.run)
        if attempt.plan in plans and run is not None and conductor_of(bench.store, run) is not None:
            end_hold(bench, attempt)
            ended.append(attempt.plan)
    return tuple(ended)


def end_hold(bench: Workbench, attempt: Attempt) -> None:
    """Have a deferred attempt go on as soon as it is looked at, and with it those that wait along."""
    known = Deferral.load(attempt.deferral)
    assert known is not None, "deferred, and not said until when"
    bench.store.update_attempt(attempt, deferral=known.ended().stored())


def choose_failed(bench: Workbench, names: Sequence[str], here: Path) -> Retry:
    """The named plans (ids or paths; without any, all that failed in the newest run with failures).

    Writes nothing. Raises NothingToDoError, UnknownPlanError, BusyError while the run is conducted, and
    UsageError for plans of different runs.
    """
    latest = {a.plan: a for a in bench.store.latest_attempts()}
    wanted = [_require_failed(bench, latest, plan) for plan in _ids(bench, names, here)]
    if not names:
        wanted = _newest_failures(bench, latest)
    runs = sorted({a.run for a in wanted})
    if len(runs) > 1:
        where = ", ".join(f"{a.plan} in run {a.run}" for a in wanted)
        raise UsageError(f"these failed in different runs, which are gone on with one by one: {where}")
    run = bench.store.run(runs[0])
    assert run is not None, "an attempt belongs to a run"
    conductor = conductor_of(bench.store, run)
    if conductor is not None:
        raise BusyError(f"run {run.id}", f"session {conductor.id} (pid {conductor.pid})")
    return Retry(run, (*wanted, *_passed_over(latest, wanted)))


def _ids(bench: Workbench, names: Sequence[str], here: Path) -> list[str]:
    """Ids as they are, paths by the plan that the file holds now."""
    paths = [n for n in names if "/" in n or Path(n).suffix.lower() in _SUFFIXES]
    if not paths:
        return list(dict.fromkeys(names))
    catalog, located = read_catalog(bench, paths, here, None)
    found = {path: str(catalog.require(name).id) for path, name in zip(paths, located, strict=True)}
    return list(dict.fromkeys(found.get(name, name) for name in names))


def _require_failed(bench: Workbench, latest: Mapping[str, Attempt], plan: str) -> Attempt:
    attempt = latest.get(plan)
    if attempt is None:
        raise NothingToDoError(f"no plan {plan!r} has run here")
    if attempt.state in _AGAIN or attempt.state is _A.DEFERRED or _is_stuck(bench, attempt):
        return attempt
    along = attempt.reason.get("plan") if attempt.reason.get("code") == Code.RATE_LIMIT else None
    if along and attempt.state is _A.WAITING:
        raise NothingToDoError(f"{plan} waits along with {along}: `planctl retry {along}` ends that hold")
    run = bench.store.run(attempt.run)
    conductor = conductor_of(bench.store, run) if run else None
    if conductor is not None and attempt.state is not _A.LANDED:
        raise BusyError(plan, f"run {attempt.run}, session {conductor.id} (pid {conductor.pid})")
    raise NothingToDoError(f"{plan} has not failed: it is {attempt.state} in run {attempt.run}")


def _is_stuck(bench: Workbench, attempt: Attempt) -> bool:
    """Whether its entry waits for a person: blocked by a checkout or a lock, or held."""
    entry = bench.store.entry(attempt.entry or "") if attempt.state is _A.QUEUED else None
    return entry is not None and entry.state in (EntryState.BLOCKED, EntryState.HELD)


def _newest_failures(bench: Workbench, latest: Mapping[str, Attempt]) -> list[Attempt]:
    for run in reversed(bench.store.runs()):
        mine = [latest[p] for p in run.plans if p in latest and latest[p].run == run.id]
        failed = [a for a in mine if a.state in _FAILED or _is_stuck(bench, a) or _may_go_now(latest, a)]
        if failed:
            return failed
    raise NothingToDoError("nothing has failed")


def _may_go_now(latest: Mapping[str, Attempt], attempt: Attempt) -> bool:
    """Whether it was given up because of a plan that has landed after all: nothing hinders it any more."""
    if attempt.state is not _A.CANCELLED or attempt.reason.get("code") not in _GIVEN_UP:
        return False
    needed = latest.get(attempt.reason.get("plan", ""))
    return needed is not None and needed.state is _A.LANDED


def _passed_over(latest: Mapping[str, Attempt], wanted: Sequence[Attempt]) -> list[Attempt]:
    """Plans of the same run that were given up because of these, or because of such a plan in turn."""
    chosen = {a.plan for a in wanted}
    waiting = [a for a in latest.values() if a.run == wanted[0].run and a.state is _A.CANCELLED]
    found: list[Attempt] = []
    while more := [a for a in waiting if a.plan not in chosen and a.reason.get("plan") in chosen]:
        chosen |= {a.plan for a in more}
        found += more
    return found


def renew(bench: Workbench, retry: Retry, *, continue_: bool) -> None:
    """Make the new attempts and queue the others anew, in the caller's transaction.

    Raises StaleRecordError when another process was faster.
    """
    plans = {plan.id: plan for plan in thaw(bench, retry.run.frozen)}
    for attempt in retry.attempts:
        if attempt.state is _A.DEFERRED:
            end_hold(bench, attempt)
        elif attempt.state in _WITH_HEAD or attempt.state is _A.QUEUED:
            resubmit(bench, attempt)
        else:
            _renew(bench, attempt, plans[PlanId(attempt.plan)], continue_=continue_)


def _renew(bench: Workbench, attempt: Attempt, plan: Plan, *, continue_: bool) -> None:
    fresh = first_attempt(bench, plan, attempt.run, attempt.number + 1)
    head = bench.references.read(f"refs/heads/{attempt.branch}") if continue_ and attempt.base else None
    if head is not None:
        fresh = replace(fresh, base=attempt.base, stacked_on=attempt.stacked_on, head=head)
    bench.store.add_attempt(fresh)
