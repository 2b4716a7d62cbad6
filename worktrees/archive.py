"""Commits that did not land, kept at ``refs/planctl/archive/<plan>/<n>``; branches removed only after that.

Promise: nothing here removes the last name of a commit. Not promised: that a branch stays as it was asked
about; so every deletion names the commit it expects, and git checks it under the reference's lock.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from worktrees.errors import BranchInUseError, ReferenceMovedError
from worktrees.git import branch_reference
from worktrees.objects import Objects
from worktrees.references import Create, Delete, References

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.git import Git

PREFIX: Final = "refs/planctl/archive"


def park(git: Git, plan: str, commits: Sequence[str]) -> tuple[str, ...]:
    """Pin each commit at ``refs/planctl/archive/<plan>/<n>``; return the references in the order given.

    A commit that the plan has parked already keeps its number, so parking again after a crash changes
    nothing. All new ones are pinned in one transaction.
    """
    references = References(git)
    while True:
        known = _parked(references, plan)
        new = [commit for commit in dict.fromkeys(commits) if commit not in known]
        first = 1 + max((_number(name) for name in known.values()), default=0)
        names = {commit: f"{PREFIX}/{plan}/{first + n}" for n, commit in enumerate(new)}
        try:
            if new:
                creates = [Create(name, commit) for commit, name in names.items()]
                references.transact(creates, message=f"planctl: parked for {plan}", step="archive.park")
        except ReferenceMovedError:
            continue  # another planctl took a number meanwhile, so it got on: look again
        return tuple((known | names)[commit] for commit in commits)


def _parked(references: References, plan: str) -> dict[str, str]:
    """Commit to reference of what the plan has parked by number."""
    found = references.list(f"{PREFIX}/{plan}/")
    return {commit: name for name, commit in found.items() if _number(name)}


def _number(name: str) -> int:
    last = name.rpartition("/")[2]
    return int(last) if last.isascii() and last.isdigit() else 0


def is_parked_or_landed(git: Git, commit: str, landed: Sequence[str]) -> bool:
    """Whether ``commit`` is reachable from one of ``landed`` (references or commits) or from the archive.

    ``landed`` is what counts as landed, such as the target's reference; one that does not exist counts for
    nothing. A squashed or rebased branch is not reachable from its target: it must be parked.
    """
    references, objects = References(git), Objects(git.repository)
    for name in landed:
        tip = references.read(name) if name.startswith("refs/") else name
        if tip is not None and objects.is_ancestor(commit, tip):
            return True
    asked = git.run("for-each-ref", "--count=1", f"--contains={commit}", "--", PREFIX)
    return bool(asked.output)


def delete_branch(git: Git, plan: str, branch: str, expected: str, landed: Sequence[str]) -> str | None:
    """Delete ``branch`` at exactly ``expected``, after parking it unless it has landed.

    Returns the archive reference if parking was needed. Raises :class:`ReferenceMovedError` when the branch
    is elsewhere by now, :class:`BranchInUseError` when it is checked out; then it is still there.
    """
    reference = branch_reference(branch)
    if (holder := _holder(git, reference)) is not None:
        raise BranchInUseError(branch, holder)
    parked = None
    if not is_parked_or_landed(git, expected, landed):
        (parked,) = park(git, plan, [expected])
    delete = [Delete(reference, expected)]
    References(git).transact(delete, message="planctl: parked or landed", step="archive.delete")
    return parked


def _holder(git: Git, reference: str) -> Path | None:
    """The worktree that has the branch checked out."""
    worktree = None
    for record in git.run("worktree", "list", "--porcelain", "-z").records:
        key, _, value = record.partition(" ")
        if key == "worktree":
            worktree = Path(value)
        elif key == "branch" and value == reference:
            return worktree
    return None
