"""How files were before they are written over: remembered as copies, and put back from them.

Putting back is harmless to do again: what is as it was is not touched, and the copies stay. Nothing is ever
written or deleted through a link, and a folder that holds something else by now stays.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import stat
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.effects import step, sync_files, sync_folder
from worktrees.collision import above_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path


class Kind(StrEnum):
    """What stood at a path."""

    ABSENT = "absent"
    FILE = "file"
    LINK = "link"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Before:
    """One path, relative to its top, as it was; ``held`` is the name of the copy, or what the link says."""

    path: str
    kind: Kind
    mode: int = 0
    held: str = ""


def kind_of(top: Path, path: str) -> Kind:
    """What stands at ``path``, nothing being where a file or link is in the place of a folder above it.

    Raises :class:`OSError` for a pipe, socket or device.
    """
    if is_closed(top, path):
        return Kind.ABSENT
    mode = (top / path).lstat().st_mode if os.path.lexists(top / path) else 0
    for test, kind in ((stat.S_ISREG, Kind.FILE), (stat.S_ISLNK, Kind.LINK), (stat.S_ISDIR, Kind.FOLDER)):
        if test(mode):
            return kind
    if mode:
        raise OSError(f"{top / path} is no file")
    return Kind.ABSENT


def is_closed(top: Path, path: str) -> bool:
    """Whether something other than a folder stands above ``path``."""
    above = (top / name for name in above_of(path))
    return any(place.is_symlink() or (place.exists() and not place.is_dir()) for place in above)


def remember(top: Path, paths: Iterable[str], store: Path) -> tuple[Before, ...]:
    """Copy what stands at ``paths`` and above them, and all that folders among them hold, into ``store``."""
    names = dict.fromkeys(above for path in paths for above in (path, *above_of(path)))
    names |= dict.fromkeys(inner for path in paths for inner in _inside(top, path))
    return tuple(_remembered(top, path, store / str(number)) for number, path in enumerate(names))


def _inside(top: Path, path: str) -> list[str]:
    if kind_of(top, path) is not Kind.FOLDER:
        return []
    return [
        top.joinpath(here, name).relative_to(top).as_posix()
        for here, folders, files in os.walk(top / path)
        for name in (*folders, *files)
    ]


def _remembered(top: Path, path: str, copy: Path) -> Before:
    kind, target = kind_of(top, path), top / path
    if kind is Kind.ABSENT:
        return Before(path, kind)
    mode = stat.S_IMODE(target.lstat().st_mode)
    if kind is Kind.LINK:
        return Before(path, kind, held=str(target.readlink()))
    if kind is Kind.FOLDER:
        return Before(path, kind, mode)
    with step("restore.before"):
        shutil.copyfile(target, copy)
        shutil.copystat(target, copy)
    return Before(path, kind, mode, copy.name)


def is_as(top: Path, before: Before, store: Path) -> bool:
    """Whether the path is as it was, times aside."""
    kind, target = kind_of(top, before.path), top / before.path
    if kind is not before.kind:
        return False
    if kind is Kind.LINK:
        return str(target.readlink()) == before.held
    if kind is Kind.ABSENT:
        return True
    return stat.S_IMODE(target.lstat().st_mode) == before.mode and (
        kind is Kind.FOLDER or filecmp.cmp(target, store / before.held, shallow=False)
    )


def put_back(
    top: Path, before: Sequence[Before], store: Path, touched: Collection[str] | None = None
) -> None:
    """Make everything as it was; with ``touched`` only these paths, and what is above and below them.

    Raises :class:`OSError`, also where a folder with something else in it stands in the place of a file.
    """
    near = {above for one in touched or () for above in (one, *above_of(one))}
    concerned = [
        b for b in before
        if touched is None or b.path in near or any(above in touched for above in above_of(b.path))
    ]  # fmt: skip
    wrong = sorted((b for b in concerned if not is_as(top, b, store)), key=lambda b: b.path.count("/"))
    for one in wrong:
        if kind_of(top, one.path) is Kind.FOLDER:
            with step("restore.unlock"):  # folders that were brought back may be read-only
                (top / one.path).chmod(0o700)
    for one in reversed(wrong):
        _remove(top, one)
    for one in wrong:
        _make(top, one, store)
    for one in (one for one in reversed(wrong) if one.kind is Kind.FOLDER):
        with step("restore.back"):
            (top / one.path).chmod(one.mode)
    sync_files(*(top / one.path for one in wrong if one.kind is Kind.FILE))
    for folder in {folder for one in wrong if (folder := (top / one.path).parent).is_dir()}:
        sync_folder(folder)


def _remove(top: Path, before: Before) -> None:
    """Take away what stands in the place; a folder only when nothing is in it."""
    kind, target = kind_of(top, before.path), top / before.path
    if kind is Kind.ABSENT or kind is before.kind is Kind.FOLDER:
        return
    with step("restore.back"):
        if kind is not Kind.FOLDER:
            target.unlink()
        elif before.kind is Kind.ABSENT:
            with contextlib.suppress(OSError):  # it holds something of somebody else's
                target.rmdir()
        else:
            target.rmdir()


def _make(top: Path, before: Before, store: Path) -> None:
    target = top / before.path
    with step("restore.back"):
        if before.kind is Kind.FOLDER:
            target.mkdir(exist_ok=True)
        elif before.kind is Kind.LINK:
            target.symlink_to(before.held)
        elif before.kind is Kind.FILE:
            shutil.copyfile(store / before.held, target)
            shutil.copystat(store / before.held, target)
