"""The one place where a repository is opened with libgit2: raw objects in and out, references read.

Every thread opens its own libgit2 repository on the common git folder. libgit2 looks again on disk when it
misses an object and checks the packed references' stamp at each look-up, so what git children and other
processes write meanwhile is seen; nothing read from a reference is kept here.

libgit2 writes loose objects without fsync; :meth:`ObjectStore.flush` syncs their files and folders, and is
called wherever a commit, tree or blob is handed out as finished (``core.fsync=committed`` in environment.py
does it for what git children write).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Final

import pygit2
from pygit2.enums import ObjectType, RepositoryOpenFlag

from plans.effects import step, sync_folder
from plans.systems import TO_SYNC
from worktrees.coreconfig import is_true
from worktrees.errors import (
    GitFailedError,
    GitRefusedError,
    MissingObjectError,
    PromisedObjectError,
    UnsupportedRepositoryError,
)
from worktrees.git import Git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from worktrees.repository import Repository

# Extensions that change nothing for who reads and writes single objects: git fetches what is missing.
_HARMLESS: Final = ("partialclone", "relativeworktrees")
_ID: Final = re.compile(r"[0-9a-f]{40}")
_TRIES: Final = 5
_extensions: Final = threading.Lock()


def _number_of(error: Exception) -> int | None:
    """The system's error, of which libgit2 tells the words alone, at the end of its own, or nothing."""
    said = str(error)
    return next((number for number in errno.errorcode if said.endswith(os.strerror(number))), None)


class ObjectStore:
    """Raw objects and references of one repository. Safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        """Open; raise :class:`UnsupportedRepositoryError` (SHA-256, reftable, unknown extensions)."""
        self.repository = repository
        self._git = Git(repository)
        self.settings = self._git.settings
        self._local = threading.local()
        _ = self._repo

    @property
    def _repo(self) -> pygit2.Repository:
        repo = getattr(self._local, "repo", None)
        if repo is None:
            self._local.edge = self._edge()  # first: what moves meanwhile is noticed
            repo = self._local.repo = _open(self.repository)
        return repo

    def _edge(self) -> tuple[int, int, int] | None:
        """What changes with the edge of a shallow clone; None where history is not cut off."""
        try:
            found = (self.repository.common_dir / "shallow").stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _is_shallow(self) -> bool:
        """Whether history is cut off, asked before it is read.

        libgit2 keeps a commit with the parents that it had when it was read first. So where the edge has
        moved since, by a ``git fetch --unshallow`` perhaps, this thread opens the repository anew.
        """
        edge = self._edge()
        if edge != getattr(self._local, "edge", edge):
            self._local.repo = None
        return edge is not None

    # -- reading ------------------------------------------------------------------------------------

    def read(self, object_: str) -> bytes:
        """Return the content of any object; one that a partial clone lacks is fetched by git.

        Raises :class:`MissingObjectError`, for a text that is no id too.
        """
        if not _ID.fullmatch(object_):
            raise MissingObjectError(object_)
        try:
            return self._repo.read(object_)[1]
        except KeyError:
            return self._fetched(object_)

    def _fetched(self, object_: str) -> bytes:
        try:
            kind = self._git.run("cat-file", "-t", "--end-of-options", object_).text
            return self._git.run("cat-file", kind, "--end-of-options", object_).output
        except GitRefusedError as error:
            if self.is_partial:
                raise PromisedObjectError(object_) from error
            raise MissingObjectError(object_) from error

    @property
    def is_partial(self) -> bool:
        """Whether this is a partial clone, which may lack objects and is not damaged."""
        promisors = self.settings.named("remote", "promisor").values()
        return bool(self.settings.get("extensions.partialclone")) or any(map(is_true, promisors))

    def has(self, object_: str) -> bool:
        """Whether the object is here, without fetching it."""
        return object_ in self._repo

    # -- writing ------------------------------------------------------------------------------------

    def write(self, kind: ObjectType, data: bytes, *, durable: bool = True) -> str:
        """Write one object; return its id.

        It is durable once :meth:`flush` was called by the same thread; ``durable=False``: it need not be.
        """
        with step("objects.write"):
            object_ = self._written(kind, data)
        if durable:
            self._unsynced.append(object_)
        return object_

    def _written(self, kind: ObjectType, data: bytes) -> str:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(OSError):  # a git gc swept the object's folder away in the middle of it
                return self._put(kind, data)
        return self._put(kind, data)

    def _put(self, kind: ObjectType, data: bytes) -> str:
        """Raises OSError with the system's number, where that can be told."""
        try:
            return str(self._repo.odb.write(kind, data))
        except (OSError, pygit2.GitError) as error:
            free = shutil.disk_usage(self.repository.common_dir).free
            number = _number_of(error) or (errno.ENOSPC if free < len(data) else None)
            if number is None:
                raise
            raise OSError(number, f"an object cannot be written: {os.strerror(number)}") from error

    @property
    def _unsynced(self) -> list[str]:
        found: list[str] | None = getattr(self._local, "unsynced", None)
        if found is None:
            found = self._local.unsynced = []
        return found

    def flush(self) -> None:
        """Have all that this thread wrote survive a power cut: files and their folders synced, all at once.

        Side by side they share the file system's journal commits: half the time of one after the other.
        """
        if not self._unsynced or getattr(self._local, "later", False):
            return
        files = [self.repository.common_dir / "objects" / o[:2] / o[2:] for o in self._unsynced]
        for _ in _syncing().map(_sync, {*files, *(file.parent for file in files)}):
            pass
        self._unsynced.clear()

    @contextlib.contextmanager
    def flushed_together(self) -> Iterator[None]:
        """Within this, what this thread writes is synced once, at the end: nothing may refer to it before."""
        self._local.later = True
        try:
            yield
        finally:
            self._local.later = False
        self.flush()

    def sync_loose(self, objects: Iterable[str]) -> None:
        """Have those of ``objects`` that are loose survive a power cut, whoever wrote them."""
        root = self.repository.common_dir / "objects"
        self._unsynced.extend(o for o in objects if (root / o[:2] / o[2:]).exists())
        self.flush()

    def write_blob(self, content: bytes) -> str:
        """Write a file's content, durably; return its id."""
        object_ = self.write(ObjectType.BLOB, content)
        self.flush()
        return object_

    # -- references (for references.py) -------------------------------------------------------------

    def reference(self, name: str) -> str | None:
        """Return what a reference points at in the end, as it is on disk now; None when there is none.

        Raises :class:`GitFailedError` for a reference that cannot be read, such as an empty file.
        """
        try:
            return str(self._repo.lookup_reference(name).resolve().target)
        except (KeyError, pygit2.InvalidSpecError):
            return None
        except pygit2.GitError as error:
            raise GitFailedError(("reference", name), 128, str(error)) from error

    def reference_names(self, prefix: str) -> tuple[str, ...]:
        """Return the full names that start with ``prefix``, of references that cannot be read too."""
        names = (_text(raw) for raw in self._repo.raw_listall_references())
        return tuple(name for name in names if name.startswith(prefix))

    def references(self, prefix: str) -> dict[str, str]:
        """Return the references whose names start with ``prefix``, as they are on disk now."""
        pairs = ((name, self.reference(name)) for name in self.reference_names(prefix))
        return {name: object_ for name, object_ in pairs if object_ is not None}

    def first_logged(self, name: str) -> str | None:
        """Return the message of the oldest entry in the log of a reference; None when there is none."""
        try:
            log = list(self._repo.lookup_reference(name).log())
        except (KeyError, pygit2.InvalidSpecError):
            return None
        return log[-1].message if log else None

    def now(self) -> tuple[int, int]:
        """Return (seconds since the epoch, minutes east of UTC), as git would stamp a commit now."""
        stamp = pygit2.Signature("now", "now")
        return stamp.time, stamp.offset


@cache
def _syncing() -> ThreadPoolExecutor:
    """Kept: to start the threads costs more than a fast disk's syncs."""
    return ThreadPoolExecutor(16, thread_name_prefix="sync")


def _sync(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # packed, perhaps this moment, and its folder swept away
        if path.is_dir():
            sync_folder(path)
            return
        descriptor = os.open(path, TO_SYNC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _open(repository: Repository) -> pygit2.Repository:
    with _extensions:
        known = set(pygit2.settings.extensions)
        if not known.issuperset(_HARMLESS):
            pygit2.settings.set_extensions([*_HARMLESS, *known])
        try:
            return pygit2.Repository(str(repository.common_dir), RepositoryOpenFlag.NO_SEARCH)
        except pygit2.GitError as error:
            if "not owned by current user" not in str(error):
                raise UnsupportedRepositoryError(repository.common_dir, str(error)) from error
            return _open_anyway(repository)


def _open_anyway(repository: Repository) -> pygit2.Repository:
    """Open a repository of somebody else's if git does: libgit2 does not read all of git's safe.directory.

    Raises UnsupportedRepositoryError with git's word.
    """
    Git(repository).run("rev-parse", "--git-dir", at=repository.top or repository.git_dir)
    pygit2.settings.owner_validation = False
    try:
        return pygit2.Repository(str(repository.common_dir), RepositoryOpenFlag.NO_SEARCH)
    except pygit2.GitError as error:
        raise UnsupportedRepositoryError(repository.common_dir, str(error)) from error
    finally:
        pygit2.settings.owner_validation = True
