"""Put exact bytes into a worktree: never through a link, never over what git does not track."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worktrees.objects import Objects

_LINK: Final = "120000"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file or link to write: ``mode`` as in a tree, ``permissions`` the nine bits or None for the usual."""

    path: str
    mode: str
    object: str
    permissions: int | None


@dataclass(frozen=True, slots=True)
class Replacement:
    """What to delete and what to write, all paths relative to the worktree."""

    deleted: tuple[str, ...]
    files: tuple[NewFile, ...]

    @classmethod
    def of(
        cls, files: Mapping[str, tuple[str, str]], deleted: Sequence[str], permissions: Mapping[str, int]
    ) -> Replacement:
        """From path to (mode, object)."""
        new = (NewFile(p, mode, oid, permissions.get(p)) for p, (mode, oid) in files.items())
        return cls(tuple(deleted), tuple(new))


def in_the_way(top: Path, plan: Replacement, tracked: frozenset[str]) -> tuple[str, ...]:
    """The paths on disk that git does not track and that the replacement would overwrite or need gone.

    ``tracked`` are the paths of the worktree's index; the worktree has no changes in them.
    """
    found: set[str] = set()
    for file in plan.files:
        found.update(_obstacles(top, file.path, tracked))
    return tuple(sorted(found))


def _obstacles(top: Path, path: str, tracked: frozenset[str]) -> list[str]:
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        name = str(parent)
        if os.path.lexists(top / name) and (_is_other_than_folder(top / name)):
            return [] if name in tracked else [name]
    target = top / path
    if path in tracked or not os.path.lexists(target):
        return []
    if _is_other_than_folder(target):
        return [path]
    inside = [here / name for here, _, names in _walk(target) for name in names]
    names = [file.relative_to(top).as_posix() for file in inside]
    return [name for name in names if name not in tracked]


def _is_other_than_folder(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def _walk(folder: Path) -> list[tuple[Path, list[str], list[str]]]:
    """As ``os.walk``, with links to folders among the files."""
    found = []
    for name, folders, files in os.walk(folder):
        here = Path(name)
        links = [entry for entry in folders if (here / entry).is_symlink()]
        found.append((here, folders, files + links))
    return found


class Watch(Protocol):
    """Is told each path right before it is written or deleted, and may raise; and once that is done."""

    def __call__(self, path: str, /) -> None:
        """``path`` is begun."""

    def written(self, path: str, /) -> None:
        """``path`` is as it was to be."""


def put_files(objects: Objects, top: Path, plan: Replacement, watch: Watch) -> None:
    """Delete, then write; see :func:`in_the_way` for what was asked before. Raises :class:`OSError`."""
    for path in plan.deleted:
        watch(path)
        with step("restore.delete"):
            _delete(top, path)
        watch.written(path)
    for file in plan.files:
        watch(file.path)
        with step("restore.files"):
            _write(objects, top, file)
        watch.written(file.path)


def _delete(top: Path, path: str) -> None:
    target = top / path
    if not os.path.lexists(target) or not _is_other_than_folder(target) or _behind_a_link(top, path):
        return
    target.unlink()
    for parent in PurePosixPath(path).parents[:-1]:
        with contextlib.suppress(OSError):  # the first folder that still holds something ends it
            (top / parent).rmdir()


def _behind_a_link(top: Path, path: str) -> bool:
    return any((top / parent).is_symlink() for parent in PurePosixPath(path).parents[:-1])


def _write(objects: Objects, top: Path, file: NewFile) -> None:
    target = top / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if _behind_a_link(top, file.path):
        raise OSError(f"{file.path} would be written through a link")
    if os.path.lexists(target):
        if _is_other_than_folder(target):
            target.unlink()
        else:
            _remove_empty(target)
    content = objects.read(file.object)
    if file.mode == _LINK:
        target.symlink_to(os.fsdecode(content))
        return
    default = 0o777 if file.mode == "100755" else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(target, flags, default), "wb") as out:
        out.write(content)
    if file.permissions is not None:
        target.chmod(file.permissions)


def _remove_empty(folder: Path) -> None:
    for name, _, _ in os.walk(folder, topdown=False):
        Path(name).rmdir()
