"""planctl's scripts in the repository's own hooks folder, and nowhere else.

A hook of the user's keeps its bytes, its mode and its turn: it gets a second name beside planctl's, which
calls it first, and its own name back in the end. In one moment each (a hard link, then a rename over the old
name), so there is no time without a hook, and killed anywhere the next call goes on. A folder of
``core.hooksPath`` is never written to: husky's is tracked, a global one is shared by all repositories. What
planctl wrote is known by the hash in its second line; a changed one is the user's.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from plans.effects import create_atomic, step, sync_folder, write_atomic
from worktrees.errors import HookInTheWayError
from worktrees.hookscripts import GIT_HOOKS, KEPT, MADE, HookKind, is_current, is_marked, script, seal_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository


class HookState(StrEnum):
    """What stands where a script of planctl's would."""

    ABSENT = "absent"
    INSTALLED = "installed"
    OUTDATED = "outdated"  # of another version or target, or the planctl that it asks is gone
    ALTERED = "altered"  # planctl's, with changes of somebody's: theirs
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Hook:
    """One place. ``kept`` is the user's hook that planctl's calls, None when there was none."""

    kind: HookKind
    path: Path
    state: HookState
    kept: Path | None


def hook_path(repository: Repository, kind: HookKind = HookKind.PRE_COMMIT) -> Path:
    """Where the script of that kind is written to."""
    return repository.common_dir / "hooks" / kind


def look(repository: Repository, kind: HookKind, target: str) -> Hook:
    """What is there now."""
    path = hook_path(repository, kind)
    return Hook(kind, path, _state(kind, path, target), _kept(path))


def install_hook(git: Git, kind: HookKind, target: str) -> Path:
    """Write the script and return its path; again where planctl's stands already.

    Raises :class:`HookInTheWayError` when git looks for hooks elsewhere, when planctl's was changed by
    somebody, or when two hooks of the user's would have to be kept.
    """
    path = hook_path(git.repository, kind)
    if kind in GIT_HOOKS:
        _require_looked_for(git, path)
    elif os.path.lexists(path) and _own(path) is None:
        raise HookInTheWayError(path, "is not as planctl wrote it")
    made_folder = not path.parent.is_dir() or _made_folder(path.parent)
    content = script(kind, target, made_folder=made_folder)
    with step("hooks.install"):
        _make_folder(path.parent)
        if not create_atomic(path, content):
            _replace(path, content)
        path.chmod(0o755)
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise HookInTheWayError(folder, "is no folder") from error


def looked_for(git: Git) -> Path:
    """The folder in which git looks for hooks here."""
    stand = git.repository.top or git.repository.common_dir
    said = git.run("rev-parse", "--git-path", "hooks", at=stand, hooks=True).output.rstrip(b"\n")
    return stand / os.fsdecode(said)


def _require_looked_for(git: Git, path: Path) -> None:
    place = looked_for(git)
    if place.resolve() != path.parent:
        how = "a link" if place == path.parent else "core.hooksPath"
        raise HookInTheWayError(place.resolve(), f"is where {how} has git look for hooks")


def _replace(path: Path, content: bytes) -> None:
    """Write over planctl's own script, or over a hook of the user's that is kept first."""
    found, kept = _own(path), _kept(path)
    if found is None:
        if is_marked(_read(path)):
            raise HookInTheWayError(path, "is planctl's, with changes of yours")
        if kept is not None and not _same(kept, path):
            raise HookInTheWayError(path, f"is there already, and so is {kept.name}, which was kept before")
        if kept is None:
            _keep(path)
    if found != content:
        write_atomic(path, content)


def _keep(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise HookInTheWayError(path, "is a folder")
    kept = path.with_name(path.name + KEPT)
    with step("hooks.keep"):
        try:
            os.link(path, kept, follow_symlinks=False)
        except FileExistsError as error:  # another planctl was faster; nothing goes over what it has kept
            if _own(path) is None and not _same(kept, path):
                raise HookInTheWayError(path, f"is there already, and so is {kept.name}") from error
        except OSError:  # no hard links here: for a moment there is no hook
            path.rename(kept)
        sync_folder(path.parent)


def uninstall_hooks(
    repository: Repository, kinds: Collection[HookKind] = tuple(HookKind)
) -> tuple[Path, ...]:
    """Take planctl's scripts away, put back what was kept, and say which went; the folder too, if made."""
    folder = repository.common_dir / "hooks"
    made_folder = _made_folder(folder)
    gone = tuple(
        path for kind in HookKind if kind in kinds and _uninstall(path := hook_path(repository, kind))
    )
    if made_folder:
        with contextlib.suppress(OSError), step("hooks.folder"):  # somebody's hooks are in it by now
            folder.rmdir()
    return gone


def _uninstall(path: Path) -> bool:
    own, kept = _own(path) is not None, _kept(path)
    if kept is not None and (own or not os.path.lexists(path)):
        with step("hooks.put-back"):
            kept.replace(path)
            sync_folder(path.parent)
    elif kept is not None and _same(kept, path):  # killed between keeping and writing
        with step("hooks.put-back"):
            kept.unlink()
    elif own:
        with step("hooks.uninstall"):
            path.unlink()
    return own


def altered_hooks(repository: Repository) -> tuple[Path, ...]:
    """Scripts of planctl's that somebody has changed, and hooks that were kept and cannot go back."""
    paths = [hook_path(repository, kind) for kind in HookKind]
    altered = [path for path in paths if is_marked(_read(path)) and _own(path) is None]
    kept = [kept for path in paths if (kept := _kept(path)) is not None and _own(path) is None]
    return (*altered, *(one for one in kept if os.path.lexists(one.with_name(one.name.removesuffix(KEPT)))))


def _state(kind: HookKind, path: Path, target: str) -> HookState:
    content = _read(path)
    if not is_marked(content):
        return HookState.FOREIGN if os.path.lexists(path) else HookState.ABSENT
    body = seal_of(content)
    if body is None:
        return HookState.ALTERED
    current = is_current(kind, body, target) and os.access(path, os.X_OK)
    return HookState.INSTALLED if current else HookState.OUTDATED


def _made_folder(folder: Path) -> bool:
    return any(MADE in (_own(folder / kind) or b"") for kind in HookKind)


def _own(path: Path) -> bytes | None:
    """The content if it is as planctl wrote it."""
    content = _read(path)
    return None if seal_of(content) is None else content


def _kept(path: Path) -> Path | None:
    kept = path.with_name(path.name + KEPT)
    return kept if os.path.lexists(kept) else None


def _same(one: Path, other: Path) -> bool:
    """Whether both names are of one file, a link not followed."""
    return os.path.lexists(other) and os.path.samestat(one.lstat(), other.lstat())


def _read(path: Path) -> bytes:
    if path.is_symlink():  # the user's, wherever it leads
        return b""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return b""
