"""planctl forked from a process that has imported all of it: a third of a second less for each start.

The child is a process of its own in every respect: its pid, parent, descriptors, folder, environment, group
and signals are those that ``subprocess`` would give it. Two things differ: what it imports late is there
already, and ``ps`` shows the command line of this program. Mercurial's suite does the same (``--chg``).

Only on Linux, since ``CLONE_PARENT`` makes the child one of whoever started this program; elsewhere, and with
``PLANCTL_TESTS_EXEC`` set, as `make stress` does, each planctl is a fresh interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import inspect
import io
import json
import os
import pkgutil
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

_ROOT: Final = Path(__file__).resolve().parents[2]
_CLONE: Final = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
_EXEC: Final = "PLANCTL_TESTS_EXEC" in os.environ
_CLONE_PARENT: Final = 0x8000
_LOADED: Final = (
    "PYTHON",
    "LC_",
    "LANG",
    "LD_",
    "GIT_DIR",
    "GIT_WORK",
    "GIT_INDEX",
    "GIT_OBJECT",
)  # what an interpreter reads at its start, and its loader
_STDERR: Final = 2
_LARGEST: Final = 1 << 18
_PROGRAMS: Final = ("orchestrator.cli.__main__", "orchestrator.running.supervisor_main")
_READ_THE_ENVIRONMENT: Final = ("plans.effects", "orchestrator.running.steps")  # when they are imported

# -- in the tests ------------------------------------------------------------------------------------------

_LOCK: Final = threading.Lock()
_PARAMETERS: Final = tuple(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]
_PIPES: Final = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


@dataclass(frozen=True)
class _Server:
    """The other end, and what of the environment its interpreter has read."""

    channel: socket.socket
    program: subprocess.Popen[bytes]
    settings: dict[str, str]

    def fork(self, order: dict[str, Any], descriptors: list[int]) -> int:
        """The pid of a planctl that has these for its streams."""
        with _LOCK:
            socket.send_fds(self.channel, [json.dumps(order).encode()], descriptors)
            return int(self.channel.recv(_LARGEST))

    def end(self) -> None:
        self.channel.close()
        self.program.wait()


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether this platform has it, and nothing is asked of the interpreter that the server's was not."""
    is_possible = sys.platform == "linux" and _CLONE is not None and not _EXEC
    return is_possible and _for_the_interpreter(environment) == _server().settings


def _for_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_LOADED)}


class Forked(subprocess.Popen[str]):
    """``Popen`` of ``planctl ARGUMENTS`` with all three streams given; the first one starts the server."""

    def _execute_child(self, *values: Any) -> None:
        """What ``Popen`` does to start the program, between the pipes that it made and its end of them."""
        given = dict(zip(_PARAMETERS, values, strict=True))
        order = {
            "arguments": given["args"],
            "cwd": os.fspath(given["cwd"]),
            "environment": given["env"],
            "group": given["process_group"],
        }
        self.pid = _server().fork(order, [given["p2cread"], given["c2pwrite"], given["errwrite"]])
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in _PIPES))


@functools.cache
def _server() -> _Server:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        program = subprocess.Popen(
            [sys.executable, "-m", __name__, str(there.fileno())],
            cwd=_ROOT,
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
        )
    server = _Server(here, program, _for_the_interpreter(os.environ))
    atexit.register(server.end)
    return server


# -- in the server -----------------------------------------------------------------------------------------


def _import_all() -> None:
    for package in ("plans", "worktrees", "orchestrator"):
        for module in pkgutil.walk_packages([str(_ROOT / package)], f"{package}."):
            if module.name not in _PROGRAMS:
                importlib.import_module(module.name)
    gc.freeze()


def _fork() -> int:
    """A fork whose child is a sibling: 0 in the child, its pid in the server."""
    interpreter = ctypes.pythonapi
    interpreter.PyOS_BeforeFork()
    # PyDLL, unlike CDLL, keeps the interpreter's lock over the call.
    child: int = ctypes.PyDLL(None).syscall(_CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    (interpreter.PyOS_AfterFork_Parent if child else interpreter.PyOS_AfterFork_Child)()
    return child


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each order: return it in the child, and None in the server once the tests have ended."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, 3)
        if not message:
            return None
        child = _fork()
        if child == 0:
            channel.close()
            return json.loads(message), descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(str(child).encode())


def _become(order: dict[str, Any], descriptors: list[int]) -> None:
    import pygit2

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        _stream(number, stream) for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr))
    )
    if order["group"] >= 0:
        os.setpgid(0, order["group"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    home = Path(order["environment"].get("HOME", "/"))
    xdg = Path(order["environment"].get("XDG_CONFIG_HOME") or home / ".config")
    # libgit2 looked for them when it was loaded.
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] = str(home)
    pygit2.settings.search_path[pygit2.enums.ConfigLevel.XDG] = str(xdg / "git")
    for name in _READ_THE_ENVIRONMENT:
        importlib.reload(sys.modules[name])
    sys.argv[:] = ["planctl", *order["arguments"]]


def _stream(number: int, like: TextIO) -> TextIO:
    """What the interpreter makes of a descriptor at its start."""
    return io.TextIOWrapper(
        open(number, "wb" if number else "rb", closefd=False),
        like.encoding,
        like.errors,
        line_buffering=number == _STDERR,
        write_through=bool(os.environ.get("PYTHONUNBUFFERED")),
    )


def _main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    _import_all()
    with contextlib.suppress(KeyboardInterrupt):  # the tests were ended at the terminal
        job = _serve(channel)
        if job is None:
            return
    from orchestrator.cli.main import main

    _become(*job)
    main()


if __name__ == "__main__":
    _main()
