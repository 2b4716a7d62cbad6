"""What of a worktree must be kept: found by one careful look, without changing anything in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worktrees.errors import RescueIncompleteError
from worktrees.listing import Listing, read_listing
from worktrees.nested import find_nested
from worktrees.operation import operation_files, own_references
from worktrees.scratch import ScratchIndex
from worktrees.state import Change, Condition, operation_in, own_git_dir, status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git


@dataclass(frozen=True, slots=True)
class Survey:
    """A worktree's work as found.

    ``index`` is a copy of its index with the hiding marks cleared. ``changes`` is git's status against
    that copy, ``ignored`` the ignored files that were asked for.
    """

    worktree: Path
    git_dir: Path
    index: ScratchIndex
    listing: Listing
    changes: tuple[Change, ...]
    ignored: tuple[str, ...]
    operation: Condition | None
    operation_files: tuple[str, ...]
    references: dict[str, str]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path with something to keep, sorted."""
        return tuple(sorted({*(change.path for change in self.changes), *self.ignored}))


def survey(
    git: Git, worktree: Path, scratch: Path, ignored: Sequence[str] = (), named: Sequence[str] = ()
) -> Survey:
    """Look at ``worktree``, with copies in the folder ``scratch``; ``named`` are further ignored files.

    Raises :class:`RescueIncompleteError` for repositories inside it, :class:`OSError` for what cannot be
    read, :class:`GitFailedError` when git cannot tell.
    """
    git_dir = own_git_dir(git, worktree)
    index = ScratchIndex.copy(git, worktree, git_dir / "index", scratch / "index")
    listing = read_listing(git, worktree, index.path)
    index.unhide(listing)
    nested = find_nested(git, worktree, listing)
    changes = status(git, worktree, index.path)
    wanted = tuple(dict.fromkeys((*_ignored(index, ignored), *named)))
    inside = [path for path in (*wanted, *(c.path for c in changes)) if path.endswith("/")]
    if nested or inside:
        raise RescueIncompleteError(worktree, ", ".join([*map(str, nested), *inside][:5]))
    operation = operation_in(git_dir)
    return Survey(
        worktree=worktree,
        git_dir=git_dir,
        index=index,
        listing=listing,
        changes=changes,
        ignored=wanted,
        operation=operation,
        operation_files=operation_files(git_dir),
        references=own_references(git, worktree) if operation else {},
    )


def _ignored(index: ScratchIndex, patterns: Sequence[str]) -> tuple[str, ...]:
    """The ignored files that ``patterns`` name.

    A pattern is a git glob (``**`` crosses folders); without a slash it matches at any depth; a folder
    means all that is in it.
    """
    if not patterns:
        return ()
    asked = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
    return tuple(index.run(*asked, *(spec for p in patterns for spec in _pathspecs(p))).records)


def _pathspecs(pattern: str) -> tuple[str, str]:
    plain = pattern.strip("/")
    anywhere = "" if "/" in pattern.rstrip("/") else "**/"
    return f":(top,glob){anywhere}{plain}", f":(top,glob){anywhere}{plain}/**"
