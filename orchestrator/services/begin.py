"""Before anything starts: read, lint, select, compare, draw; then freeze the plans and store the run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ForbiddenOverlapError, UsageError
from orchestrator.events import EventName
from orchestrator.scheduling.declared import declared
from orchestrator.scheduling.freeze import freeze
from orchestrator.scheduling.view import Options
from orchestrator.services.ground import as_compared, ground_of_target
from orchestrator.states import AttemptState
from orchestrator.store.records import Attempt, RunRecord
from plans.errors import InvalidPlansError, Severity
from plans.project import OverlapMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.services.ground import Ground
    from orchestrator.workbench import Workbench
    from plans.catalog import Catalog
    from plans.graph import PlanGraph
    from plans.model import Plan
    from plans.overlap import OverlapReport


@dataclass(frozen=True, slots=True)
class Request:
    """What ``run-multi`` was asked for. ``jobs`` 0: as configured; ``mode`` None: as configured."""

    names: tuple[str, ...] = ()
    every: bool = False
    with_dependencies: bool = False
    jobs: int = 0
    check: str | None = None
    mode: OverlapMode | None = None
    revision: str | None = None
    adopt: bool = False
    again: bool = False
    land: bool = True
    keep_going: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would be run and in which order: decided, and nothing written yet."""

    ground: Ground
    plans: tuple[Plan, ...]
    report: OverlapReport
    graph: PlanGraph
    options: Options


def look_out(bench: Workbench, catalog: Catalog, request: Request, names: Sequence[str]) -> Outlook:
    """Select, compare and draw. Raises InvalidPlansError, CycleError, ForbiddenOverlapError, UsageError."""
    from plans.graph import build_graph  # noqa: PLC0415 - networkx costs 200 ms
    from plans.lint import lint  # noqa: PLC0415 - with the graph
    from plans.overlap import OverlapSeverity, find_overlaps  # noqa: PLC0415 - with the graph

    chosen_plans = _selected(catalog, request, names)
    keep = bool(bench.session)  # a dry run has none, and writes nothing
    ground = ground_of_target(bench.git, bench.settings)
    plans = as_compared(bench.settings, chosen_plans, ground, ground.names, keep=keep)
    chosen = {plan.id for plan in plans}
    problems = lint(catalog, bench.settings.project)
    errors = tuple(p for p in problems if p.severity is Severity.ERROR and p.plan in chosen)
    if errors:
        raise InvalidPlansError(errors)
    report = find_overlaps(
        plans, ground.names.files, bench.settings.project.hot_files, bench.settings.folding
    )
    mode = request.mode or bench.settings.project.overlap
    high = [o for o in report.overlaps if o.severity is OverlapSeverity.HIGH]
    if mode is OverlapMode.FORBID and high:
        raise ForbiddenOverlapError([(o.a, o.b, o.witness) for o in high])
    graph = build_graph(plans, report.overlaps, mode)
    jobs = request.jobs or bench.settings.project.jobs or os.cpu_count() or 1
    return Outlook(ground, plans, report, graph, Options(jobs, mode, request.keep_going, request.land))


def _selected(catalog: Catalog, request: Request, names: Sequence[str]) -> tuple[Plan, ...]:
    if request.every and names:
        raise UsageError("name plans or give --all, not both")
    if not names and not request.every:
        raise UsageError("no plan was named (--all takes every plan)")
    if request.every:
        names = _every(catalog)
    return catalog.select(names, with_dependencies=request.with_dependencies)


def _every(catalog: Catalog) -> tuple[str, ...]:
    """Every plan; a plan file that cannot be used is not passed over in silence, it refuses the run."""
    errors = tuple(p for p in catalog.problems if p.severity is Severity.ERROR)
    if errors:
        raise InvalidPlansError(errors)
    if not catalog.plans:
        raise UsageError("there is no plan in the folders of plans")
    return tuple(catalog.plans)


def require_unprepared(bench: Workbench, plans: Sequence[Plan]) -> None:
    """Raise UsageError for a plan whose worktree a person works in: its branch is checked out there."""
    for plan in plans:
        for attempt in bench.store.attempts(plan=plan.id, states={AttemptState.PREPARED}):
            if attempt.worktree and Path(attempt.worktree).exists():
                hand_in = f"`planctl queue add {plan.id}` hands it in"
                raise UsageError(f"{plan.id} is prepared in {attempt.worktree}; {hand_in}")


def store_run(bench: Workbench, outlook: Outlook, request: Request, run: str) -> RunRecord:
    """Freeze the plan files, then store the run with a pending attempt for each plan, in one transaction."""
    options = _stored(request, outlook.options) | declared(outlook.plans, bench.settings)
    options |= outlook.ground.stored()
    frozen = freeze(bench, run, outlook.plans, options)
    now = bench.clock.now()
    record = RunRecord(
        id=run,
        session=bench.session,
        started_at=now,
        frozen=frozen,
        target=bench.target,
        plans=tuple(plan.id for plan in outlook.plans),
        options=options,
    )
    with bench.store.transaction():
        bench.store.add_run(record)
        for plan in outlook.plans:
            bench.store.add_attempt(first_attempt(bench, plan, run))
        bench.store.emit(EventName.RUN_STARTED, at=now, run=run, plans=list(record.plans))
    return record


def first_attempt(bench: Workbench, plan: Plan, run: str, number: int = 1) -> Attempt:
    """A pending attempt of ``plan``."""
    return Attempt(
        id=bench.stamp(),
        run=run,
        plan=plan.id,
        number=number,
        digest=plan.digest,
        priority=plan.priority,
        branch=plan.branch,
        created_at=bench.clock.now(),
    )


def _stored(request: Request, options: Options) -> dict[str, Any]:
    """The options as JSON values, so that ``resume`` goes on as the run began."""
    return {
        "jobs": options.jobs,
        "mode": str(options.mode),
        "keep_going": options.keep_going,
        "land": options.land,
        "check": request.check,
        "adopt": request.adopt,
        "again": request.again,
    }


def options_of(run: RunRecord) -> Options:
    """The options that a stored run was begun with."""
    stored = run.options
    return Options(
        jobs=int(stored["jobs"]),
        mode=OverlapMode(stored["mode"]),
        keep_going=bool(stored["keep_going"]),
        land=bool(stored["land"]),
    )
