"""A folder that holds exactly the ``.gitattributes`` files of one commit, for a merge to stand in.

git takes attributes for a merge from the files of the checkout it stands in, uncommitted ones included. A
merge in memory must take those of the target's tip and nobody's edits, so it stands in a folder of
planctl's own, named by a digest of what it holds: the usual landing finds it made already.
``info/attributes`` and ``core.attributesFile`` are the user's settings and apply as in ``git merge``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from worktrees.trees import SYMLINK

if TYPE_CHECKING:
    from worktrees.objects import Objects
    from worktrees.trees import Entry

FILE: Final = ".gitattributes"
_UNSAFE: Final = frozenset({"", ".", "..", ".git"})


def folder_for(objects: Objects, commit: str) -> Path:
    """Return a folder with the attribute files of ``commit`` (or of a tree), made if need be."""
    files = [(path, entry) for path, entry in objects.named(commit, FILE) if _wanted(path, entry)]
    listing = "".join(f"{entry.object} {path}\0" for path, entry in files)
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    rooms = objects.repository.state_dir / "attributes"
    folder = rooms / digest
    if not folder.is_dir():
        with step("attributes.make"):
            _make(objects, files, rooms, folder)
    return folder


def _wanted(path: str, entry: Entry) -> bool:
    """Git reads no attributes through a symbolic link; a path that leaves the folder is an attack."""
    parts = path.split("/")
    unsafe = any(part.lower() in _UNSAFE or (os.name == "nt" and "\\" in part) for part in parts)
    return entry.mode & 0o170000 not in (SYMLINK, 0o160000) and not unsafe


def _make(objects: Objects, files: list[tuple[str, Entry]], rooms: Path, folder: Path) -> None:
    rooms.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f"new-{os.getpid()}-", dir=rooms))
    try:
        for path, entry in files:
            target = making / Path(*path.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, objects.read(entry.object))
        # another process may have made the same folder meanwhile: the same content, so either will do
        with contextlib.suppress(OSError):
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    if not folder.is_dir():
        raise NotADirectoryError(folder)
