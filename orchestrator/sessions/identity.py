"""Which process is meant, beyond doubt: its pid and the moment it started, on this boot.

A pid alone is given again to others. The start time is counted from the boot where the kernel says so
(Linux), because seconds since the epoch, as psutil gives them, move when the wall clock is set.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from typing import TYPE_CHECKING, Final

from orchestrator.clock import boot_id, host
from plans.effects import step
from plans.systems import LINUX, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_NAMESPACE: Final = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel
_TOLERANCE: Final = 0.02 if LINUX else 1.5
_STATE, _THREADS, _STARTED = 0, 17, 19  # of /proc/<pid>/stat, counted from behind the name; see proc(5)


@cache
def here() -> str:
    """This host's name; in a container with the namespace that its pids belong to, after a slash."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - a name, not a path
    except OSError:
        namespace = ""
    return host() if namespace in {"", _FIRST_NAMESPACE} else f"{host()}/{namespace}"


@cache
def container() -> str:
    """What kind of container this process is in, for people; an empty text for none that can be told."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    for mark, name in (("/run/.containerenv", "podman"), ("/.dockerenv", "docker")):
        if os.path.exists(mark):  # noqa: PTH110 - as above
            return name
    return os.environ.get("container", "")  # noqa: SIM112 - as systemd-nspawn and podman name it


def is_alive(pid: int, started: float, boot: str, host: str, *, this_boot: str | None = None) -> bool:
    """Whether that process may be alive: False only when it is proven that it is not.

    Another boot, no such pid, a zombie, or a pid that started at another moment prove it. A process that
    cannot be seen (another container's, or hidden from this user) counts as alive.
    """
    if boot != (this_boot or boot_id()):
        return False
    if _namespace(host) != _namespace(here()):
        return True
    if pid <= 0:
        return False
    found = _linux_start(pid) if LINUX else _start_by_psutil(pid)
    if found is None or started <= 0:
        return _exists(pid)  # one of the two moments is not known
    return abs(found - started) < _TOLERANCE


def proven(pid: int, started_at: float, boot: str, host: str) -> bool:
    """Whether it is seen from here, beyond doubt, that exactly that process lives.

    The other way round than :func:`is_alive`: in doubt, False. What is to be ended must be proven.
    """
    if boot != boot_id() or _namespace(host) != _namespace(here()) or pid <= 1 or started_at <= 0:
        return False
    found = started(pid)
    return found is not None and abs(found - started_at) < _TOLERANCE


def signal_process(pid: int, started_at: float, boot: str, host: str, number: int) -> bool:
    """Send signal ``number`` to exactly that process of planctl's; False when it is proven gone.

    Unlike :func:`is_alive`, what cannot be seen from here is never touched: PermissionError. Where the kernel
    has process descriptors, the proof has no gap: the descriptor is opened before identity is read.
    """
    if not is_alive(pid, started_at, boot, host):
        return False
    if _namespace(host) != _namespace(here()) or started(pid) is None:
        raise PermissionError(f"process {pid} on {host} cannot be seen from here")
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
    except OSError:  # gone meanwhile, or no such call in this kernel or sandbox
        descriptor = -1
    try:
        if not is_alive(pid, started_at, boot, host):
            return False
        with step("sessions.signal"):
            if descriptor >= 0:
                signal.pidfd_send_signal(descriptor, number)
            else:
                os.kill(pid, number)
    except ProcessLookupError:
        return False
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True


def started(pid: int) -> float | None:
    """When the process started, as kept in ``Session.process_started``; None when it cannot be told."""
    return _linux_start(pid) if LINUX else _start_by_psutil(pid)


def _namespace(host: str) -> str:
    return host.partition("/")[2]


def _linux_start(pid: int) -> float | None:
    """Seconds from boot to start; -1 for a process that has ended and waits for its parent to notice."""
    fields = _stat(pid)
    if fields is None:
        return None
    if fields[_STATE] in {"Z", "X"} and int(fields[_THREADS]) <= 1:
        return -1.0
    return int(fields[_STARTED]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> Sequence[str] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a Path costs more than the read
            text = file.read()
    except OSError:
        return None
    return text.rpartition(b")")[2].decode("ascii").split()


def _start_by_psutil(pid: int) -> float | None:
    import psutil  # noqa: PLC0415 - 20 ms, and Linux does without

    try:
        process = psutil.Process(pid)
        return -1.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _exists(pid: int) -> bool:
    """Whether there is such a pid at all, seen or not."""
    if WINDOWS:
        import psutil  # noqa: PLC0415 - os.kill would end the process there

        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
