"""The command's own process, from the fork until it is the command. Loaded by the supervisor: lean imports.

1. a session and process group of its own; signals as a fresh process has them
2. wait at the gate until the supervisor has recorded this process; a closed gate means that nobody wants it
3. terminal or /dev/null as stdin, the working folder, exec

Output goes to the descriptors 1 and 2, which are the log already; only a terminal replaces them.
"""

from __future__ import annotations

import os

from orchestrator.running.lean import signal
from orchestrator.running.steps import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from orchestrator.running.supervisor import Orders

NOT_FOUND: Final = 127
"""Exit status of a command that could not be started, as shells have it."""


def fork(orders: Orders, terminal: tuple[int, int] | None) -> tuple[int, int]:
    """Fork the command's process; return (pid, gate).

    One byte into the gate lets it go; closing the gate ends it.
    """
    wait_here, gate = os.pipe()
    # Blocked over the fork: the handlers that the child starts with are the supervisor's, and would swallow
    # a TERM that comes before it has taken them off.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    with step("supervisor.fork"):
        pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(wait_here)
        return pid, gate
    try:
        os.close(gate)
        _become(orders, wait_here, terminal)
    except OSError as error:
        name = os.fsdecode(orders.argv[0])
        os.write(2, f"planctl: {name} cannot be run: {error}\n".encode("utf-8", "surrogateescape"))
    finally:
        os._exit(NOT_FOUND)  # whatever happens, a second supervisor must not come out of this function


def _become(orders: Orders, wait_here: int, terminal: tuple[int, int] | None) -> NoReturn:
    signal.set_wakeup_fd(-1)
    # What is ignored stays so over exec: by the interpreter SIGPIPE and SIGXFSZ, by a shell that put planctl
    # into the background SIGINT and SIGQUIT. The two that the C library keeps for itself cannot be set.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if terminal is None:
        os.setsid()
    if os.read(wait_here, 1) != b"g":
        os._exit(NOT_FOUND)
    if terminal is None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    else:
        os.close(terminal[0])
        os.login_tty(terminal[1])
    os.chdir(orders.cwd)
    os.execvpe(orders.argv[0], orders.argv, orders.environment)
