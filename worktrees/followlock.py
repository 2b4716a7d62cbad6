"""The lock under which a user's checkout is brought along, and the mark by which a dead worker's is known.

Two locks, held together from before a landing until its files are in place:

- git's own ``<gitdir>/index.lock``, so that no git of the user's works on the index meanwhile. It holds a
  mark: which landing it is for. It is made with its content in one moment, so a crash never leaves an empty
  one, which would be nobody's.
- a lock of the kernel on ``<state>/follow/<worktree>/lock``, inherited by the git children at work there.
  Whoever gets it knows that the process that made the mark, and all its children, are gone.

Not promised: anything on Windows, where the second lock does not exist and a dead worker's mark is taken
over as soon as it is met.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from plans import systems
from plans.effects import step, sync_files
from worktrees.errors import CheckoutLockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.repository import Repository

MARK: Final = "planctl follow"
BUSY: Final = "another planctl is bringing it along"
_FIELDS: Final = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """Which landing an index is locked for: the target's full name, its commits, and whose landing it is."""

    reference: str
    old: str
    new: str
    token: str

    def line(self) -> str:
        """The content of the lock file."""
        return f"{MARK} {self.reference} {self.old} {self.new} {self.token}\n"


def read_mark(git_dir: Path) -> Mark | None:
    """The mark on the index of a checkout; None when it is not locked, or not by planctl."""
    try:
        text = (git_dir / "index.lock").read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not text.startswith(f"{MARK} ") or not text.endswith("\n"):
        return None
    fields = text.removeprefix(f"{MARK} ").split()
    return Mark(*fields) if len(fields) == _FIELDS else None


class FollowLock:
    """The two locks of one checkout. Made by :func:`take_over`, ended by :meth:`release`."""

    def __init__(self, git_dir: Path, folder: Path, held: BinaryIO | None) -> None:
        self.git_dir = git_dir
        self.folder = folder
        self._held = held

    @property
    def is_held(self) -> bool:
        """Whether :meth:`release` has not been called yet."""
        return self._held is not None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What git children at work on this checkout must inherit."""
        return () if self._held is None else systems.passed_on(self._held.fileno())

    def mark(self, mark: Mark) -> None:
        """Lock the index; raises :class:`CheckoutLockedError` when git, or somebody else, has it."""
        draft = self.folder / "mark"
        with step("checkout.draft"):
            draft.write_bytes(mark.line().encode("utf-8", "surrogateescape"))
            sync_files(draft)  # an empty lock after a power cut would be nobody's
        lock = self.git_dir / "index.lock"
        try:
            with step("checkout.lock"):
                _named_exclusively(draft, lock)
        except FileExistsError as error:
            why = f"{lock} is there: git is at work in that checkout, or was killed there"
            raise CheckoutLockedError(self.git_dir, why, lock) from error
        finally:
            with step("checkout.drafted"):
                draft.unlink(missing_ok=True)

    def unmark(self) -> None:
        """Unlock the index if it is locked by planctl; only the holder of the kernel's lock may."""
        if read_mark(self.git_dir) is not None:
            with step("checkout.unlock"):
                (self.git_dir / "index.lock").unlink(missing_ok=True)

    def copy_of_index(self) -> Path:
        """The path of a copy of the index to work on; what a killed child left beside it is removed.

        The copy keeps the time of the original: git takes an entry for unchanged when its file is older.
        """
        import shutil  # noqa: PLC0415 - most look-ups of marks copy nothing

        copy = self.folder / "index"
        with step("checkout.copy"), contextlib.suppress(FileNotFoundError):  # an absent index is an empty one
            for left in (copy, copy.with_name("index.lock")):
                left.unlink(missing_ok=True)
            shutil.copy2(self.git_dir / "index", copy)
        return copy

    def keep_time(self, copy: Path) -> None:
        """Give a copy that git has written again the time of the original.

        Entries that git was told not to look at it takes for looked at then: a file that was edited in the
        moment of the original's writing would pass for unchanged.
        """
        with step("checkout.time"), contextlib.suppress(FileNotFoundError):  # both absent: an empty index
            was = (self.git_dir / "index").stat()
            os.utime(copy, ns=(was.st_atime_ns, was.st_mtime_ns))

    def release(self) -> None:
        """Let go of the kernel's lock; the index must be unlocked already. Harmless when called twice."""
        if self._held is not None:
            self._held.close()
            self._held = None


def take_over(repository: Repository, git_dir: Path) -> FollowLock | None:
    """The kernel's lock of a checkout, whatever its index looks like; None while another process has it."""
    folder = (
        repository.state_dir / "follow" / ("primary" if git_dir == repository.common_dir else git_dir.name)
    )
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "lock").open("ab")
    if not systems.WINDOWS and not systems.lock(held.fileno(), wait=False):
        held.close()
        return None
    return FollowLock(git_dir, folder, held)


@contextlib.contextmanager
def following(repository: Repository, git_dir: Path) -> Iterator[FollowLock | None]:
    """The kernel's lock of a checkout while something else is done there: no landing brings it along."""
    lock = take_over(repository, git_dir)
    try:
        yield lock
    finally:
        if lock is not None:
            lock.release()


def left_drafts(repository: Repository) -> tuple[Path, ...]:
    """Copies and drafts beside the kernel's locks that nobody holds; nothing is changed.

    Those of a checkout that is still marked are the recovery's to use.
    """
    return tuple(path for lock in _unheld(repository) for path in _drafts(lock))


def remove_drafts(repository: Repository) -> None:
    """Remove what :func:`left_drafts` finds, each under its lock."""
    for lock in _unheld(repository):
        with step("checkout.litter"):
            for path in _drafts(lock):
                path.unlink(missing_ok=True)


def _unheld(repository: Repository) -> Iterator[FollowLock]:
    root = repository.state_dir / "follow"
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        primary = folder.name == "primary"
        git_dir = repository.common_dir if primary else repository.common_dir / "worktrees" / folder.name
        lock = take_over(repository, git_dir)
        if lock is not None:
            try:
                yield lock
            finally:
                lock.release()


def _drafts(lock: FollowLock) -> list[Path]:
    if read_mark(lock.git_dir) is not None:
        return []
    return sorted(path for path in lock.folder.iterdir() if path.name != "lock")


def _named_exclusively(draft: Path, name: Path) -> None:
    """Give ``draft`` the second name ``name``, which must be free: content and name in one moment."""
    try:
        os.link(draft, name)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network file systems)
        with name.open("xb") as file:
            file.write(draft.read_bytes())
