"""What of a worktree must be kept: found by one careful look, without changing anything in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.aside import LEFT_OVER, Gatherer, pathspecs
from worktrees.errors import GitRefusedError
from worktrees.listing import Listing, read_listing
from worktrees.nested import Nested, NestedKind, find_left, find_nested, in_place_of_files
from worktrees.operation import operation_files, own_references
from worktrees.scratch import ScratchIndex
from worktrees.state import Change, Condition, operation_in, status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from worktrees.git import Git

_SETTINGS: Final = ("config.worktree", "info/sparse-checkout")
THE_INDEX: Final = "(the index)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Ignored files to keep: by ``patterns`` (git globs), and ``named`` by their very paths."""

    patterns: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """A worktree's work as found.

    ``index`` is a copy of its index with the hiding marks cleared, ``source`` the index that was copied: its
    own, or one made of HEAD where that is damaged. ``changes`` is git's status against the copy, ``ignored``
    the ignored files that were asked for. ``roots`` are the folders that are kept aside, ``left`` the
    git folders without one (path to keep it at, and folder), ``gathered`` what is in both, ``metadata`` files
    beside the index that are kept and not put back. ``lost`` maps what cannot be captured to the reason; it
    grows while the snapshot is made.
    """

    worktree: Path
    git_dir: Path
    index: ScratchIndex
    source: Path
    listing: Listing
    changes: tuple[Change, ...]
    ignored: tuple[str, ...]
    operation: Condition | None
    operation_files: tuple[str, ...]
    references: dict[str, str]
    nested: tuple[Nested, ...]
    roots: tuple[str, ...]
    left: dict[str, Path]
    gathered: Gatherer
    metadata: tuple[str, ...]
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path with something to keep, sorted; of a repository inside, its folder."""
        return tuple(sorted({*self.tracked_paths, *self.ignored, *self.roots}))

    @property
    def tracked_paths(self) -> frozenset[str]:
        """Every path that git reports as changed or untracked."""
        return frozenset(change.path for change in self.changes)

    def lose(self, path: str, reason: str) -> None:
        """Note that ``path`` is not in the snapshot as it is on disk; the first reason counts."""
        self.lost.setdefault(path, reason)

    def tracks_nothing_in(self, root: str) -> bool:
        """Whether the index has no entry at or below the folder ``root``."""
        return root not in self.listing.folders and root not in self.listing.gitlinks

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep, and nothing that could not be looked at."""
        return not (self.paths or self.operation or self.references or self.nested or self.lost)

    def is_aside(self, path: str) -> bool:
        """Whether ``path`` is, or lies in, a folder that is kept aside."""
        return any(path == root or path.startswith(f"{root}/") for root in self.roots)


def survey(git: Git, worktree: Path, git_dir: Path, scratch: Path, wanted: Wanted) -> Survey:
    """Look at ``worktree`` with its metadata folder ``git_dir``, with copies in the folder ``scratch``.

    Raises :class:`OSError` and :class:`GitFailedError` when it cannot be told what is there.
    """
    lost: dict[str, str] = {}
    source, listing = _readable_index(git, worktree, git_dir, scratch, lost)
    index = ScratchIndex.copy(git, worktree, source, scratch / "index")
    index.unhide(listing)
    nested = find_nested(git, worktree, listing, lost.setdefault)
    changes = status(git, worktree, index.path)
    nested += in_place_of_files(worktree, listing, changes)
    ignored = tuple(dict.fromkeys((*_ignored(index, wanted.patterns), *wanted.named)))
    inside = [path.rstrip("/") for path in (*ignored, *(c.path for c in changes)) if path.endswith("/")]
    roots = _roots(listing, [*(n.path for n in nested), *inside])
    known = {n.path for n in nested}
    nested += tuple(Nested(path, NestedKind.REPOSITORY) for path in inside if path not in known)
    left = find_left(git, git_dir) if git_dir != git.repository.common_dir else {}
    nested += tuple(Nested(name, NestedKind.LEFT_SUBMODULE) for name in left)
    left = {f"{LEFT_OVER}/modules/{name}": folder for name, folder in left.items()}
    if (worktree / ".git").is_dir() and (worktree / ".git").resolve() != git_dir:
        nested += (Nested(".git", NestedKind.REPLACED),)
        left[f"{LEFT_OVER}/git"] = worktree / ".git"
    operation = operation_in(git_dir)
    return Survey(
        worktree=worktree,
        git_dir=git_dir,
        index=index,
        source=source,
        listing=listing,
        changes=tuple(change for change in changes if not change.path.endswith("/")),
        ignored=tuple(path for path in ignored if not path.endswith("/")),
        operation=operation,
        operation_files=operation_files(git_dir),
        references=own_references(git, worktree),
        nested=nested,
        roots=roots,
        left=left,
        gathered=gather(git, (worktree, git_dir), roots, left, wanted),
        metadata=tuple(n for n in (*_SETTINGS, *_damaged(lost)) if (git_dir / n).is_file()),
        lost=lost,
    )


def _readable_index(
    git: Git, worktree: Path, git_dir: Path, scratch: Path, lost: dict[str, str]
) -> tuple[Path, Listing]:
    """The worktree's own index, or where it cannot be read one of HEAD, so that the files can be kept."""
    try:
        copy = ScratchIndex.copy(git, worktree, git_dir / "index", scratch / "index")
        return git_dir / "index", read_listing(git, worktree, copy.path)
    except (GitRefusedError, PermissionError, IsADirectoryError) as error:
        lost[THE_INDEX] = str(error)
    anew = ScratchIndex(git, worktree, scratch / "of-head")
    with step("rescue.index"):
        (scratch / "index").unlink(missing_ok=True)
        anew.run("read-tree", "HEAD")
    return anew.path, read_listing(git, worktree, anew.path)


def _roots(listing: Listing, paths: Sequence[str]) -> tuple[str, ...]:
    """The outermost of the folders ``paths``; of one inside a submodule, the submodule."""
    found: list[str] = []
    outer = [next((link for link in listing.gitlinks if f"{p}/".startswith(f"{link}/")), p) for p in paths]
    for path in sorted(dict.fromkeys(outer), key=len):
        if not any(f"{path}/".startswith(f"{root}/") for root in found):
            found.append(path)
    return tuple(sorted(found))


def _damaged(lost: Mapping[str, str]) -> tuple[str, ...]:
    return ("index",) if THE_INDEX in lost else ()


def gather(
    git: Git, place: tuple[Path, Path], roots: Sequence[str], left: Mapping[str, Path], wanted: Wanted
) -> Gatherer:
    """Find everything in the folders ``roots``, and in those of ``left``, which maps paths to folders.

    ``place`` is the worktree's folder and that of its metadata.
    """
    worktree, git_dir = place
    own = git_dir if git_dir != git.repository.common_dir else None
    gathered = Gatherer(git, worktree, own, wanted.patterns)
    for root in roots:
        gathered.take_repository(root)
    for path, folder in left.items():
        gathered.take_folder(path, folder)
    gathered.embedded += left
    return gathered


def _ignored(index: ScratchIndex, patterns: Sequence[str]) -> tuple[str, ...]:
    """The ignored files that ``patterns`` name.

    A pattern is a git glob (``**`` crosses folders); without a slash it matches at any depth; a folder
    means all that is in it.
    """
    if not patterns:
        return ()
    asked = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
    return tuple(index.run(*asked, *(spec for p in patterns for spec in pathspecs(p))).records)
