"""One change of worktree metadata at a time per repository, across threads and processes.

Promise: while it is held, no other planctl adds, removes or prunes a worktree of this repository, nor does
a git child that an earlier, killed planctl left behind: such children inherit the descriptors that are
yielded, and the kernel keeps the lock until the last of them is closed. Not promised: anything about git
commands that the user types. Nobody checks a token: what the lock guards is safe to find half done
(see ``provision``).

A blocking ``flock`` and not filelock's polling: 64 provisions at once would wait 50 ms at each turn for a
change that takes 5, and the lock must be inheritable. On Windows, which has neither, filelock does it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worktrees.repository import Repository


@contextlib.contextmanager
def metadata_lock(repository: Repository) -> Iterator[tuple[int, ...]]:
    """Hold the repository's lock; yields the descriptors that git children must inherit. Not reentrant."""
    path = repository.state_dir / "worktrees.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        from filelock import FileLock  # noqa: PLC0415 - only where flock is missing

        with FileLock(path):
            yield ()
        return
    with path.open("ab") as lock:
        take(lock, wait=True)
        yield (lock.fileno(),)


def take(lock: BinaryIO, *, wait: bool, shared: bool = False) -> bool:
    """Take a kernel lock on an open file; False when it is held and ``wait`` is False.

    Exclusive, or ``shared`` with others that take it so (on Windows it is exclusive always).

    It is held until the file, and every copy of it that a child inherited, is closed.
    """
    if os.name == "nt":  # one byte far beyond the content, so that the content stays readable
        import msvcrt  # noqa: PLC0415 - only there

        lock.seek(1 << 30)
        try:
            msvcrt.locking(  # type: ignore[attr-defined,unused-ignore]
                lock.fileno(),
                msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK,  # type: ignore[attr-defined,unused-ignore]
                1,
            )
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(lock, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
