"""Before the journal of a restore goes, what it could take back must be there after a power cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import sync_files
from worktrees.beforehand import Kind, kind_of
from worktrees.state import own_git_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.restorelook import Intention


def sync_restored(found: Intention) -> None:
    """All files that the restore wrote, and those that git wrote for it."""
    target, snapshot = found.target, found.snapshot
    paths = [file.path for file in found.decision.files.files]
    paths += [kept.path for kept in snapshot.aside.kept]
    paths += found.moved
    written = [target.into / path for path in paths if kind_of(target.into, path) is Kind.FILE]
    own = [target.git_dir / name for name in (*snapshot.operation, *snapshot.notes.references)]
    if found.must_move:
        own.append(target.git_dir / "HEAD")
    inner = [target.into / path for path in snapshot.aside.worktrees]
    for top in [*inner, *(own_git_dir(target.git, place) for place in inner)]:
        written += _files(top)
    sync_files(*written, *(path for path in own if path.is_file()))


def _files(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if path.is_file() and not path.is_symlink())
