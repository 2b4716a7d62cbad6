"""Files that no tree of git can hold as they are, kept as bare bytes beside a snapshot.

These are repositories inside a worktree, whole: every file of theirs that they do not ignore themselves, and
every file of their git folders, whatever kind of repository that is (shallow, partial, SHA-256, broken). git
is not asked for their content, so neither their settings nor their damage can keep it from being saved.
Names that git refuses in a tree are kept the same way.

A submodule's git folder lies in the metadata of its worktree and dies with it. It is recorded as the folder
``.git`` of the submodule itself, where git has it work just as well.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from worktrees.errors import GitRefusedError
from worktrees.ondisk import look
from worktrees.scratch import store_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worktrees.git import Git

NAME: Final = "aside.json"
FOLDER: Final = "aside"
LEFT_OVER: Final = ".rescued"
"""Where a restore puts git folders that belong to no folder of the worktree any more."""


_Visit: TypeAlias = "tuple[str, Path, frozenset[str], bool]"


@dataclass(frozen=True, slots=True)
class Found:
    """Something on disk to keep at ``path`` (relative to the worktree); ``source`` is where it is now."""

    path: str
    source: Path


@dataclass(frozen=True, slots=True)
class Kept:
    """One folder, link or file: a file has an ``object``, a link a ``target``, a folder neither.

    ``permissions`` are the nine bits; a link has none (0).
    """

    path: str
    permissions: int = 0
    object: str | None = None
    target: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which is kept for its being there."""
        return self.object is None and self.target is None


@dataclass(slots=True)
class Aside:
    """All that is kept beside a snapshot.

    ``embedded`` are git folders that lay elsewhere before, so that their ``core.worktree`` is wrong now;
    ``worktrees`` maps linked worktrees of the same repository to snapshots of their own.
    """

    kept: list[Kept] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    worktrees: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """ASCII JSON; names that are not UTF-8 survive as escaped surrogates."""
        return json.dumps(asdict(self), sort_keys=True).encode("ascii")

    @classmethod
    def decoded(cls, data: bytes) -> Aside:
        """Read what :meth:`encoded` wrote. Raises :class:`ValueError` for anything else."""
        try:
            value: dict[str, Any] = json.loads(data)
            return cls([Kept(**one) for one in value.pop("kept")], **value)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("what it keeps aside cannot be read") from error


class Gatherer:
    """Finds what is to be kept of folders with repositories in them.

    ``own`` is the metadata folder of the worktree ``top``: git folders in it are taken along.
    ``linked`` are folders that are worktrees of the same repository, which nothing is taken of here;
    ``unreadable`` maps paths to why they could not be looked at.
    """

    def __init__(self, git: Git, top: Path, own: Path | None, patterns: Sequence[str]) -> None:
        self._git = git
        self._top = top
        self._own = own
        self._patterns = patterns
        self.found: list[Found] = []
        self.embedded: list[str] = []
        self.linked: list[str] = []
        self.unreadable: dict[str, str] = {}

    def take_repository(self, root: str) -> None:
        """Take all that the folder ``root`` of the worktree holds, less what repositories in it ignore."""
        self._walk(root, self._top / root)

    def take_folder(self, path: str, source: Path) -> None:
        """Take all of a folder that may lie elsewhere, as if it were ``path``; links are not followed."""
        self._walk(path, source, plain=True)

    def take_all(self) -> None:
        """Take the whole worktree but for its own ``.git``."""
        self._walk("", self._top, ignored=frozenset({".git"}), plain=True)

    def _walk(
        self, path: str, source: Path, ignored: frozenset[str] = frozenset(), *, plain: bool = False
    ) -> None:
        waiting = [(path, source, ignored, plain)]
        while waiting:
            waiting += self._visit(*waiting.pop())

    def _visit(self, path: str, source: Path, ignored: frozenset[str], plain: bool) -> list[_Visit]:  # noqa: FBT001 - a record
        try:
            entries = sorted(os.scandir(source), key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable[path] = str(error)
            return []
        if not plain and any(entry.name == ".git" for entry in entries):
            if is_linked_worktree(self._git, source):
                self.linked.append(path)
                return []
            ignored |= self._ignored(path, source)
        if path:
            self.found.append(Found(path, source))
        inner = {(f"{path}/{entry.name}" if path else entry.name): entry for entry in entries}
        steps = (self._entry(name, e, ignored, plain) for name, e in inner.items() if name not in ignored)
        return [visit for visit in steps if visit is not None]

    def _entry(
        self,
        path: str,
        entry: os.DirEntry[str],
        ignored: frozenset[str],
        plain: bool,  # noqa: FBT001 - a record
    ) -> _Visit | None:
        """Take a file or link; return the folder that is to be visited in its place, or None."""
        place = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            return path, place, ignored, plain or entry.name == ".git"
        if entry.name == ".git" and (git_dir := self._own_git_dir(place)):
            self.embedded.append(path)
            return path, git_dir, frozenset(), True
        if entry.is_symlink() or entry.is_file(follow_symlinks=False):
            self.found.append(Found(path, place))
        return None

    def _ignored(self, path: str, source: Path) -> frozenset[str]:
        """What the repository at ``source`` ignores and nobody wants; nothing where git cannot read it."""
        asked = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
        try:
            names = self._git.run(*asked, "--directory", at=source).records
            specs = [spec for pattern in self._patterns for spec in pathspecs(pattern)]
            wanted = self._git.run(*asked, "--", *specs, at=source).records if specs else []
        except GitRefusedError:
            return frozenset()
        self.found += [Found(f"{path}/{name}", source / name) for name in wanted if not name.endswith("/")]
        return frozenset(f"{path}/{name.rstrip('/')}" for name in names)

    def _own_git_dir(self, dot_git: Path) -> Path | None:
        """The folder that a ``.git`` file or link names, if it lies in the worktree's own metadata."""
        target = git_dir_named(dot_git)
        if self._own is None or target is None or not target.is_dir():
            return None
        return target if target.is_relative_to(self._own.resolve()) else None


def git_dir_named(dot_git: Path) -> Path | None:
    """The folder that a ``.git`` file (or link) names, resolved; None where it names none."""
    if dot_git.is_symlink():
        return dot_git.resolve()
    try:
        text = dot_git.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None
    if not text.startswith("gitdir:") or "\0" in text:
        return None
    return (dot_git.parent / text.removeprefix("gitdir:").strip()).resolve()


def is_linked_worktree(git: Git, folder: Path) -> bool:
    """Whether ``folder`` is a linked worktree of the repository that ``git`` works on."""
    git_dir = git_dir_named(folder / ".git") if (folder / ".git").is_file() else None
    return git_dir is not None and git_dir.parent == git.repository.common_dir / "worktrees"


def pathspecs(pattern: str) -> tuple[str, str]:
    """The pathspecs of a ``rescue_ignored`` pattern: without a slash at any depth; of a folder, all in it."""
    plain = pattern.strip("/")
    anywhere = "" if "/" in pattern.rstrip("/") else "**/"
    return f":(top,glob){anywhere}{plain}", f":(top,glob){anywhere}{plain}/**"


def store(git: Git, found: Sequence[Found], lost: Callable[[str, str], object]) -> list[Kept]:
    """Write the bytes of what was found as objects, and prove it by a second look.

    ``lost`` is told path and reason of whatever cannot be read or changes meanwhile. Raises
    :class:`GitFailedError` and :class:`OSError` where objects cannot be written.
    """
    kept: list[Kept] = []
    files: list[tuple[Found, int]] = []
    for one in dict.fromkeys(found):
        try:
            mode = one.source.lstat().st_mode
            if stat.S_ISDIR(mode):
                kept.append(Kept(one.path, stat.S_IMODE(mode) & 0o777))
            elif stat.S_ISLNK(mode):
                kept.append(Kept(one.path, target=str(one.source.readlink())))
            elif os.access(one.source, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                files.append((one, stat.S_IMODE(mode) & 0o777))
            else:
                lost(one.path, "it cannot be read")
        except OSError as error:
            lost(one.path, str(error))
    stored = store_files(git, git.repository.common_dir, [str(one.source) for one, _ in files])
    for (one, permissions), object_ in zip(files, stored, strict=True):
        seen = look(one.source.parent, one.source.name)
        if seen is None or seen.object != object_:
            lost(one.path, "it changed while it was captured")
        kept.append(Kept(one.path, permissions, object_))
    return kept
