"""One snapshot of a worktree, and of linked worktrees inside it; where git cannot, the bare bytes of it all.

1. a careful look (capture.py), then objects (snapshot.py), each under git's own rules
2. where git cannot read the worktree at all (a corrupt HEAD, metadata that are gone), every file in its
   folder and its metadata, as bytes: that is never whole, since nothing tells what was staged or ignored
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.aside import LEFT_OVER, Aside, Gatherer, store
from worktrees.capture import Wanted, survey
from worktrees.errors import GitFailedError, NotARepositoryError
from worktrees.notes import Notes
from worktrees.operation import named_commits
from worktrees.pinned import PinnedGit
from worktrees.scratch import scratch_folder
from worktrees.snapshot import commit_tree, extra_tree, make_snapshot
from worktrees.state import own_git_dir
from worktrees.symbolic import head_of

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.capture import Survey
    from worktrees.git import Git


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that nothing references yet; ``lost`` and ``nested`` are sentences, see Notes."""

    commit: str
    paths: int
    operation: str | None
    lost: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the worktree is not to be reused by itself; nothing when it may be."""
        return (*self.lost, *self.nested)


def take(
    git: Git, worktree: Path, git_dir: Path | None, label: str, wanted: Wanted, *, always: bool = False
) -> Taken | None:
    """Snapshot the resolved folder ``worktree``; None: there is nothing to keep, unless ``always``.

    Raises :class:`GitFailedError`, :class:`NotARepositoryError`, :class:`OSError` when nothing can be kept.
    """
    try:
        own = own_git_dir(git, worktree) if git_dir is None else git_dir
        return _take(git, worktree, own, label, wanted, always=always)
    except (GitFailedError, NotARepositoryError) as error:
        if isinstance(error, GitFailedError) and error.status < 0:
            raise  # git was killed: nothing is wrong with the work, and the next try keeps it as it is
        reason = str(error)
    with scratch_folder(git) as scratch:
        return _salvage(git, worktree, git_dir, scratch, (label, reason))


def _take(
    git: Git, worktree: Path, git_dir: Path, label: str, wanted: Wanted, *, always: bool
) -> Taken | None:
    pinned = PinnedGit(git.repository, worktree, git_dir)
    with scratch_folder(git) as scratch:
        found = survey(pinned, worktree, git_dir, scratch, wanted)
        if found.is_empty and not always:
            return None
        inner = _inner(git, found, label, wanted)
        commit = make_snapshot(pinned, found, lambda: _message(found, label), inner, wanted)
    return Taken(
        commit=commit,
        paths=len(found.paths),
        operation=found.operation,
        lost=tuple(f"{path}: {reason}" for path, reason in found.lost.items()),
        nested=tuple(map(str, found.nested)),
    )


def _inner(git: Git, found: Survey, label: str, wanted: Wanted) -> dict[str, str]:
    """Snapshots of the linked worktrees of this repository that lie inside."""
    inner: dict[str, str] = {}
    for path in found.gathered.linked:
        patterns = replace(wanted, named=())
        taken = take(git, found.worktree / path, None, f"{label}: {path}", patterns, always=True)
        assert taken is not None
        inner[path] = taken.commit
        for lost in taken.lost:
            found.lose(f"{path}/{lost.partition(': ')[0]}", lost.partition(": ")[2])
    return inner


def _message(found: Survey, label: str) -> str:
    count = len(found.paths)
    paths = "1 path" if count == 1 else f"{count} paths"
    operation = f", {found.operation}" if found.operation else ""
    incomplete = ", incomplete" if found.lost else ""
    return f"planctl rescue of {label}: {paths}{operation}{incomplete}\n"


def _salvage(
    git: Git, worktree: Path, git_dir: Path | None, scratch: Path, said: tuple[str, str]
) -> Taken | None:
    """Keep every file of the folder and of its metadata as they are; None where there is no folder."""
    label, reason = said
    if not worktree.is_dir():
        return None
    gathered = Gatherer(git, worktree, None, ())
    gathered.take_all()
    if (worktree / ".git").is_dir() and (worktree / ".git").resolve() != git_dir:
        gathered.take_folder(f"{LEFT_OVER}/git", worktree / ".git")
    own = git_dir if git_dir is not None and git_dir.parent.name == "worktrees" and git_dir.is_dir() else None
    if own is not None:
        gathered.take_folder(f"{LEFT_OVER}/metadata", own)
    lost = {str(worktree): reason, **gathered.unreadable}
    files = tuple(n for n in ("HEAD", "ORIG_HEAD", "logs/HEAD") if own is not None and (own / n).is_file())
    with step("rescue.objects"):
        aside = Aside(store(git, gathered.found, lost.setdefault))
        named = named_commits(git, own, files, {}) if own is not None else []
        head = head_of(own).removeprefix("ref: ") if own is not None else ""
        asked = ("rev-parse", "-q", "--verify", "--end-of-options", f"{head}^{{tree}}")
        tree = git.run(*asked, ok=()).text if head else ""
        base = git.run("rev-parse", "--verify", f"{head}^{{commit}}").text if tree else None
        tree = tree or git.run("mktree", stdin=b"", writes=True).text
        notes = Notes(base=base, lost=lost)
        start = [base] if base else []
        extra = extra_tree(git, scratch, notes, aside, [])
        index_commit = commit_tree(git, tree, start, "index of a planctl rescue")
        extra_commit = commit_tree(git, extra, named, "notes of a planctl rescue")
        message = f"planctl rescue of {label}: all files as they are, incomplete\n"
        commit = commit_tree(git, tree, [*start, index_commit, extra_commit], message)
    return Taken(commit, len(aside.kept), None, tuple(f"{path}: {why}" for path, why in lost.items()))
