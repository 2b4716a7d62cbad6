"""What differs between operating systems, asked in this one place; of processes see ``running/platforms``.

Whoever has to do something else on one of them asks for :data:`LINUX`, :data:`MACOS` or :data:`WINDOWS`;
what only one of them has (``fcntl``, ``termios``, ``resource``, ``msvcrt``, ``winreg``) is called from here
alone. Supervisors load this module: nothing heavy may be imported at its top.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NAME: Final = sys.platform
"""What Python calls it, for people."""
LINUX: Final = sys.platform.startswith("linux")
MACOS: Final = sys.platform == "darwin"
WINDOWS: Final = os.name == "nt"
POSIX: Final = os.name == "posix"
TO_SYNC: Final = os.O_RDWR if WINDOWS else os.O_RDONLY
"""How a file is opened to be synced."""
_FICLONE: Final = 0x40049409  # _IOW(0x94, 9, int), as every Linux file system that can has it
_FAR: Final = 1 << 30
_MACHINE_ID_DIGITS: Final = 32
_IDS: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def lock(descriptor: int, *, wait: bool, shared: bool = False) -> bool:
    """Take the kernel's lock on an open file; False when it is held and ``wait`` is False.

    Exclusive, or ``shared`` with others that take it so. It is held until the file is closed, and every copy
    of it that a child inherited. On Windows it is exclusive always, one process's alone, and on one byte far
    beyond the content, which stays readable.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - there alone

        with _FarBeyond(descriptor):
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError:
                return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let go what :func:`lock` took, for each process that has inherited the open file: flock(2)."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - there alone

        with _FarBeyond(descriptor):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_UN)


class _FarBeyond:
    """While this lasts, the file is at the byte that is locked."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0

    def __enter__(self) -> None:
        self._at = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        os.lseek(self._descriptor, _FAR, os.SEEK_SET)

    def __exit__(self, *_: object) -> None:
        os.lseek(self._descriptor, self._at, os.SEEK_SET)


def described() -> tuple[str, str]:
    """The system's name and the machine's architecture."""
    import platform  # noqa: PLC0415 - 3 ms that supervisors do without

    return platform.system(), platform.machine()


def passed_on(descriptor: int) -> tuple[int, ...]:
    """What a child is given to inherit of it: on Windows nothing, where no child inherits a lock."""
    return () if WINDOWS else (descriptor,)


def clone(source: int, target: int) -> bool:
    """Let the open file ``target`` share the blocks of ``source``; False where nothing can.

    Raises :class:`OSError` for what this file system, or these two files, cannot.
    """
    if not LINUX:
        return False
    import fcntl  # noqa: PLC0415 - not on Windows

    fcntl.ioctl(target, _FICLONE, source)
    return True


def file_limit() -> int | None:
    """How many files this process, and what it starts, may have open at once; None without a limit."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def open_terminal(rows: int, columns: int) -> tuple[int, int]:
    """Return (ours, the command's): a pseudo terminal that leaves line ends as they are. Not on Windows."""
    import termios  # noqa: PLC0415 - not on Windows

    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.ONLCR  # output flags: the log is a text file, not a teletype
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    termios.tcsetwinsize(theirs, (rows, columns))
    return ours, theirs


def machine_id() -> str:
    """The id that the system keeps of itself, not to be shown (machine-id(5)); empty where it has none."""
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - there alone

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    if sys.platform == "darwin":
        import ctypes  # noqa: PLC0415 - gethostuuid(2), which has no other door

        found, patience = (ctypes.c_ubyte * 16)(), (ctypes.c_long * 2)(1, 0)
        return bytes(found).hex() if ctypes.CDLL(None).gethostuuid(found, patience) == 0 else ""
    import contextlib  # noqa: PLC0415 - supervisors do without

    for path in _IDS:
        with contextlib.suppress(OSError):  # missing or not for us to read: the next, or none
            with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - as platforms.py
                text = file.read().strip()
            if len(text) == _MACHINE_ID_DIGITS:
                return text
    return ""
