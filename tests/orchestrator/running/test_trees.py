"""P15, S3.5: whole process trees end with their plan, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.running import platforms, supervision, trees, waiting
from orchestrator.running.platforms import Process
from orchestrator.running.spec import Ended, Outcome, ParentDeath, Supervised
from plans import systems
from tests.support.commands import Commands, commands_in, gone

pytestmark = pytest.mark.skipif(not systems.LINUX, reason="the tree is proven through /proc")

DAEMON = """
import os, signal, sys, time
fifo, how = sys.argv[1:]
waits, tells = os.pipe()
if os.fork():
    os.read(waits, 1)  # the command ends only when its daemon is up
    os._exit(0)
if "setsid" in how:
    os.setsid()
    if os.fork():
        os._exit(0)
if "group" in how:
    os.setpgid(0, 0)
if "deaf" in how:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
held = os.open(fifo, os.O_WRONLY)
os.write(held, b"%d\\n" % os.getpid())
os.write(tells, b"u")
if "stopped" in how:
    os.kill(os.getpid(), signal.SIGSTOP)
if "bare" in how:
    os.set_inheritable(held, True)
    os.execve("/bin/sleep", ["sleep", "1000"], {})
while True:
    time.sleep(1000)
"""
COMET = """
import os, sys
held = os.open(sys.argv[1], os.O_WRONLY)
os.write(held, b"up\\n")
while True:
    if os.fork():
        os._exit(0)
"""
STORM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = os.open(sys.argv[1], os.O_WRONLY)
made = 0
while made < 6:  # 64 processes, each in a session of its own
    if os.fork() == 0:
        os.setsid()
    made += 1
os.write(held, b"up\\n")
while True:
    time.sleep(1000)
"""

BOMB = """
import os, resource, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = os.open(sys.argv[1], os.O_WRONLY)
most = 48
if os.getuid() == 0:  # no limit holds root: as a user that nobody is
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    os.setuid(2_000_000_000 + os.getpid())
else:
    import psutil
    mine = (p for p in psutil.process_iter(["uids", "num_threads"]) if p.info["uids"].real == os.getuid())
    most += sum(p.info["num_threads"] for p in mine)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
for _ in range(4):  # 16 that are each another process at every turn
    os.fork()
os.write(held, b"u")
while True:
    try:
        if os.fork():
            os._exit(0)
        os.setsid()
    except BlockingIOError:
        continue
"""
ZOMBIES = """
import os, sys, time
held = os.open(sys.argv[1], os.O_WRONLY)
for _ in range(20):
    if os.fork() == 0:
        os._exit(0)
os.write(held, b"up\\n")
time.sleep(1000)
"""


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    with commands_in(tmp_path) as made:
        yield made


def test_what_began_when_a_command_was_over_is_left_over_only_below_what_it_left() -> None:
    rows = [(1, 0, 1.0), (10, 1, 5.0), (11, 10, 9.0), (12, 1, 9.0), (13, 11, 9.5), (14, 12, 9.5)]
    table = {pid: Process(pid, parent, 0, began) for pid, parent, began in rows}
    marked = {10, 11, 12, 14, 99}
    assert trees.left_over(table, marked, 6.0) == {10, 11}
    assert trees.left_over(table, marked, trees.EVER) == {10, 11, 12, 14}
    assert trees.left_over(table, marked, 1.0) == set()


def test_the_record_of_an_end_tells_what_began_before_it_from_what_began_after(commands: Commands) -> None:
    me = platforms.find_process(os.getpid())
    ended, _ = commands.run("exit 0")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        begun = platforms.find_process(later.pid)
        later.communicate(b"\n")
    assert me is not None
    assert begun is not None
    assert ended.mark is not None
    assert me.started < ended.mark < begun.started + 1, "in ticks of the kernel"


@pytest.mark.parametrize("how", ["plain", "setsid", "group", "setsid deaf", "setsid bare", "setsid stopped"])
def test_p15_a_daemon_ends_with_the_command_that_left_it(commands: Commands, how: str) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch([DAEMON, str(fifo), how], grace=0.1)
    with fifo.open() as stream:
        pid = int(stream.readline())
        rest = stream.read()  # ends when the last holder is dead
    assert rest == ""
    ended = commands.end(handle)
    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.EXITED, 0, ())
    assert gone(pid)


@pytest.mark.parametrize("how", ["setsid", "group", "setsid deaf", "setsid bare"])
def test_p15_a_stop_ends_the_whole_tree(commands: Commands, how: str) -> None:
    fifo, program = commands.fifo("fifo"), commands.folder / "daemon.py"
    program.write_text(DAEMON)
    line = f"{sys.executable} '{program}' '{fifo}' '{how}' & sleep 1000"
    handle = commands.launch(line)
    with fifo.open() as stream:
        pid = int(stream.readline())
        supervision.stop(handle, grace=0.1)
        assert stream.read() == ""
    assert commands.end(handle).outcome is Outcome.STOPPED
    assert gone(pid)


def test_p15_what_forks_and_exits_faster_than_one_can_look(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch([COMET, str(fifo)], grace=0.05)
    with fifo.open() as stream:
        assert stream.readline() == "up\n"
        assert stream.read() == ""
    assert commands.end(handle).left == ()


def test_p15_many_that_ignore_term(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch([STORM, str(fifo)], grace=0.05)
    with fifo.open() as stream:
        assert stream.readline() == "up\n"
        supervision.stop(handle, grace=0.05)
        stream.read()
    ended = commands.end(handle)
    assert (ended.outcome, ended.signal, ended.left) == (Outcome.STOPPED, signal.SIGKILL, ())


def test_p15_a_fork_bomb_within_limits_that_forks_faster_than_one_can_look(commands: Commands) -> None:
    """Whoever was seen is gone when he is to be killed: only looking again until nobody is left ends it."""
    fifo = commands.fifo("fifo")
    handle = commands.launch([BOMB, str(fifo)], grace=0.05)
    with fifo.open() as stream:
        assert stream.read().startswith("u")  # to the end: the last holder is dead
    ended = commands.end(handle)
    assert (ended.outcome, ended.left) == (Outcome.EXITED, ())


def test_p15_zombies_of_a_parent_that_never_waits(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch([ZOMBIES, str(fifo)], grace=0.05)
    with fifo.open() as stream:
        assert stream.readline() == "up\n"
        supervision.stop(handle, grace=0.05)
        stream.read()
    ended = commands.end(handle)
    assert (ended.outcome, ended.left) == (Outcome.STOPPED, ())


def kill_supervisor(handle: Supervised) -> None:
    descriptor = platforms.open_process(handle.supervisor, handle.supervisor_started)
    assert descriptor is not None
    os.kill(handle.supervisor, signal.SIGKILL)
    waiting._readable((descriptor,), 60)
    os.close(descriptor)


@pytest.mark.parametrize("how", ["plain", "setsid", "setsid deaf"])
def test_supervisor_killed_is_lost_and_the_tree_can_be_ended(commands: Commands, how: str) -> None:
    fifo, program = commands.fifo("fifo"), commands.folder / "daemon.py"
    program.write_text(DAEMON)
    handle = commands.launch(f"{sys.executable} '{program}' '{fifo}' '{how}' & sleep 1000")
    with fifo.open() as stream:
        daemon = int(stream.readline())
        kill_supervisor(handle)
        assert supervision.poll(handle) == Ended(Outcome.LOST, command_alive=True)
        assert not supervision.stop(handle)
        assert {handle.pid, daemon} <= {*supervision.marked_processes()[handle.attempt]}
        assert supervision.stop_tree(handle, 0.1) == ()
        assert stream.read() == ""
    assert gone(handle.pid)
    assert gone(daemon)
    assert supervision.poll(handle) == Ended(Outcome.LOST, command_alive=False)


def test_orphans_of_an_attempt_end_by_its_marker_alone(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch(f"exec 9>'{fifo}'; echo up >&9; sleep 1000")
    with fifo.open() as stream:
        assert stream.readline() == "up\n"
        kill_supervisor(handle)
        assert supervision.stop_marked("another-attempt", 0.0) == ()
        assert not gone(handle.pid)
        assert supervision.stop_marked(handle.attempt, 0.1) == ()
        assert stream.read() == ""
    assert gone(handle.pid)


def test_a_supervisor_that_does_not_answer_is_replaced(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = commands.launch("sleep 1000")
    os.kill(handle.supervisor, signal.SIGSTOP)
    monkeypatch.setattr(trees, "KILL_LIMIT", 0.1)
    monkeypatch.setattr(waiting, "_ANSWER", 0.1)
    assert waiting.end(handle, grace=0.1) == ()
    assert gone(handle.pid)
    assert gone(handle.supervisor)


def test_s3_5_a_foreign_process_with_the_recorded_pid_is_not_touched(commands: Commands) -> None:
    foreign = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        real = platforms.find_process(foreign.pid)
        assert real is not None
        handle = commands.launch("sleep 1000")
        kill_supervisor(handle)
        later = replace(
            handle,
            pid=foreign.pid,
            started=real.started - 1,
            supervisor=foreign.pid,
            supervisor_started=real.started - 1,
            attempt="nobody",
        )
        state = supervision.poll(replace(later, record_dir=commands.folder / "none"))
        assert state == Ended(Outcome.LOST, command_alive=False)
        assert not supervision.stop(later)
        assert supervision.stop_tree(later, 0.0) == ()
        assert not platforms.send(Process(foreign.pid, 0, 0, real.started - 1), signal.SIGKILL)
        assert platforms.open_process(foreign.pid, real.started - 1) is None
        assert foreign.poll() is None
        assert platforms.send(real, signal.SIGKILL)  # and with the right identity it is
        assert foreign.wait(60) == -signal.SIGKILL
        supervision.stop_tree(handle, 0.0)
    finally:
        foreign.kill()
        foreign.wait()


def test_a_zombie_is_dead_and_a_process_may_have_any_name(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert platforms.find_process(child.pid) is None
    child.wait()
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "1000"]) as named:
        seen = platforms.find_process(named.pid)
        assert seen is not None
        assert seen.parent == os.getpid()
        named.kill()


LAUNCHER = """
import os, sys
from pathlib import Path
from orchestrator.running import supervision
from orchestrator.running.spec import CommandSpec, ParentDeath, shell_argv
folder = Path(sys.argv[1])
argv, policy = shell_argv(sys.argv[2]), ParentDeath(sys.argv[3])
spec = CommandSpec("attempt-1", argv, folder, dict(os.environ), folder / "log", folder / "r",
                   parent_death=policy)
supervision.launch(spec)
print("launched", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("policy", list(ParentDeath))
def test_s3_3_death_of_planctl(commands: Commands, policy: ParentDeath) -> None:
    """SIGKILL of the launcher: its command goes on and ends by itself, or is ended, as configured."""
    fifo = commands.fifo("fifo")
    argv = [sys.executable, "-c", LAUNCHER, str(commands.folder), f"read x < '{fifo}'; exit 6", policy]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "launched\n"
        launcher.kill()
        died = time.time()
    handle = supervision.find(commands.folder / "r")
    assert handle is not None
    commands.launched.append(handle)
    if policy is ParentDeath.KEEP:
        fifo.write_text("go\n")
        ended = commands.end(handle)
        assert (ended.outcome, ended.exit_code) == (Outcome.EXITED, 6)
    else:
        ended = commands.end(handle)
        assert (ended.outcome, ended.signal) == (Outcome.PARENT_DIED, signal.SIGTERM)
        assert ended.finished is not None
        assert ended.finished - died < 5, "noticed, and ended, within five seconds"


def test_s1_9_a_lost_terminal_loses_nothing(commands: Commands) -> None:
    """The terminal of planctl goes away: its whole session gets SIGHUP, the command does not."""
    fifo = commands.fifo("fifo")
    argv = [sys.executable, "-c", LAUNCHER, str(commands.folder), f"read x < '{fifo}'; exit 6", "keep"]
    with subprocess.Popen(argv, stdin=-1, stdout=-1, text=True, start_new_session=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "launched\n"
        os.killpg(launcher.pid, signal.SIGINT)
        os.killpg(launcher.pid, signal.SIGHUP)
    handle = supervision.find(commands.folder / "r")
    assert handle is not None
    commands.launched.append(handle)
    fifo.write_text("go\n")
    assert commands.end(handle).exit_code == 6


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), max_size=20))
def test_descendants_by_brute_force(pairs: list[tuple[int, int]]) -> None:
    table = {pid: Process(pid, parent, pid, 1.0) for pid, parent in pairs}
    for root in range(13):
        expected: set[int] = set()
        while True:
            more = {p.pid for p in table.values() if p.parent in expected | {root}} - expected
            if not more:
                break
            expected |= more
        assert trees.descendants(table, (root,)) == expected - {root}


def test_own_children_are_listed_at_once() -> None:
    """What the last killing relies on: a look at the whole table takes longer than some processes live."""
    with subprocess.Popen(["sleep", "1000"]) as child:
        assert child.pid in platforms.own_children()
        child.kill()
    assert child.pid not in platforms.own_children()
