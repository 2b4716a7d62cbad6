"""A command under a lease: it runs while the lease is held, and is ended when that is lost.

1. a session of this very process, which beats; the leases, waited for
2. the command, with ``PLANCTL_LEASE`` and ``PLANCTL_LEASE_TOKEN`` in its environment
3. until it ends, is interrupted, or the lease is lost: then its whole tree is asked to end, and killed
4. the leases are given back

Not promised: that the command does nothing in the moments between the loss and its end. What must not be done
twice is to check the token, which rises with each grant.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LaunchFailedError
from orchestrator.running import platforms
from orchestrator.running.trees import ask_to_end, descendants, kill
from plans.effects import step

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from orchestrator.leases.lease import HeldLease
    from orchestrator.sessions.registry import SessionHandle

GRACE: Final = 10.0
_LOOK: Final = 0.2


def run_under(
    session: SessionHandle,
    held: HeldLease,
    argv: Sequence[str],
    *,
    cancelled: threading.Event,
    environ: Mapping[str, str],
) -> int:
    """Run ``argv`` to its end and return its exit status (128 + n when signal n ended it).

    Raises LeaseLostError when it was lost (the command has been ended), LaunchFailedError.
    """
    platforms.become_subreaper()
    environment = dict(environ)
    environment["PLANCTL_LEASE"] = held.name
    environment["PLANCTL_LEASE_TOKEN"] = str(held.token)
    try:
        with step("running.under-lease"):
            child = subprocess.Popen(list(argv), env=environment)
    except OSError as error:
        raise LaunchFailedError(held.name, f"{argv[0]}: {error.strerror}") from error
    try:
        while child.poll() is None and not session.lost.is_set() and not cancelled.is_set():
            _wait(child, _LOOK)
    finally:
        _end_tree(child)
    session.check()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end_tree(child: subprocess.Popen[bytes]) -> None:
    """End what still lives of the command; one that has ended by itself leaves what it wants to leave."""
    if child.poll() is not None:
        return

    def find() -> list[platforms.Process]:
        table = platforms.all_processes()
        return [table[pid] for pid in descendants(table, (os.getpid(),))]

    ask_to_end(find, GRACE, lambda seconds: _wait(child, seconds))
    kill(find, lambda seconds: _wait(child, seconds))
    child.wait()
    for pid in platforms.own_children():  # what had lost its parent is ours: nobody else can bury it
        with contextlib.suppress(ChildProcessError):  # buried already
            os.waitpid(pid, os.WNOHANG)
