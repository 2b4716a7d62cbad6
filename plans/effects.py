"""The ground floor: effects as named steps, and files that are written whole or not at all.

Every effect on disk, store or references happens inside ``with step("room.effect"):``. In production a
step costs one comparison. A test sets ``PLANCTL_STEP_TRACE`` to a file that receives each name, or
``PLANCTL_KILL_AT=NAME:before|after[:N]`` to have the process killed (SIGKILL) at the N-th such moment, or
``PLANCTL_KILL_AT=*:N`` at the N-th moment of all. ``PLANCTL_KILL_ONCE`` names a file that is made then, so
that of several processes (each counts for itself) only the first is killed.
``PLANCTL_FAIL_AT=ENOSPC@…`` (any name of ``errno``) in the same words raises that OSError there instead, as
a full or broken disk would; with a ``+`` at its end at every moment from then on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.systems import TO_SYNC, WINDOWS, lock, unlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KILL_AT: Final = os.environ.get("PLANCTL_KILL_AT", "")
_KILL_ONCE: Final = os.environ.get("PLANCTL_KILL_ONCE", "")
_FAIL_AT: Final = os.environ.get("PLANCTL_FAIL_AT", "")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_TRACE: Final = os.environ.get("PLANCTL_STEP_TRACE", "")
_ARMED: Final = bool(_KILL_AT or _FAIL_AT or _TRACE)
_seen: Final[Counter[str]] = Counter()
_failing: Final[set[str]] = set()
DRAFT: Final = r"\..+\.(?P<pid>[0-9]+)-[^.]*\.tmp"
"""Names of temporary files and folders of :func:`write_atomic` and :func:`create_atomic`, as a pattern.

One whose process is gone is left over: its content was never given its name.
"""


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Mark one effect, so that a test can kill the process right before and right after it."""
    if not _ARMED:
        yield
        return
    _moment(name, "before")
    yield
    _moment(name, "after")


def _moment(name: str, side: str) -> None:
    key = f"{name}:{side}"
    _seen[key] += 1
    if _TRACE:
        with Path(_TRACE).open("a", encoding="utf-8") as trace:
            trace.write(f"{key}:{_seen[key]}\n")
    _seen["*"] += 1
    names = (f"{key}:{_seen[key]}", f"*:{_seen['*']}", key if _seen[key] == 1 else None)
    if _KILL_AT in names and _is_first():
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    if _FAIL_AT:
        _fail_at(names)


def _is_first() -> bool:
    if _KILL_ONCE:
        try:
            Path(_KILL_ONCE).touch(exist_ok=False)
        except FileExistsError:
            return False
    return True


def _fail_at(names: tuple[str | None, ...]) -> None:
    kind, _, at = _FAIL_AT.partition("@")
    if at.removesuffix("+") in names and at.endswith("+"):
        _failing.add(at)
    if at in names or _failing:
        number = getattr(errno, kind)
        raise OSError(number, f"{os.strerror(number)} (PLANCTL_FAIL_AT {names[0]})")


def write_atomic(
    path: Path, content: bytes, *, durable: bool = True, last_look: Callable[[], None] = lambda: None
) -> None:
    """Replace ``path`` by ``content`` in one moment; a reader sees the old bytes or the new, never a mix.

    The order is the one that survives a crash (ALICE, OSDI 2014): temporary file in the same folder,
    fsync, rename, fsync of the folder. ``durable=False`` leaves out both fsyncs, for what can be made anew.
    Mode bits of a file that is replaced are kept. Raises :class:`OSError`; then nothing has changed. So it is
    when ``last_look`` raises, which is called when all is ready, the moment before the file is replaced.
    """
    import tempfile  # noqa: PLC0415 - 5 ms that commands which only read do without

    draft = None
    try:
        with step("file.draft"):
            handle, draft = tempfile.mkstemp(prefix=_draft(path), suffix=".tmp", dir=path.parent)
            with os.fdopen(handle, "wb") as temporary:
                temporary.write(content)
                temporary.flush()
                os.chmod(draft, _mode_for(path))  # noqa: PTH101 - a name, not a Path, is what mkstemp gives
                if durable:
                    os.fsync(temporary.fileno())
        with step("file.replace"):
            last_look()
            Path(draft).replace(path)
    except BaseException:
        if draft is not None:
            with step("file.undraft"):
                Path(draft).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def create_atomic(path: Path, content: bytes, mode: int = 0o666) -> bool:
    """Make ``path`` with ``content`` in one moment; False, and nothing done, when that name is taken.

    A link is a name taken, even one that leads nowhere. The content is written beside it, made durable and
    given its name by a hard link, which never replaces; where the file system has none, by an exclusive
    open, which is not whole after a crash in that very moment. ``mode`` is that of the file, less the umask.
    """
    import shutil  # noqa: PLC0415 - as above
    import tempfile  # noqa: PLC0415 - as above

    folder = None
    try:
        with step("file.draft"):
            folder = Path(tempfile.mkdtemp(prefix=_draft(path), suffix=".tmp", dir=path.parent))
            written = folder / "new"
            with os.fdopen(os.open(written, _NEW, mode), "wb") as temporary:
                temporary.write(content)
                temporary.flush()
                os.fsync(temporary.fileno())
        with step("file.create"):
            made = _named_exclusively(written, path, content, mode)
    finally:
        if folder is not None:
            with step("file.undraft"):
                shutil.rmtree(folder)
    sync_folder(path.parent)
    return made


def _draft(path: Path) -> str:
    """How the name of a temporary file for ``path`` begins; the process id says whose it is (see DRAFT)."""
    return f".{path.name[:60]}.{os.getpid()}-"


def _named_exclusively(written: Path, path: Path, content: bytes, mode: int) -> bool:
    try:
        os.link(written, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links here (FAT, some network file systems)
        try:
            with os.fdopen(os.open(path, _NEW, mode), "wb") as file:
                file.write(content)
        except FileExistsError:
            return False
    return True


def _mode_for(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o644


def sync_files(*paths: Path) -> None:
    """Make what others wrote into these files survive a power cut, and their names; raises OSError."""
    for path in paths:
        descriptor = os.open(path, TO_SYNC)
        try:
            with step("file.sync"):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in ``folder`` durable, where the platform can (not on Windows)."""
    if WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Append one whole line; lines of any number of processes writing at once never mix.

    One ``write`` on a descriptor opened with O_APPEND, repeated under an exclusive lock only should the
    system have taken less than the whole line. The line must not contain a newline. A last line that was torn
    (by a crash, or a full disk) is ended first: it is lost, and takes no other with it.
    """
    data = (line + "\n").encode("utf-8", "surrogateescape")
    with step("file.append"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            with _locked(descriptor):
                size = os.fstat(descriptor).st_size
                os.lseek(descriptor, max(0, size - 1), os.SEEK_SET)
                if size and os.read(descriptor, 1) != b"\n":
                    data = b"\n" + data
                while data:
                    data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    if WINDOWS:  # O_APPEND writes are whole by themselves there
        yield
        return
    lock(descriptor, wait=True)
    try:
        yield
    finally:
        unlock(descriptor)
