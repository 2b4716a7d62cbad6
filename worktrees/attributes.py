"""A folder that holds exactly the ``.gitattributes`` files of one commit, for a merge to stand in.

git takes attributes for a merge from the files of the checkout it stands in, uncommitted ones included. A
merge in memory must take those of the target's tip and nobody's edits, so it stands in a folder of
planctl's own, named by a digest of what it holds: the usual landing finds it made already.
``info/attributes`` and ``core.attributesFile`` are the user's settings and apply as in ``git merge``.

Hot files that are to be united have ``merge=union`` as the last word of their own folder's file.
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
from plans.systems import WINDOWS
from worktrees.ondisk import c_quoted
from worktrees.trees import SYMLINK

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from worktrees.objects import Objects
    from worktrees.trees import Entry

FILE: Final = ".gitattributes"
_UNSAFE: Final = frozenset({"", ".", "..", ".git"})


def folder_for(objects: Objects, commit: str, united: Collection[str] = ()) -> Path:
    """Return a folder with the attribute files of ``commit`` (or of a tree), made if need be.

    ``united`` are paths that are merged by union whatever those files say.
    """
    files = {path: entry.object for path, entry in objects.named(commit, FILE) if _wanted(path, entry)}
    listing = "".join(f"{object_} {path}\0" for path, object_ in files.items())
    listing += "".join(f"union {path}\0" for path in sorted(united))
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    rooms = objects.repository.state_dir / "attributes"
    folder = rooms / digest
    if not folder.is_dir():
        with step("attributes.make"):
            contents = {path: objects.read(object_) for path, object_ in files.items()}
            _make(_with_union(contents, united), rooms, folder)
    return folder


def _with_union(contents: Mapping[str, bytes], united: Collection[str]) -> dict[str, bytes]:
    found = dict(contents)
    for path in sorted(united):
        above, slash, name = path.rpartition("/")
        file = f"{above}{slash}{FILE}"
        found[file] = found.get(file, b"") + b"\n" + c_quoted(f"/{name}") + b" merge=union\n"
    return found


def _wanted(path: str, entry: Entry) -> bool:
    """Git reads no attributes through a symbolic link; a path that leaves the folder is an attack."""
    parts = path.split("/")
    unsafe = any(part.lower() in _UNSAFE or (WINDOWS and "\\" in part) for part in parts)
    return entry.mode & 0o170000 not in (SYMLINK, 0o160000) and not unsafe


def _make(contents: Mapping[str, bytes], rooms: Path, folder: Path) -> None:
    rooms.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f"new-{os.getpid()}-", dir=rooms))
    try:
        for path, content in contents.items():
            target = making / Path(*path.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, content)
        # another process may have made the same folder meanwhile: the same content, so either will do
        with contextlib.suppress(OSError):
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    if not folder.is_dir():
        raise NotADirectoryError(folder)
