"""What is left when a store is gone is looked for: references, records, outputs, worktrees. Reads only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling.basing import PHASES
from orchestrator.scheduling.branching import TIPS
from orchestrator.scheduling.freeze import RUNS, frozen_options, thaw
from orchestrator.services.rebuilding.evidence import Evidence, Folder, FrozenRun, Landed
from orchestrator.services.rebuilding.journals import launched, said_by
from orchestrator.slots.keeper import CHECK, PLAN
from orchestrator.submitting.key import CANDIDATES, landed_folder
from orchestrator.submitting.landed import landed_folders
from plans.errors import PlanctlError
from worktrees.branches import branch_commit
from worktrees.pointer import read_pointer
from worktrees.pool import CHECK as CHECK_PREFIX
from worktrees.pool import Pool, pool_folder
from worktrees.slot import is_gone
from worktrees.symbolic import head_of
from worktrees.trailers import KEY_TRAILER, PLAN_TRAILER, RUN_TRAILER, trailers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.workbench import Workbench
    from plans.model import Plan
    from worktrees.pool import SlotTree

_BRANCH: Final = "ref: refs/heads/"


def gather(bench: Workbench) -> Evidence:
    """Look at everything that outlives a store. Raises nothing for what cannot be read: it is named."""
    unreadable: list[str] = []
    runs = tuple(_runs(bench, unreadable))
    folders = tuple(_folders(bench))
    plans = {plan.id: plan for run in runs for plan in run.plans}
    pins = {_split_pin(name): c for name, c in bench.references.list(f"{PHASES}/").items()}
    return Evidence(
        target=bench.target,
        now=bench.clock.now(),
        runs=runs,
        landings=tuple(_landings(bench, unreadable)),
        said=said_by(bench, plans),
        launched=launched(bench.repository.state_dir),
        folders=folders,
        pins=pins,
        owned=_owned(bench, plans.values(), folders),
        unreadable=tuple(unreadable),
    )


def _runs(bench: Workbench, unreadable: list[str]) -> Iterable[FrozenRun]:
    for name, commit in sorted(bench.references.list(f"{RUNS}/").items()):
        try:
            plans, options = thaw(bench, commit), frozen_options(bench, commit)
        except (PlanctlError, ValueError, KeyError) as error:
            unreadable.append(f"{name}: {error}")
            continue
        ids = {str(plan.id): bench.stamp() for plan in plans}
        yield FrozenRun(name.rpartition("/")[2], commit, _time_of(bench, commit), plans, options, ids)


def _landings(bench: Workbench, unreadable: list[str]) -> Iterable[Landed]:
    tip = bench.references.read(bench.target)
    candidates = bench.references.list(f"{CANDIDATES}/")
    found = {
        name.rpartition("/")[2]: (name.removeprefix(f"{folder}/").rpartition("/")[0], commit)
        for folder in reversed(landed_folders(bench))  # of a key that several tell, the landed reference
        for name, commit in bench.references.list(f"{folder}/").items()
    }
    for key, (slug, commit) in found.items():
        try:
            parents = bench.objects.parents(commit) or (commit,)
            trailers = trailers_of(bench.objects.message(commit))
        except PlanctlError as error:
            unreadable.append(f"{slug}/{key}: {error}")
            continue
        own = trailers.get(KEY_TRAILER) == key
        plan = trailers.get(PLAN_TRAILER) if own else None
        yield Landed(
            slug=slug,
            key=key,
            commit=commit,
            old=parents[0],
            head=parents[1] if len(parents) > 1 else commit,
            on_target=tip is not None and bench.objects.is_ancestor(commit, tip),
            candidate=candidates.get(f"{CANDIDATES}/{key}") == commit,
            at=_time_of(bench, commit),
            plan=plan if plan and landed_folder(bench.landed, plan).endswith(f"/{slug}") else None,
            run=trailers.get(RUN_TRAILER) if own else None,
        )


def _time_of(bench: Workbench, commit: str) -> str:
    seconds = bench.objects.commit(commit).committer.time
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _split_pin(name: str) -> tuple[str, str]:
    plan, _, phase = name.removeprefix(f"{PHASES}/").rpartition("/")
    return plan, phase


def _folders(bench: Workbench) -> Iterable[Folder]:
    project = bench.settings.project
    pool = Pool(bench.git, pool_folder(bench.repository, project.worktrees))
    for tree in pool.list():
        text = head_of(tree.git_dir)
        branch = text.removeprefix(_BRANCH) if text.startswith(_BRANCH) else None
        purpose = CHECK if tree.name.startswith(f"{CHECK_PREFIX}-") else PLAN
        plan = None if is_gone(tree) else _pointer(tree)
        tidy = not text.startswith("ref: ") and _is_clean(pool, tree)
        yield Folder(tree.name, str(tree.path), purpose, plan, branch, tidy)


def _pointer(tree: SlotTree) -> str | None:
    try:
        return read_pointer(tree.path)
    except (PlanctlError, OSError):
        return None


def _is_clean(pool: Pool, tree: SlotTree) -> bool:
    try:
        return not is_gone(tree) and not pool.changes(tree)
    except (PlanctlError, OSError):
        return False


def _owned(bench: Workbench, plans: Iterable[Plan], folders: Iterable[Folder]) -> dict[str, tuple[str, str]]:
    """Branches of which all is provably planctl's: what it pinned, or what a worktree of the pool holds."""
    held = {folder.branch for folder in folders if folder.plan is not None}
    known = [*bench.references.list(f"{PHASES}/").items(), *bench.references.list(f"{TIPS}/").items()]
    tip, found = bench.references.read(bench.target), {}
    for plan in plans:
        at = branch_commit(bench.references, plan.branch)
        if at is None or tip is None:
            continue
        pinned = [c for name, c in known if f"/{plan.id}/" in f"{name}/" and bench.objects.has_commit(c)]
        if plan.branch in held or any(bench.objects.is_ancestor(at, c) for c in pinned):
            bases = bench.objects.merge_bases(tip, at)
            if bases:
                found[plan.branch] = (at, bases[0])
    return found
