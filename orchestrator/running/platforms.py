"""What differs between platforms about processes, in one place.

Linux is read through /proc with the standard library alone; elsewhere psutil tells, loaded only there. The
supervisor loads this module: nothing heavy may be imported at its top.

Identity: a process is (pid, start mark) within one boot. The mark is a float that differs between any two
processes of one boot that had the same pid: clock ticks since the boot on Linux, psutil's creation time
elsewhere. Every signal goes through :func:`send`, which proves identity first.
"""
# ruff: noqa: PTH115, PTH123, PTH208 - pathlib would cost every supervisor 5 ms and 1 MB

from __future__ import annotations

import os

from orchestrator.running.lean import Ignoring, signal
from orchestrator.running.steps import step
from plans.systems import LINUX, POSIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

MARKER: Final = "PLANCTL_ATTEMPT"
"""The environment variable that marks every process of an attempt."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_BYTES_OF_STAT: Final = 4096
# Positions in /proc/PID/stat behind the command's name, which may itself hold blanks and brackets: proc(5).
_STATE, _PARENT, _SESSION, _THREADS, _STARTED = 0, 1, 3, 17, 19


class Process:
    """One living process as it was seen: pid, parent's pid, session, start mark."""

    __slots__ = ("parent", "pid", "session", "started")

    def __init__(self, pid: int, parent: int, session: int, started: float) -> None:
        self.pid = pid
        self.parent = parent
        self.session = session
        self.started = started

    def __repr__(self) -> str:
        return f"Process({self.pid}, parent={self.parent}, session={self.session}, started={self.started})"


def find_process(pid: int) -> Process | None:
    """Return the living process ``pid``; a zombie is dead."""
    if not LINUX:
        return _foreign_process(pid)
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # the last: /proc with hidepid=1
        return None
    try:
        stat = os.read(descriptor, _BYTES_OF_STAT)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    return _parsed(pid, stat)


def _parsed(pid: int, stat: bytes) -> Process | None:
    fields = stat[stat.rindex(b")") + 2 :].split()
    # A process whose first thread ended shows as Z while others go on: it lives.
    if fields[_STATE] in b"ZXx" and int(fields[_THREADS]) <= 1:
        return None
    return Process(pid, int(fields[_PARENT]), int(fields[_SESSION]), float(fields[_STARTED]))


def seconds(mark: float) -> float:
    """A start mark as sessions keep it: seconds since the boot on Linux, the mark itself elsewhere."""
    return mark / os.sysconf("SC_CLK_TCK") if LINUX else mark


def is_alive(pid: int, started: float) -> bool:
    """Whether exactly that process lives; a later one with the same pid does not count."""
    process = find_process(pid)
    return process is not None and process.started == started


def all_processes() -> dict[int, Process]:
    """Return every living process that can be seen, by pid."""
    if not LINUX:
        return _foreign_processes()
    found = (find_process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def marker_of(pid: int) -> str | None:
    """Return the attempt in the environment that ``pid`` was started with; None if none or not readable."""
    return variable_of(pid, MARKER)


def variable_of(pid: int, name: str) -> str | None:
    """Return a variable of the environment that ``pid`` was started with; None if not set or not readable."""
    if not LINUX:
        return _foreign_variable(pid, name)
    prefix = name.encode() + b"="
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # gone, or another user's: not ours either way
        return None
    with open(descriptor, "rb") as stream:
        try:
            variables = stream.read().split(b"\0")
        except OSError:  # gone while it was read
            return None
    for variable in variables:
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode("ascii", "replace")
    return None


def pids() -> tuple[int, ...]:
    """The numbers of all processes but this one. Linux only, else none."""
    names = os.listdir("/proc") if LINUX else ()
    return tuple(sorted(int(name) for name in names if name.isdigit() and int(name) != os.getpid()))


def processes_in(folder: str) -> tuple[int, ...]:
    """The processes whose current folder is ``folder`` or below it, this one aside. Linux only, else none."""
    return tuple(pid for pid in pids() if is_in(pid, folder))


def is_in(pid: int, folder: str) -> bool:
    """Whether the current folder of ``pid`` is ``folder`` or below it; False where that cannot be told."""
    try:
        return f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(f"{folder}/")
    except OSError:  # gone, or another user's
        return False


def written_by(pid: int, folder: str) -> tuple[str, ...]:
    """The files below ``folder`` that ``pid`` has open for writing. Linux only, else none."""
    found = set()
    with Ignoring(OSError):  # gone, or another user's
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = os.readlink(f"/proc/{pid}/fd/{name}")
            if path.startswith(f"{folder}/") and _is_open_to_write(pid, name):
                found.add(path)
    return tuple(sorted(found))


def _is_open_to_write(pid: int, name: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{name}", "rb") as stream:
        flags = next(line for line in stream if line.startswith(b"flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY


def image_of(pid: int) -> bytes:
    """What the process says that it runs, its arguments included; empty where that cannot be told."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:  # it has ended, or this system has no such table
        return b""


def send(process: Process, number: int) -> bool:
    """Send signal ``number`` to exactly that process; return whether it was there to receive it.

    Where the kernel has process descriptors the proof has no gap: the descriptor is opened first, identity
    is read afterwards, and the signal goes to the descriptor. Elsewhere the gap is some microseconds. A
    process that may not be signalled (it changed its user) counts as not reached.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, ProcessLookupError):
        descriptor = -1
    except OSError:  # ENOSYS before Linux 5.3, EPERM in some sandboxes
        descriptor = -1
    try:
        if not is_alive(process.pid, process.started):
            return False
        with step("running.signal"):
            if descriptor >= 0:
                signal.pidfd_send_signal(descriptor, number)
            else:
                os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True


def open_process(pid: int, started: float) -> int | None:
    """Return a descriptor that becomes readable when that process ends; None where there are none.

    None, too, when the process has ended already.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
    if is_alive(pid, started):
        return descriptor
    os.close(descriptor)
    return None


def become_subreaper() -> bool:
    """Let orphans among this process's descendants become its own children; return whether that holds."""
    if not LINUX:
        return False
    try:
        import ctypes  # noqa: PLC0415 - Linux only, and not every Python was built with it
    except ImportError:
        return False
    return int(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0


def is_still(pid: int) -> bool:
    """Whether every thread of ``pid`` is stopped or dead; True where that cannot be known.

    A signal does not interrupt a fork that has begun: only then can no child appear any more.
    """
    if not LINUX:
        return True
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return all(_state(f"/proc/{pid}/task/{thread}/stat") in b"TtZXx" for thread in threads)
    except (FileNotFoundError, ProcessLookupError):
        return True


def _state(path: str) -> bytes:
    with open(path, "rb") as stream:
        stat = stream.read()
    return stat[stat.rindex(b")") + 2 :].split()[_STATE]


def own_children() -> tuple[int, ...]:
    """Return the children of this process, of one thread, fast; nothing where the kernel does not list them.

    Until it is reaped a child's number is nobody else's: it may be signalled without further proof.
    """
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as stream:
            return tuple(int(pid) for pid in stream.read().split())
    except OSError:
        return ()


def _foreign_process(pid: int) -> Process | None:
    import psutil  # noqa: PLC0415 - not needed on Linux

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid, process.ppid(), _session(pid), process.create_time())
    except psutil.Error:
        return None


def _foreign_processes() -> dict[int, Process]:
    import psutil  # noqa: PLC0415 - not needed on Linux

    found = (_foreign_process(pid) for pid in psutil.pids())
    return {process.pid: process for process in found if process is not None}


def _foreign_variable(pid: int, name: str) -> str | None:
    import psutil  # noqa: PLC0415 - not needed on Linux

    with Ignoring(psutil.Error):  # gone, or another user's
        environment: dict[str, Any] = psutil.Process(pid).environ()
        return environment.get(name)
    return None


def _session(pid: int) -> int:
    if POSIX:
        with Ignoring(OSError):  # gone, or another user's
            return os.getsid(pid)
    return 0
