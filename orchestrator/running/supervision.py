"""Launch commands under supervisors, look at them, stop them; from any process, by their records.

Promise of :func:`launch`: when it returns, the command's identity is on disk and the command runs; when it
raises, or planctl is killed before it returns, the command does not run, or its record is there for
whoever resumes. Not promised: an end record when the supervisor itself is killed; then the state is
``lost``, and :func:`stop_tree` ends what lives, after proof of identity.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import boot_id
from orchestrator.errors import LaunchFailedError
from orchestrator.running import platforms, trees
from orchestrator.running.records import ENDED, STARTED, STOP, read_record, write_record
from orchestrator.running.spec import GRACE, CommandSpec, Ended, Outcome, Running, Supervised
from orchestrator.sessions.identity import here, is_alive
from plans import systems
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM: Final = Path(__file__).with_name("supervisor_main.py")
"""What every supervisor runs."""
_ISOLATED: Final = ("-I", "-S") if systems.LINUX else ("-I",)  # elsewhere it needs psutil
_children: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""Supervisors that this process launched, for reaping: a process has one set of children."""


def launch(spec: CommandSpec) -> Supervised:
    """Start a command under a supervisor of its own; return when it is recorded and let go.

    Raises :class:`LaunchFailedError` and :class:`OSError`; then nothing runs.
    """
    spec.require_sound()
    if not systems.POSIX:
        raise LaunchFailedError(spec.attempt, f"supervisors do not run on {systems.NAME} yet")
    with step("running.folders"):
        spec.record_dir.mkdir(parents=True, exist_ok=True)
        spec.log.parent.mkdir(parents=True, exist_ok=True)
    if read_record(str(spec.record_dir), STARTED) is not None:
        raise LaunchFailedError(spec.attempt, f"{spec.record_dir} is another attempt's")
    reap()
    with step("running.launch"), _supervisor(spec) as (process, ready):
        assert process.stdin is not None
        try:
            _say(process.stdin.fileno(), _orders(spec))
            while byte := os.read(ready, 1):
                if byte == b"\n":
                    break
            handle = find(spec.record_dir)
            if not byte or handle is None:
                raise LaunchFailedError(spec.attempt, f"its supervisor failed, see {spec.log}")
            with step("running.let-go"):
                _say(process.stdin.fileno(), b"g")
        except BrokenPipeError as error:
            raise LaunchFailedError(spec.attempt, f"its supervisor died, see {spec.log}") from error
    return handle


@contextlib.contextmanager
def _supervisor(spec: CommandSpec) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A supervisor that waits for orders on its stdin, and the descriptor on which it says ready.

    Leaving closes both: a supervisor that has not heard the last word by then does not start its command.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (0 if spec.append_log else os.O_TRUNC)
    ready, says_ready = os.pipe()
    log = os.open(spec.log, flags, 0o666)
    try:
        process = subprocess.Popen(
            [sys.executable, *_ISOLATED, str(PROGRAM), str(says_ready), spec.attempt],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,  # a supervisor that fails tells why in the plan's log
            pass_fds=(says_ready, *spec.hold),
            cwd="/",  # the worktree must not be busy for longer than the command itself
            start_new_session=True,
        )
    except BaseException:
        os.close(ready)
        raise
    finally:
        os.close(says_ready)
        os.close(log)
    _children[process.pid] = process
    assert process.stdin is not None
    try:
        yield process, ready
    finally:
        os.close(ready)
        process.stdin.close()


def _orders(spec: CommandSpec) -> bytes:
    """The orders as supervisor.Orders reads them; marshalled, since ``json`` would cost it 8 ms."""
    environment = {**spec.environment, platforms.MARKER: spec.attempt}
    value = {
        "attempt": spec.attempt,
        "argv": [os.fsencode(text) for text in spec.argv],
        "cwd": os.fsencode(spec.cwd.absolute()),
        "environment": {os.fsencode(name): os.fsencode(text) for name, text in environment.items()},
        "record_dir": os.fsencode(spec.record_dir.absolute()),
        "timeout": spec.timeout,
        "tty": spec.tty,
        "parent_death": str(spec.parent_death),
        "grace": spec.grace,
        "boot": boot_id(),
        "host": here(),
        "launcher": os.getpid(),
        "hold": list(spec.hold),
    }
    data = marshal.dumps(value)
    return b"%d\n%s" % (len(data), data)


def _say(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def reap() -> None:
    """Let go of the supervisors of this process that have ended; they would stay as zombies."""
    for pid in tuple(_children):
        _reap(pid)


def _reap(pid: int) -> None:
    process = _children.get(pid)
    if process is not None and process.poll() is not None:
        _children.pop(pid, None)


def find(record_dir: Path) -> Supervised | None:
    """Return what was launched with that record folder; None if nothing was, or if it was never let go."""
    value = read_record(str(record_dir), STARTED)
    if value is None:
        return None
    try:
        return Supervised(
            attempt=str(value["attempt"]),
            pid=int(value["pid"]),
            started=float(value["started"]),
            supervisor=int(value["supervisor"]),
            supervisor_started=float(value["supervisor_started"]),
            boot=str(value["boot"]),
            record_dir=record_dir,
            grace=float(value["grace"]),
            host=str(value.get("host", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def poll(handle: Supervised) -> Running | Ended:
    """Say how it stands with a command, by its records and the processes that live."""
    _reap(handle.supervisor)
    ended = _recorded_end(handle)
    if ended is not None:
        return ended
    if _supervisor_alive(handle):
        return Running()
    ended = _recorded_end(handle)  # it may have written its last record between the two looks
    if ended is not None:
        return ended
    return Ended(Outcome.LOST, command_alive=bool(_orphans(handle)))


def proven_end(handle: Supervised) -> Ended | None:
    """As :func:`poll`, but None where it is not proven that the supervisor is gone.

    One in another container, or hidden from this user, may live. For whoever looks after commands that are
    not his own.
    """
    state = poll(handle)
    if not isinstance(state, Ended):
        return None
    since = platforms.seconds(handle.supervisor_started)
    if state.outcome is Outcome.LOST and is_alive(
        handle.supervisor, since, handle.boot, handle.host or here()
    ):
        return None
    return state


def _recorded_end(handle: Supervised) -> Ended | None:
    value = read_record(str(handle.record_dir), ENDED)
    if value is None or value.get("attempt") != handle.attempt:
        return None
    try:
        return _parsed_end(value)
    except (KeyError, TypeError, ValueError):
        return None


def _parsed_end(value: dict[str, Any]) -> Ended:
    code, number = value["exit_code"], value["signal"]
    return Ended(
        outcome=Outcome(value["outcome"]),
        exit_code=None if code is None else int(code),
        signal=None if number is None else int(number),
        seconds=float(value["seconds"]),
        left=tuple(int(pid) for pid in value["left"]),
        finished=float(value["at"]),
        mark=None if value.get("mark") is None else float(value["mark"]),
    )


def _supervisor_alive(handle: Supervised) -> bool:
    return handle.boot == boot_id() and platforms.is_alive(handle.supervisor, handle.supervisor_started)


def _orphans(handle: Supervised) -> list[platforms.Process]:
    if handle.boot != boot_id():
        return []
    return trees.orphans(handle.attempt, platforms.Process(handle.pid, 0, 0, handle.started))


def stop(handle: Supervised, grace: float | None = None, *, for_good: bool = True) -> bool:
    """Ask the supervisor to end its tree, without waiting; return whether there is one to ask.

    ``grace`` in seconds between TERM and KILL; None for the one the command was launched with. ``for_good``
    is False when the command is stopped only because its planctl ends, and is to run again: the wish is on
    disk before anything is stopped, so a planctl that dies in between changes nothing (:func:`stop_wish`).
    """
    if _recorded_end(handle) is not None or not _supervisor_alive(handle):
        return False  # one that has told of the end is only just leaving
    wish = {"grace": handle.grace if grace is None else grace, "for_good": for_good}
    write_record(str(handle.record_dir), STOP, wish, durable=False)
    supervisor = platforms.Process(handle.supervisor, 0, 0, handle.supervisor_started)
    return platforms.send(supervisor, signal.SIGTERM)


def stop_wish(handle: Supervised) -> bool | None:
    """How the end of this command was asked for: True for good, False to run again, None not by planctl."""
    wish = read_record(str(handle.record_dir), STOP)
    return None if wish is None else wish.get("for_good") is not False


def kill_supervisor(handle: Supervised) -> None:
    """Kill a supervisor that does not answer; what it watched is left to :func:`stop_tree`."""
    if _supervisor_alive(handle):
        supervisor = platforms.Process(handle.supervisor, 0, 0, handle.supervisor_started)
        platforms.send(supervisor, signal.SIGKILL)


def stop_tree(handle: Supervised, grace: float = GRACE) -> tuple[int, ...]:
    """End whatever lives of a command whose supervisor is dead; return the pids that could not be ended.

    Identity is proven first: same boot, and pid and start mark of the main process, or the attempt's
    marker. Blocks for ``grace`` seconds and up to ``trees.KILL_LIMIT`` more. A living supervisor is left
    to its work: ask it with :func:`stop`.
    """
    if _supervisor_alive(handle):
        return ()
    return _end(lambda: _orphans(handle), grace)


def stop_marked(attempt: str, grace: float = GRACE, until: float = trees.EVER) -> tuple[int, ...]:
    """As :func:`stop_tree` by the marker alone; what began after ``until`` (a start mark) is another's."""
    return _end(lambda: trees.orphans(attempt, None, until), grace)


def marked_processes() -> dict[str, tuple[int, ...]]:
    """Every living process that carries a marker, by attempt: for whoever looks for orphans."""
    found: dict[str, tuple[int, ...]] = {}
    for pid in platforms.all_processes():
        attempt = platforms.marker_of(pid)
        if attempt:
            found[attempt] = (*found.get(attempt, ()), pid)
    return found


def _end(find: Callable[[], list[platforms.Process]], grace: float) -> tuple[int, ...]:
    trees.ask_to_end(find, grace, _rest)
    return trees.kill(find, _rest)


def _rest(seconds: float) -> None:
    threading.Event().wait(seconds)
