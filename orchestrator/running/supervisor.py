"""The supervisor of one command: starts it, watches it, ends its whole tree, tells how it ended.

A process of its own in a session of its own, so that a lost terminal and a killed planctl do not matter.
The order of steps:

1. read the orders from stdin; become subreaper; fork the command's process, which waits at a gate
2. record it (``started``), tell the launcher, wait for its word. A launcher that died before it gave its
   word will never know of this command: then it is not started, and the record is gone. After its word it is
   there for whoever resumes.
3. open the gate; watch for: its end, a request to stop (SIGTERM or the file ``stop``), the time limit, the
   launcher's death where the policy says so
4. end what is left of the tree, also after an end of its own accord
5. give back the places held for the command; record the end (``ended``)

Time is read here from the module ``time``: ``orchestrator.clock`` would double the size of this process.
Its budget is 15 MB resident and 1 % of a processor; nothing heavy may be imported.
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import time

from orchestrator.running import child, platforms, records, trees
from orchestrator.running.lean import Ignoring, signal
from orchestrator.running.records import ABOUT, ENDED, STARTED, STOP, How, read_record, write_record
from orchestrator.running.steps import step
from plans.systems import LINUX, open_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

TICK: Final = 1.0
"""Seconds between looks at what sends no signal: the launcher's death and the file ``stop``."""
_CHUNK: Final = 65536
_ROWS, _COLUMNS = 24, 80


class Orders:
    """What the launcher, of the same interpreter, has marshalled; see ``supervision``."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.attempt: str = value["attempt"]
        self.argv: list[bytes] = value["argv"]
        self.cwd: bytes = value["cwd"]
        self.environment: dict[bytes, bytes] = value["environment"]
        self.record_dir: str = os.fsdecode(value["record_dir"])
        self.timeout: float | None = value["timeout"]
        self.tty: bool = value["tty"]
        self.stops_with_parent: bool = value["parent_death"] == "stop"
        self.grace: float = value["grace"]
        self.boot: str = value["boot"]
        self.host: str = value["host"]
        self.launcher: int = value["launcher"]
        self.hold: list[int] = value["hold"]


def main(ready: int) -> None:
    """Supervise one command. ``ready`` is the descriptor on which the launcher waits for a line."""
    os.set_inheritable(ready, False)  # noqa: FBT003 - its only form
    orders = Orders(marshal.loads(_read_orders()))
    for descriptor in orders.hold:  # kept by this process and no other
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only form
    Supervisor(orders).run(ready)


def _read_orders() -> bytes:
    """Read a line with the length, then so many bytes; the launcher's word comes later on the same pipe."""
    size = b""
    while not size.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit(1)  # the launcher died
        size += byte
    data = b""
    while len(data) < int(size):
        chunk = os.read(0, int(size) - len(data))
        if not chunk:
            raise SystemExit(1)
        data += chunk
    return data


class Supervisor:
    """One command from fork to its last record."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.pid = 0
        self.status: int | None = None
        self.ended_at = 0.0
        self.childless = False
        self.asked_to_stop = False
        self.terminal: int | None = None
        self.subreaper = platforms.become_subreaper()
        self.signals, wakeup = os.pipe()
        for descriptor in (self.signals, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_request)
        signal.signal(signal.SIGINT, self._on_request)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_request(self, *_: object) -> None:
        self.asked_to_stop = True

    def run(self, ready: int) -> None:
        """Steps 1 to 5 of the module's text."""
        terminal = open_terminal(_ROWS, _COLUMNS) if self.orders.tty else None
        self.pid, gate = child.fork(self.orders, terminal)
        if terminal is not None:
            self.terminal = terminal[0]
            os.close(terminal[1])
        self._record_start()
        if not _launcher_agrees(ready):
            records.take_back(self.orders.record_dir, STARTED)  # first: whoever sees the command gone knows
            os.close(gate)
            os.waitpid(self.pid, 0)
            return
        started = time.monotonic()
        os.write(gate, b"g")
        os.close(gate)
        outcome = self._watch(started)
        left = self._end_tree(outcome)
        self._drain_terminal()
        for descriptor in self.orders.hold:  # before the record: who reads of the end finds the places free
            os.close(descriptor)
        self._record_end(outcome, (self.ended_at or time.monotonic()) - started, left)

    def _watch(self, started: float) -> str:
        deadline = None if self.orders.timeout is None else started + self.orders.timeout
        while True:
            self._reap()
            if self.status is not None:
                return How.EXITED
            if self.asked_to_stop or self._grace_asked() is not None:
                return How.STOPPED
            if deadline is not None and time.monotonic() >= deadline:
                return How.TIMED_OUT
            if self.orders.stops_with_parent and os.getppid() != self.orders.launcher:
                return How.PARENT_DIED
            self.rest(TICK if deadline is None else min(TICK, deadline - time.monotonic()))

    def rest(self, seconds: float) -> None:
        """Wait for a signal or output of the terminal, at most so long; reap whoever died."""
        descriptors = [self.signals] if self.terminal is None else [self.signals, self.terminal]
        readable, _, _ = select.select(descriptors, (), (), max(0.0, seconds))
        if self.signals in readable:
            with Ignoring(BlockingIOError):
                os.read(self.signals, _CHUNK)
        if self.terminal in readable:
            self._copy_terminal()
        self._reap()

    def _reap(self) -> None:
        """As subreaper, this process is the parent of every orphan: childless means that nobody is left."""
        while not self.childless:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status
                self.ended_at = time.monotonic()

    def _end_tree(self, outcome: str) -> tuple[int, ...]:
        if outcome == How.EXITED and self.childless and self.subreaper:
            return ()  # the usual end, without a look at every process of the machine
        asked = self._grace_asked()
        grace = self.orders.grace if asked is None else asked
        trees.ask_to_end(self._tree, grace, self.rest)
        deadline = time.monotonic() + trees.KILL_LIMIT
        while True:
            left = trees.kill(self._tree, self._kill_children)
            self._kill_children(0.0)
            if left or self.childless or not self.subreaper or time.monotonic() >= deadline:
                return left

    def _tree(self) -> list[platforms.Process]:
        return trees.tree_below(os.getpid(), self.orders.attempt)

    def _kill_children(self, seconds: float) -> None:
        """Kill the children at once: one that forks and exits is gone before a look at the table is over.

        Whoever does so becomes this process's child at every turn, and nobody else reaps it.
        """
        self._reap()
        for pid in platforms.own_children():
            # it became another user's; told as left over
            with Ignoring(PermissionError), step("supervisor.kill"):
                os.kill(pid, signal.SIGKILL)
        self._reap()
        if seconds:
            self.rest(seconds)

    def _grace_asked(self) -> float | None:
        request = read_record(self.orders.record_dir, STOP)
        if request is None:
            return None
        grace = request.get("grace")
        return float(grace) if isinstance(grace, int | float) else self.orders.grace

    def _copy_terminal(self) -> bool:
        """Copy what the terminal holds to the log; return whether there may be more."""
        assert self.terminal is not None
        try:
            data = os.read(self.terminal, _CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # Linux: nobody has the other side open any more
                raise
            data = b""
        if not data:
            os.close(self.terminal)
            self.terminal = None
            return False
        while data:
            try:
                data = data[os.write(1, data) :]
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return True  # a full disk costs output, not the command, which must never block on us
        return True

    def _drain_terminal(self) -> None:
        if self.terminal is not None:
            os.set_blocking(self.terminal, False)
        while self.terminal is not None and self._copy_terminal():
            continue

    def _record_start(self) -> None:
        me = platforms.find_process(os.getpid())
        command = platforms.find_process(self.pid)
        value = {
            "attempt": self.orders.attempt,
            "boot": self.orders.boot,
            "host": self.orders.host,
            "pid": self.pid,
            "started": command.started if command else 0.0,
            "supervisor": os.getpid(),
            "supervisor_started": me.started if me else 0.0,
            "grace": self.orders.grace,
            "at": time.time(),
            "cwd": self.orders.cwd.decode("latin-1"),
            "log_from": os.fstat(1).st_size,
            **{name: self._told(variable) for name, variable in ABOUT.items()},
        }
        write_record(self.orders.record_dir, STARTED, value, durable=False)

    def _told(self, variable: str) -> str | None:
        """What the command's environment says of whom it works for; see records.ABOUT."""
        value = self.orders.environment.get(variable.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def _record_end(self, outcome: str, seconds: float, left: tuple[int, ...]) -> None:
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        value = {
            "attempt": self.orders.attempt,
            "boot": self.orders.boot,
            "pid": self.pid,
            "outcome": outcome,
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "seconds": seconds,
            "left": list(left),
            "at": time.time(),
            "mark": _mark(),
        }
        write_record(self.orders.record_dir, ENDED, value, durable=True)


def _mark() -> float:
    """The start mark of a process that would begin now."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK") if LINUX else time.time()


def _launcher_agrees(ready: int) -> bool:
    """Tell the launcher that the record is there; return whether it lives and says go."""
    try:
        os.write(ready, b"ready\n")
    except BrokenPipeError:
        return False
    finally:
        os.close(ready)
    return os.read(0, 1) == b"g"
