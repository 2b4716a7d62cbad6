"""``doctor --orphans``: worktrees and branches of earlier tools with which nothing would be lost."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.running.platforms import processes_in
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.states import OPEN_ENTRIES
from worktrees import abandoned
from worktrees.archive import delete_branch
from worktrees.branches import holders
from worktrees.damage import logged
from worktrees.errors import GitRefusedError

if TYPE_CHECKING:
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench
    from worktrees.git import Git
    from worktrees.slot import SlotTree

_HEADS = "refs/heads/"
_LABEL = "orphans"


def examine_worktrees(ward: Ward) -> Examined:
    """Those whose path, from the main checkout's top, is like one of ``orphans: {worktrees: …}``."""
    found = [tree for tree in abandoned.of_others(ward.git, ward.pool.folder) if _is_meant(ward, tree)]
    return Examined(
        "orphaned worktrees",
        f"{len(found)} match `orphans:`",
        tuple(issue for tree in found if (issue := _tree_issue(ward, tree))),
    )


def _is_meant(ward: Ward, tree: SlotTree) -> bool:
    top = ward.repository.primary_top
    if top is None or not tree.path.is_relative_to(top):
        return False
    below = tree.path.relative_to(top).as_posix()
    return any(fnmatchcase(below, pattern) for pattern in ward.project.orphans_worktrees)


def _tree_issue(ward: Ward, tree: SlotTree) -> Issue | None:
    if ward.seconds() - abandoned.last_used(tree) < ward.project.orphans_older_than:
        return None
    if pids := processes_in(str(tree.path.resolve())):
        detail = f"process {pids[0]} works in it"
    else:
        detail = abandoned.what_it_holds(ward.git, tree)
    if detail:
        return Issue("orphan-kept", Gravity.HINT, str(tree.path), detail)
    detail = "everything in it is committed, and a reference leads to it"
    return Issue("orphan-worktree", Gravity.WARNING, str(tree.path), detail, partial(_remove, tree=tree))


def _remove(bench: Workbench, _session: SessionHandle, tree: SlotTree) -> None:
    if (tree.path / ".git").exists() and not processes_in(str(tree.path.resolve())):
        if abandoned.what_it_holds(bench.git, tree):
            return
        abandoned.remove(bench.git, tree)


def examine_branches(ward: Ward) -> Examined:
    """Those like one of ``orphans: {branches: …}`` that no attempt and no open entry is about."""
    store = ward.store
    ours = {a.branch for a in store.latest_attempts()}
    ours |= {e.branch for e in store.entries() if e.state in OPEN_ENTRIES}
    names = {n.removeprefix(_HEADS): c for n, c in ward.references.list(_HEADS).items() if n != ward.target}
    meant = {
        name: commit
        for name, commit in names.items()
        if name not in ours and any(fnmatchcase(name, p) for p in ward.project.orphans_branches)
    }
    issues = [_branch_issue(ward, name, commit) for name, commit in sorted(meant.items())]
    return Examined("orphaned branches", f"{len(meant)} match `orphans:`", tuple(issues))


def _branch_issue(ward: Ward, name: str, commit: str) -> Issue:
    tip = ward.references.read(ward.target)
    if tip is None or not ward.objects.is_ancestor(commit, tip):
        return Issue("orphan-kept", Gravity.HINT, name, "it has commits that the target does not contain")
    if at := holders(ward.git, name):
        return Issue("orphan-kept", Gravity.HINT, name, f"it is checked out at {at[0]}")
    if lost := _is_only_in_its_log(ward.git, name):
        detail = f"its log names commit {lost[:12]}, which no reference leads to"
        return Issue("orphan-kept", Gravity.HINT, name, detail)
    cure = partial(_delete, name=name, commit=commit)
    return Issue("orphan-branch", Gravity.WARNING, name, "the target contains all of it", cure)


def _is_only_in_its_log(git: Git, name: str) -> str:
    """A commit that goes with the branch, since its log goes with it (what was reset or amended away)."""
    try:
        return abandoned.only_logged(git, logged(git.repository, f"{_HEADS}{name}"))
    except GitRefusedError:  # one is not here any more: which it is does not matter
        return "unknown"


def _delete(bench: Workbench, _session: SessionHandle, name: str, commit: str) -> None:
    """Should the target not contain it any more, it is parked first."""
    if bench.references.read(f"{_HEADS}{name}") == commit and not _is_only_in_its_log(bench.git, name):
        delete_branch(bench.git, _LABEL, name, commit, [bench.target])
