"""The pool: stable folders, reused from plan to plan; what happens to them on disk and in git.

Who may use a slot, and in which state it is, the orchestrator keeps in its store.

Not promised: that two callers do not take the same slot. Whoever calls holds the slot's lease.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worktrees import reuse
from worktrees.errors import (
    NotARepositoryError,
    PoolFolderError,
    RescueIncompleteError,
    SlotUnavailableError,
    UnsupportedRepositoryError,
)
from worktrees.exclude import exclude, literal_pattern
from worktrees.git import Git
from worktrees.journal import being_made, is_being_made, journal_of
from worktrees.metadata_lock import metadata_lock
from worktrees.parked import require_nothing_staged, require_parked
from worktrees.provision import provision, resume_unmaking
from worktrees.removal import delete_detached, detach_folders, detached, finish
from worktrees.repository import find
from worktrees.slot import (
    CHECK,
    PLAN,
    SlotOptions,
    SlotTree,
    is_gone,
    registered,
    require_intact,
    run_in,
    slot_name,
    slot_path,
    slots,
    worktree_of,
)
from worktrees.state import DIRT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from worktrees.repository import Repository

__all__ = ["CHECK", "PLAN", "Pool", "SlotOptions", "SlotTree", "pool_folder", "slot_name", "slot_path"]

_DEFAULT: Final = SlotOptions()


def pool_folder(repository: Repository, configured: str | None) -> Path:
    """Where the pool lies: as configured, else ``../<name>.worktrees`` beside the main checkout.

    A relative path counts from the main checkout's top. Inside the common git folder
    (``planctl/worktrees``) where the default cannot be written, where it would show up as untracked in
    another repository around this one (a submodule), and for a bare repository: its neighbours are often
    served as repositories themselves. Links are resolved, as git does with the paths of worktrees. Nothing
    is made here. Raises :class:`PoolFolderError` for a configured folder that holds the checkout or git's
    own files.
    """
    top = repository.primary_top
    inside = repository.state_dir / "worktrees"
    if configured:
        folder = ((top or repository.common_dir) / Path(configured).expanduser()).resolve()
        forbidden = {*(top, *top.parents)} if top else set()
        common = repository.common_dir
        in_git = folder.is_relative_to(common) and not folder.is_relative_to(repository.state_dir)
        if folder in forbidden or in_git or folder in common.parents:
            raise PoolFolderError(f"{folder} cannot hold worktrees: the repository itself is there")
        return folder
    if top is None:
        return inside
    beside = top.with_name(f"{top.name}.worktrees").resolve()
    writable = os.access(beside if beside.exists() else top.parent, os.W_OK | os.X_OK)
    return beside if writable and not _shows_around(beside) else inside


def _shows_around(folder: Path) -> bool:
    """Whether the folder would be an untracked one of a repository that lies around it."""
    try:
        around = find(folder.parent)
        asked = ("check-ignore", "-q", "--", f"{folder}/")
        return around.top is None or Git(around).run(*asked, at=around.top, ok=()).status != 0
    except NotARepositoryError:
        return False
    except UnsupportedRepositoryError:  # somebody else's
        return True


class Pool:
    """The slots of one repository in one folder. Safe to share between threads."""

    def __init__(self, git: Git, folder: Path) -> None:
        self.git = git
        self.folder = folder

    def add(self, name: str, commit: str, options: SlotOptions = _DEFAULT) -> SlotTree:
        """Make a slot cold, see :mod:`worktrees.provision` for its promise and errors."""
        self._exclude_folder()
        return provision(self.git, self.folder, name, commit, options)

    def quiesce(self, tree: SlotTree) -> None:
        """See :func:`worktrees.reuse.quiesce`; after the rescue."""
        reuse.quiesce(self.git, tree)

    def tidy(
        self, tree: SlotTree, commit: str, options: SlotOptions = _DEFAULT, *, spotless: bool = False
    ) -> None:
        """At release, after the rescue: see :func:`worktrees.reuse.tidy`."""
        if not is_gone(tree):
            reuse.tidy(self.git, tree, commit, options, spotless=spotless)

    def recycle(
        self, tree: SlotTree, commit: str, options: SlotOptions = _DEFAULT, *, spotless: bool = False
    ) -> SlotTree:
        """Make the slot ready at ``commit``, see :func:`worktrees.reuse.recycle`.

        A slot whose folder its plan deleted is made anew; so use the slot that is returned.
        """
        if is_gone(tree):
            require_parked(self.git, tree)
            self._forget(tree)
            return self.add(tree.name, commit, options)
        reuse.recycle(self.git, tree, commit, options, spotless=spotless)
        return tree

    def recycle_for_check(
        self, tree: SlotTree, commit: str, keep: Sequence[str] = (), options: SlotOptions = _DEFAULT
    ) -> SlotTree:
        """Make a check slot exactly ``commit``, see :func:`worktrees.reuse.recycle_for_check`."""
        if is_gone(tree):
            self._forget(tree)
            tree = self.add(tree.name, commit, SlotOptions(submodules=options.submodules))
        reuse.recycle_for_check(self.git, tree, commit, keep, options)
        return tree

    def remove(self, tree: SlotTree, *, inside: bool = False) -> None:
        """Remove a rescued slot with everything ignored or cached in it; ``inside``: with repositories, too.

        Raises :class:`RescueIncompleteError` when it is damaged, holds a nested repository or a commit
        that no reference reaches, and :class:`SlotUnavailableError` when a person locked it.
        """
        if (tree.git_dir / "locked").exists():
            raise SlotUnavailableError(f"{tree.path} is locked against removal")
        if not is_gone(tree):
            require_intact(tree)
            if not inside:
                reuse.require_no_nested(self.git, tree)
        require_parked(self.git, tree)
        self._forget(tree)

    def list(self) -> tuple[SlotTree, ...]:
        """The slots that are made, by name, without those being made. A folder may have been deleted."""
        half = being_made(self.git.repository)
        return tuple(
            tree for tree in slots(self.git.repository.common_dir, self.folder) if tree.name not in half
        )

    def find(self, name: str) -> SlotTree | None:
        """The slot of that name, or None."""
        usual = self.git.repository.common_dir / "worktrees" / name
        if worktree_of(usual) == self.folder / name and not is_being_made(self.git.repository, name):
            return SlotTree(name, self.folder / name, usual)
        return next((tree for tree in self.list() if tree.name == name), None)

    def free_name(self, purpose: str, taken: Collection[str] = ()) -> str:
        """The first name of that purpose which is neither in ``taken`` nor on disk nor known to git."""
        used = {tree.name for tree in slots(self.git.repository.common_dir, self.folder)} | set(taken)
        number = 1
        while (name := slot_name(purpose, number)) in used or os.path.lexists(self.folder / name):
            number += 1
        return name

    def changes(self, tree: SlotTree) -> tuple[str, ...]:
        """Paths in the slot that differ from HEAD or are untracked; ignored ones do not count.

        For callers that want to know whether a tidy slot was touched before it is taken again.
        """
        return tuple(record[3:] for record in run_in(self.git, tree, *DIRT).records)

    def prune(self) -> tuple[str, ...]:
        """Finish what was killed half way, and forget slots whose folder is gone and that hold no work.

        Returns the names of slots that are no more. What cannot be proved planctl's own stays.
        """
        done = [n for n in sorted(being_made(self.git.repository)) if resume_unmaking(self.git, n)]
        begun = detached(self.git.repository, self.folder)
        done += [n for n in begun if self.finish_removal(self.folder / n) is not None]
        for tree in self.list():
            if is_gone(tree) and self._is_empty(tree):
                self._forget(tree)
                done.append(tree.name)
        return tuple(dict.fromkeys(done))

    def _is_empty(self, tree: SlotTree) -> bool:
        if (tree.git_dir / "locked").exists():
            return False
        try:
            require_parked(self.git, tree)
            require_nothing_staged(self.git, tree)
        except RescueIncompleteError:
            return False
        return True

    def _forget(self, tree: SlotTree) -> None:
        with journal_of(self.git.repository, tree.name):
            with metadata_lock(self.git.repository):
                detach_folders(self.git.repository, tree.path)
            delete_detached(self.git.repository, tree.path)

    def finish_removal(self, path: Path) -> bool | None:
        """Go on with a removal of that slot: whether one was begun; None: somebody else is at the slot."""
        try:
            with journal_of(self.git.repository, path.name):
                return finish(self.git.repository, path)
        except SlotUnavailableError:
            return None

    def _exclude_folder(self) -> None:
        """A pool that was configured inside a checkout must not show up there as untracked."""
        for top in (
            self.git.repository.primary_top,
            *(w for _, w in registered(self.git.repository.common_dir)),
        ):
            if top is not None and top != self.folder and self.folder.is_relative_to(top):
                inside = self.folder.relative_to(top).as_posix()
                pattern = literal_pattern(inside) if not inside.startswith(".git/") else None
                exclude(self.git.repository, [f"{pattern}/"] if pattern else [])
