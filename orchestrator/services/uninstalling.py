"""planctl goes from a repository, and the work stays.

The caller keeps everybody else out (``leases.presence``). The order is what makes it safe to be killed at any
step, and harmless to begin again:

1. nothing may be at work: no session, no command of a plan
2. a restore that was cut short and merges prepared for a resolver are taken back, and what a killed landing
   left is finished or undone, as the next worker would do
3. every worktree of the pool is rescued, parked and removed; one whose work cannot be kept whole ends it here
4. files that plans left among their outputs are parked
5. references: commits that nothing else leads to are parked, then all that only planctl needs is deleted
6. the folders of pools, the pointers in the user's checkouts, the hooks, the block in
   ``info/exclude``, what ``sparse:`` has git write into the configuration; planctl itself never writes there
7. the state folder, by the caller, when the session has ended
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NotUninstalledError
from orchestrator.mending.returning import take_all_back
from orchestrator.merging.recovery import recover
from orchestrator.merging.takeover import take_over
from orchestrator.scheduling.branching import ADOPTED, is_own
from orchestrator.services import hooking
from orchestrator.services.clearing import adopt_folder
from orchestrator.services.leftover_outputs import park_outputs
from orchestrator.services.leftover_references import Kept, Partition, partition
from orchestrator.services.restores import require_taken_back
from orchestrator.slots.keeper import SlotKeeper
from orchestrator.slots.removing import Cleared, take_off_disk
from orchestrator.states import IntentState, SlotState
from orchestrator.submitting.checkouts import detached_from
from worktrees.archive import park
from worktrees.branches import branch_commit, holders
from worktrees.dismantle import (
    clear_pointers,
    remove_drafts,
    remove_empty_folders,
    remove_pool_folder,
    unreachable,
)
from worktrees.exclude import forget_excludes
from worktrees.followlock import read_mark
from worktrees.git import branch_reference
from worktrees.pool import Pool
from worktrees.references import Delete
from worktrees.slot import registered
from worktrees.stash import stash_entries
from worktrees.worktreeconfig import restore_config

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_SETTINGS: Final = "planctl.yaml"


@dataclass(frozen=True, slots=True)
class Survey:
    """What would go and what would stay, before anything is done.

    ``slots`` are worktrees that would be rescued and removed; ``left`` lines about things of the user's that
    planctl leaves alone.
    """

    slots: tuple[str, ...]
    folders: tuple[Path, ...]
    references: Partition
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What went, and where the work is that has not landed."""

    removed: tuple[Cleared, ...]
    kept: tuple[Kept, ...]
    dropped: tuple[str, ...]
    left: tuple[str, ...]


def survey(bench: Workbench) -> Survey:
    """Look; changes nothing."""
    rows = [s for s in bench.store.slots() if s.state is not SlotState.REMOVED]
    keeper = SlotKeeper(bench)
    names = {row.name for row in rows} | {tree.name for tree in keeper.pool.list()}
    folders = {keeper.folder, *(Path(slot.path).parent for slot in bench.store.slots())}
    existing = tuple(sorted(folder for folder in folders if folder.is_dir()))
    return Survey(tuple(sorted(names)), existing, _partition(bench), _left(bench))


def dismantle(bench: Workbench, session: SessionHandle) -> Uninstalled:
    """Carry out steps 2 to 6; see the module's text.

    Raises NotUninstalledError, naming what is in the way; what was done until then stays done and loses
    nothing, and beginning again goes on.
    """
    left = _left(bench)
    require_taken_back(bench)
    take_all_back(bench, SlotKeeper(bench))
    _finish_landings(bench, session)
    removed = _remove_slots(bench)
    park_outputs(bench)
    kept, dropped = _drop_references(bench)
    for folder in {SlotKeeper(bench).folder, *(Path(slot.path).parent for slot in bench.store.slots())}:
        if not remove_pool_folder(folder):
            left = (*left, f"{folder} holds files that planctl did not put there")
            if folder.is_relative_to(bench.repository.state_dir):
                raise NotUninstalledError(f"{folder} holds files that planctl did not put there")
    remove_drafts(bench.repository)
    clear_pointers(bench.repository)
    hooking.uninstall_all(bench.repository)
    forget_excludes(bench.repository)
    if not restore_config(bench.git):
        left = (*left, "extensions.worktreeConfig, which another worktree has settings for")
    return Uninstalled(removed, kept, dropped, left)


def _finish_landings(bench: Workbench, session: SessionHandle) -> None:
    marked = any(read_mark(git_dir) for git_dir in _checkouts(bench))
    if not marked and not bench.store.intents({IntentState.OPEN}):
        return
    lease = session.hold(f"queue:{bench.target}", "uninstall")
    try:
        recover(take_over(bench, lease), SlotKeeper(bench))
    finally:
        session.release(lease)


def _checkouts(bench: Workbench) -> Iterable[Path]:
    return (bench.repository.common_dir, *(git_dir for git_dir, _ in registered(bench.repository.common_dir)))


def _remove_slots(bench: Workbench) -> tuple[Cleared, ...]:
    keeper = SlotKeeper(bench)
    for folder in {keeper.folder, *(Path(slot.path).parent for slot in bench.store.slots())}:
        Pool(bench.git, folder).prune()
    known = {slot.name for slot in bench.store.slots() if slot.state is not SlotState.REMOVED}
    for tree in keeper.pool.list():
        if tree.name not in known:
            adopt_folder(bench, keeper, tree.name)
    slots = [slot for slot in bench.store.slots() if slot.state is not SlotState.REMOVED]
    return tuple(take_off_disk(bench, keeper, slot) for slot in slots)


def _drop_references(bench: Workbench) -> tuple[tuple[Kept, ...], tuple[str, ...]]:
    decided = _partition(bench)
    for commit, label in decided.parked.items():
        park(bench.git, label, [commit])
    if decided.parked:
        decided = _partition(bench)
    deletes = [Delete(name, commit) for name, commit in sorted(decided.dropped.items())]
    if deletes:
        bench.references.transact(deletes, message="planctl: uninstall", step="dismantle.references")
    remove_empty_folders(bench.repository)
    return decided.kept, tuple(sorted(decided.dropped))


def _partition(bench: Workbench) -> Partition:
    references = bench.references.list("refs/")

    def loose(commits: Collection[str], staying: Iterable[str]) -> frozenset[str]:
        return unreachable(bench.git, commits, staying)

    return partition(references, _own_branches(bench), stash_entries(bench.git), loose)


def _own_branches(bench: Workbench) -> frozenset[str]:
    """Branches that planctl made for plans and reverts, unless a checkout of the user's stands on them."""
    adopted = {name.rpartition("/")[2] for name in bench.references.list(f"{ADOPTED}/")}
    slots = {slot.path for slot in bench.store.slots()}
    found = set()
    for plan, branch in {(a.plan, a.branch) for a in bench.store.attempts()}:
        commit = branch_commit(bench.references, branch)
        if commit is not None and plan not in adopted and is_own(bench, plan, branch, commit):
            found.add(branch)
    for entry in bench.store.entries():
        if entry.branch.startswith("revert/") and branch_commit(bench.references, entry.branch) == entry.head:
            found.add(entry.branch)
    return frozenset(
        branch_reference(branch)
        for branch in found
        if all(str(worktree) in slots for worktree in holders(bench.git, branch))
    )


def _left(bench: Workbench) -> tuple[str, ...]:
    """What is the user's own: plan files, outputs elsewhere, a checkout that planctl detached."""
    lines = []
    if bench.repository.primary_top and (bench.repository.primary_top / _SETTINGS).exists():
        lines.append(f"{_SETTINGS} and the plan files are yours")
    if bench.settings.project.outputs:
        lines.append(f"outputs of plans in {bench.settings.project.outputs}")
    lines += [f"{hook}, planctl's with changes of yours" for hook in hooking.altered(bench.repository)]
    for git_dir in _checkouts(bench):
        noted = detached_from(bench.store, git_dir)
        if noted is not None:
            branch = noted[0].removeprefix("refs/heads/")
            lines.append(f"the checkout of {git_dir} was taken off {branch}: `git switch {branch}` there")
    return tuple(lines)
