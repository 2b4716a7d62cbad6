"""Go on with a run that was interrupted: by a signal, a lost terminal, a killed planctl, a power cut."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import BusyError, NothingToDoError, StaleRecordError, UsageError
from orchestrator.events import EventName
from orchestrator.scheduling.adopt import adopt_attempts
from orchestrator.scheduling.declared import folding, hot_files
from orchestrator.scheduling.freeze import thaw_run
from orchestrator.services.begin import Outlook, options_of
from orchestrator.services.conductors import conductor_of
from orchestrator.services.ground import Ground
from orchestrator.states import RunState
from plans.project import OverlapMode
from worktrees.mirror import remote_of, shown_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.settings import Settings
    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench


def interrupted_run(bench: Workbench, name: str | None) -> RunRecord:
    """The run to go on with: by id (or its beginning), else the newest that is not finished.

    Raises NothingToDoError when there is none, BusyError when a living process conducts it.
    """
    runs = [r for r in bench.store.runs() if name is None or r.id.startswith(name)]
    open_runs = [r for r in runs if r.state is not RunState.FINISHED]
    free = [r for r in open_runs if conductor_of(bench.store, r) is None]
    if free:
        return free[-1]
    if open_runs:
        conductor = conductor_of(bench.store, open_runs[-1])
        assert conductor is not None
        raise BusyError(f"run {open_runs[-1].id}", f"session {conductor.id} (pid {conductor.pid})")
    raise NothingToDoError(f"run {name} is finished" if runs and name else "no run was interrupted")


def with_options(bench: Workbench, run: RunRecord) -> Workbench:
    """``bench`` with the command line's options that ``run`` was begun with over the settings.

    Without them a resumed run would land by the check of ``planctl.yaml`` what was begun with ``--check``.
    Raises UsageError for a run that lands on another remote's target, or on none's.
    """
    remote, check = remote_of(run.target), run.options.get("check")
    if remote != bench.settings.project.remote:
        there = f"with --remote {remote}" if remote else "without a remote"
        raise UsageError(f"run {run.id} lands on {shown_target(run.target)}: go on with it {there}")
    if check is None:
        return bench

    def over(settings: Settings) -> Settings:
        return replace(settings, project=replace(settings.project, check=check))

    return replace(bench, settings=over(bench.settings), reload=lambda: over(bench.reload()))


def take_over(
    bench: Workbench, run: RunRecord, also: Callable[[], None] = lambda: None
) -> tuple[RunRecord, Outlook]:
    """Make ``run`` this session's, and bring its attempts in line with the commands that are at work.

    ``also`` is done in the same transaction. Raises BusyError when another process was faster; not when a
    watchdog has only noted meanwhile that nobody conducts it.
    """
    outlook = look_again(bench, run)
    try:
        with bench.store.transaction():
            taken = _still_free(bench, run)
            if taken.state is RunState.ACTIVE:
                taken = bench.store.move_run(taken, RunState.INTERRUPTED)
            taken = bench.store.move_run(taken, RunState.ACTIVE, session=bench.session, finished_at=None)
            bench.store.emit(EventName.RUN_RESUMED, at=bench.clock.now(), run=run.id)
            also()
    except StaleRecordError as error:
        raise BusyError(f"run {run.id}", "another process that goes on with it") from error
    adopt_attempts(bench, run.id, outlook.graph.plans)
    return taken, outlook


def _still_free(bench: Workbench, run: RunRecord) -> RunRecord:
    """``run`` as it is now, in a transaction; StaleRecordError when another goes on with it, or ended it."""
    now = bench.store.run(run.id)
    was_over = run.state is RunState.FINISHED
    if now is None or conductor_of(bench.store, now) or (now.state is RunState.FINISHED) != was_over:
        raise StaleRecordError("run", run.id)
    return now


def look_again(bench: Workbench, run: RunRecord) -> Outlook:
    """The outlook of a stored run, from its frozen plans and stored options: the same as when it began."""
    from plans.graph import build_graph  # noqa: PLC0415 - networkx costs 200 ms
    from plans.overlap import find_overlaps  # noqa: PLC0415 - with the graph

    options = options_of(run)
    plans, ground = thaw_run(bench, run), _ground_of(bench, run)
    report = find_overlaps(plans, ground.names.files, hot_files(run), folding(run))
    graph = build_graph(plans, report.overlaps, OverlapMode(options.mode))
    return Outlook(ground, plans, report, graph, options)


def _ground_of(bench: Workbench, run: RunRecord) -> Ground:
    """What the run was compared on; nothing of a commit that is gone: a target that was rewritten since."""
    commit = run.options.get("ground")
    return Ground(bench.git, commit if commit and bench.objects.has_commit(commit) else None)
