"""What a power cut leaves of objects that nobody had synced: files of git's with a name and nothing in them.

An empty object file is no object. git and libgit2 take it for one all the same when they are about to write
the very object: they see the name and write nothing, so that the next commit with that content is broken.
git writes objects under another name first, so an empty one is never one that is just being written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.repository import Repository


def empty_objects(repository: Repository) -> tuple[Path, ...]:
    """The loose objects that are empty files, by name; about 1 ms per 1,000 loose objects."""
    root = repository.common_dir / "objects"
    folders = sorted(root.glob("[0-9a-f][0-9a-f]"))
    return tuple(p for folder in folders for p in sorted(folder.iterdir()) if p.stat().st_size == 0)


def remove_empty_objects(repository: Repository) -> tuple[Path, ...]:
    """Remove them, so that the objects can be written again; returns what was removed."""
    found = empty_objects(repository)
    for path in found:
        with step("objects.remove-empty"):
            path.unlink(missing_ok=True)
    return found
