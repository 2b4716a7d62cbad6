"""What a plan's command left uncommitted when it ended well: committed on the plan's branch, or refused.

Leftovers are changes to tracked files and untracked files that nothing ignores; the plan pointer and files
that were brought along are ignored through git's excludes, so they are never among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from plans.effects import step
from worktrees.archive import park
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import GitRefusedError, LeftoversRefusedError
from worktrees.git import branch_reference
from worktrees.listing import read_listing
from worktrees.markers import has_conflict
from worktrees.nested import find_nested, in_place_of_files
from worktrees.references import References
from worktrees.state import ChangeKind, Condition, WorktreeState, worktree_state
from worktrees.trailers import PLAN_TRAILER, with_trailers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worktrees.git import Git

_STAGED: Final = ("diff", "--cached", "--quiet", "--no-ext-diff", ALL_SUBMODULES)


@dataclass(frozen=True, slots=True)
class Committed:
    """The leftovers are in ``commit``, the tip of the plan's branch now."""

    commit: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """There was nothing to commit; ``commit`` is the tip of the plan's branch."""

    commit: str


@dataclass(frozen=True, slots=True)
class HeadMoved:
    """The command left HEAD somewhere else than on the plan's branch; nothing was committed.

    ``head`` is where HEAD stands (None: no commit yet), ``tip`` the branch's (None: it is gone);
    ``references`` keep both.
    """

    head: str | None
    tip: str | None
    references: tuple[str, ...]


CommitResult: TypeAlias = Committed | NothingLeft | HeadMoved


def leftovers(git: Git, worktree: Path) -> tuple[str, ...]:
    """The paths of the leftovers in ``worktree``, in git's order."""
    return worktree_state(git, worktree).paths


def commit_leftovers(
    git: Git,
    worktree: Path,
    message: str,
    *,
    run_hooks: bool,
    expected_branch: str,
    trailers: Mapping[str, str],
) -> CommitResult:
    """Commit the leftovers on ``expected_branch`` as the user, signed when configured.

    ``trailers`` must have ``Plan-Id``; they end the message. Raises :class:`LeftoversRefusedError` for what
    must not be committed: unmerged paths, conflict markers in files, a merge or the like in progress,
    repositories inside the worktree, and when git (a hook, a filter, the signature) refuses.
    """
    found = find_head(git, worktree, expected_branch, trailers[PLAN_TRAILER])
    if isinstance(found, HeadMoved):
        return found
    tip = found.commit
    state = worktree_state(git, worktree)
    _require_sound(git, worktree, state)
    if not state.changes:
        return found
    _commit(git, worktree, with_trailers(message, trailers.items(), replacing=trailers), run_hooks=run_hooks)
    commit = git.run("rev-parse", "--verify", "HEAD", at=worktree).text
    return Committed(commit, state.paths) if commit != tip else found


def head_of(git: Git, worktree: Path) -> str | None:
    """The commit that HEAD of a worktree stands at, None before the first one."""
    return git.run("rev-parse", "-q", "--verify", "HEAD^{commit}", at=worktree, ok=(0, 1)).text or None


def find_head(git: Git, worktree: Path, expected_branch: str, plan: str) -> NothingLeft | HeadMoved:
    """The tip of the branch; or, if HEAD has left it, both HEAD and tip, pinned for ``plan``."""
    reference = branch_reference(expected_branch)
    head = head_of(git, worktree)
    tip = References(git).read(reference)
    on = git.run("symbolic-ref", "-q", "HEAD", at=worktree, ok=(0, 1)).text
    if on != reference or tip is None:
        pins = [commit for commit in (head, tip) if commit is not None]
        return HeadMoved(head, tip, park(git, plan, pins))
    return NothingLeft(tip)


def _require_sound(git: Git, worktree: Path, state: WorktreeState) -> None:
    unmerged = [change.path for change in state.changes if change.kind is ChangeKind.UNMERGED]
    if unmerged:
        raise LeftoversRefusedError(worktree, "unmerged", f"{unmerged[0]} is not merged", unmerged)
    if state.condition not in {Condition.CLEAN, Condition.DIRTY}:
        raise LeftoversRefusedError(worktree, "operation", f"it is still {state.condition}")
    listing = read_listing(git, worktree)
    nested = find_nested(git, worktree, listing) or in_place_of_files(worktree, listing, state.changes)
    if nested:
        raise LeftoversRefusedError(worktree, "nested", str(nested[0]), [n.path for n in nested])
    marked = [path for path in state.paths if has_conflict(git, worktree, path)]
    if marked:
        reason = f"{marked[0]} has conflict markers"
        raise LeftoversRefusedError(worktree, "conflict-markers", reason, marked)


def _commit(git: Git, worktree: Path, message: str, *, run_hooks: bool) -> None:
    data = message.encode("utf-8", "surrogateescape")
    try:
        with step("leftovers.add"):
            git.run("add", "-A", "--sparse", at=worktree, writes=True)
        if git.run(*_STAGED, at=worktree, ok=(0, 1)).status == 0:
            return  # only line endings differed, or the like: nothing that git would commit
        with step("leftovers.commit"):
            git.run("commit", "-q", "-F", "-", at=worktree, stdin=data, hooks=run_hooks, writes=True)
    except GitRefusedError as error:
        raise LeftoversRefusedError(worktree, "refused", str(error)) from error
