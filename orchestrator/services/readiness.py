"""What must be so before a run begins, and its beginning.

1. the plans are read, linted and selected; what overlaps is found, the graph drawn; nothing is written yet
2. identity and signing are tried, branches that stand in the way refuse the run
3. the plan files are frozen, the run and its attempts stored
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.scheduling.branching import require_usable
from orchestrator.services.begin import look_out, require_unprepared, store_run
from orchestrator.services.reading import read_catalog
from worktrees.branches import require_room
from worktrees.errors import PoolFolderError
from worktrees.filters import require_filters
from worktrees.identity import check_identity, trial_signature
from worktrees.pool import pool_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.services.begin import Outlook, Request
    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench


def begin_run(
    bench: Workbench, request: Request, here: Path, check: Callable[[], None] = lambda: None
) -> tuple[RunRecord, Outlook]:
    """Steps 1 to 3. Whatever is wrong with what was asked is raised before anything is written.

    ``check`` is called right before that; it may raise to end it there.
    """
    outlook = read_outlook(bench, request, here)
    require_ready(bench, outlook, request)
    check_identity(bench.git)
    trial_signature(bench.git)
    require_filters(bench.git, bench.objects, bench.target_tip())
    check()
    return store_run(bench, outlook, request, bench.stamp()), outlook


def read_outlook(bench: Workbench, request: Request, here: Path) -> Outlook:
    """Step 1: what would be run and in which order; a target, bases and a pool to work in are there."""
    catalog, names = read_catalog(bench, request.names, here, request.revision)
    outlook = look_out(bench, catalog, request, names)
    bench.target_tip()
    require_pool(bench)
    for plan in outlook.plans:
        if plan.base:
            bench.references.resolve(plan.base)
    return outlook


def require_ready(bench: Workbench, outlook: Outlook, request: Request) -> None:
    """Of step 2 what writes nothing: raise for worktrees and branches in the way of these plans."""
    require_unprepared(bench, outlook.plans)
    require_room(bench.objects, [plan.branch for plan in outlook.plans])
    for plan in outlook.plans:
        require_usable(bench, plan.id, plan.branch, adopt=request.adopt)


def require_pool(bench: Workbench) -> None:
    """Raise PoolFolderError for a configured folder that cannot hold worktrees."""
    project, top = bench.settings.project, bench.repository.primary_top
    folder = pool_folder(bench.repository, project.worktrees)
    if top and any(folder.is_relative_to(top / plans) for plans in project.plans):
        raise PoolFolderError(f"{folder} cannot hold worktrees: plans are read from there")
