"""Lock files that git children of planctl left when they were killed, removed only where that is proven.

Killed inside a transaction, git leaves ``main.lock``, ``epoch.lock`` and the like, without a pid, and every
later landing would fail for ever. Every git child of planctl that writes holds the write lock shared (see
``git.py``); whoever gets it alone knows that none of them lives. What is removed then:

- any lock under ``refs/planctl/`` and in planctl's own desk: nobody else writes there
- the target's lock, if its content is a commit that planctl made and was about to land

Everything else is somebody else's and is only ever reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.followlock import read_mark
from worktrees.git import branch_reference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from worktrees.git import Git

_OF_OBJECTS: Final = ("objects/*.lock", "objects/info/*.lock", "objects/info/commit-graphs/*.lock")


def remove_left_locks(git: Git, landing: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Remove what killed children left and return the names of the lock files.

    ``landing`` maps the full name of a target to the commits that were about to land on it. Nothing is done
    while a git child of any planctl lives, nor where the system has no inheritable locks (Windows).
    """
    removed: list[str] = []
    with git.exclusive_writes() as alone:
        if not alone:
            return ()
        common = git.repository.common_dir
        for lock in (*_own(common, git.desk), *_targets(common, landing)):
            with step("locks.remove"):
                lock.unlink(missing_ok=True)
            removed.append(lock.relative_to(common).as_posix())
    return tuple(sorted(removed))


def remove_branch_lock(git: Git, branch: str, commits: Collection[str]) -> bool:
    """Remove the lock on a branch of planctl's that a killed child left, moving it to one of ``commits``.

    False where it holds something else, or git children of some planctl live.
    """
    return bool(remove_left_locks(git, {branch_reference(branch): commits}))


def own_locks(git: Git) -> tuple[str, ...]:
    """Lock files that are planctl's; somebody living may hold them."""
    common = git.repository.common_dir
    return tuple(sorted(lock.relative_to(common).as_posix() for lock in _own(common, git.desk)))


def left_locks(git: Git, landing: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """What :func:`remove_left_locks` would remove now; nothing is changed."""
    if not (git.repository.state_dir / "git-write.lock").exists():
        return ()  # no git child of planctl has ever written here
    common = git.repository.common_dir
    with git.exclusive_writes() as alone:
        found = (*_own(common, git.desk), *_targets(common, landing)) if alone else ()
    return tuple(sorted(lock.relative_to(common).as_posix() for lock in found))


def foreign_locks(git: Git) -> tuple[str, ...]:
    """Lock files in the common git folder that are not provably planctl's; for a report."""
    common = git.repository.common_dir
    own = {*_own(common, git.desk)}
    found = [*common.glob("*.lock"), *(common / "refs").rglob("*.lock"), *common.glob("worktrees/*/*.lock")]
    found += [lock for place in _OF_OBJECTS for lock in common.glob(place)]
    own |= {lock for lock in found if lock.name == "index.lock" and read_mark(lock.parent) is not None}
    return tuple(sorted(lock.relative_to(common).as_posix() for lock in found if lock not in own))


def _own(common: Path, desk: Path) -> Iterator[Path]:
    yield from (common / "refs" / "planctl").rglob("*.lock")
    yield from desk.glob("*.lock")


def _targets(common: Path, landing: Mapping[str, Collection[str]]) -> Iterator[Path]:
    for target, commits in landing.items():
        lock = common / f"{target}.lock"
        if lock.is_file() and lock.read_bytes().strip() in {commit.encode() for commit in commits}:
            yield lock
