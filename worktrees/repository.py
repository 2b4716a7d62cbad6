"""Find the repository that holds a folder, without starting a process (``status`` must be fast)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from worktrees.coreconfig import core_settings, is_true
from worktrees.errors import NotARepositoryError, UnsupportedRepositoryError


@dataclass(frozen=True, slots=True)
class Repository:
    """Where one repository lives; all paths absolute, links resolved.

    ``git_dir`` and ``top`` belong to the worktree that was stood in (``top`` is None in a bare
    repository or inside a git folder); ``common_dir`` is shared by all worktrees.
    """

    common_dir: Path
    git_dir: Path
    top: Path | None

    @property
    def state_dir(self) -> Path:
        """planctl's own folder: store, locks, logs, desk. Made by whoever first writes into it."""
        return self.common_dir / "planctl"

    @property
    def primary_top(self) -> Path | None:
        """The main checkout's folder, or None: a bare repository, or git does not tell from here.

        Git tells by ``core.worktree``, or by the name ``.git`` of the common folder. Of a git folder called
        otherwise only who stands in the main checkout knows where that is.
        """
        settings = core_settings(self.common_dir)
        if "core.worktree" in settings:
            return (self.common_dir / settings["core.worktree"]).resolve()
        if is_true(settings.get("core.bare", "")):
            return None
        if self.git_dir == self.common_dir and self.top is not None:
            return self.top
        return self.common_dir.parent if self.common_dir.name == ".git" else None

    @property
    def name(self) -> str:
        """A short name for people: of the main checkout, or of the bare repository without ``.git``."""
        primary = self.primary_top
        return primary.name if primary else self.common_dir.name.removesuffix(".git")


def find(start: Path) -> Repository:
    """Return the repository that holds ``start``; raise :class:`NotARepositoryError`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        dot_git = folder / ".git"
        if dot_git.is_dir() and _is_git_dir(dot_git):
            return _described(dot_git, folder)
        if dot_git.is_file():
            return _described(_linked(dot_git), folder)
        if _is_git_dir(folder):
            return _described(folder, None)
    raise NotARepositoryError(start)


def require_main_checkout(repository: Repository) -> None:
    """Raise UnsupportedRepositoryError where a main checkout exists that cannot be worked in from here.

    A landing would move the target under it, and leave the reverse of itself staged there.
    """
    top, common = repository.primary_top, repository.common_dir
    if top is None:
        if (common / "index").exists() and not is_true(core_settings(common).get("core.bare", "")):
            raise UnsupportedRepositoryError(common, "where its main checkout is, git tells only there")
    elif top.is_dir() and not _leads_to(top / ".git", common):
        raise UnsupportedRepositoryError(common, f"its files are in {top}, where no .git leads back to it")


def require_writable(repository: Repository) -> None:
    """Raise UnsupportedRepositoryError where planctl's folder, objects or references cannot be written."""
    folder = repository.state_dir if os.path.lexists(repository.state_dir) else repository.common_dir
    if not folder.is_dir():
        raise UnsupportedRepositoryError(repository.common_dir, f"{folder.name} in it is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnsupportedRepositoryError(repository.common_dir, "it cannot be written to")
    for name in ("objects", "refs"):
        if not os.access(repository.common_dir / name, os.W_OK | os.X_OK):
            raise UnsupportedRepositoryError(repository.common_dir, f"{name} in it cannot be written to")


def _leads_to(dot_git: Path, common_dir: Path) -> bool:
    try:
        found = _linked(dot_git) if dot_git.is_file() else dot_git
    except NotARepositoryError:
        return False
    return found.resolve() == common_dir


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and ((folder / "commondir").is_file() or (folder / "objects").is_dir())


def _linked(dot_git: Path) -> Path:
    text = dot_git.read_bytes().decode("utf-8", "surrogateescape")
    if not text.startswith("gitdir:"):
        raise NotARepositoryError(dot_git.parent)
    target = Path(os.path.normpath(dot_git.parent / text.removeprefix("gitdir:").strip("\r\n").lstrip(" ")))
    if not _is_git_dir(target):
        raise NotARepositoryError(dot_git.parent)
    return target


def _described(git_dir: Path, top: Path | None) -> Repository:
    git_dir = git_dir.resolve()
    pointer = git_dir / "commondir"
    common = git_dir
    if pointer.is_file():
        text = pointer.read_bytes().decode("utf-8", "surrogateescape").rstrip("\r\n")
        common = (git_dir / text).resolve()
    return Repository(common_dir=common, git_dir=git_dir, top=top)
