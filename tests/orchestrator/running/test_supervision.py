from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import LaunchFailedError
from orchestrator.running import platforms, records, supervision, waiting
from orchestrator.running.spec import Ended, Outcome, Running
from tests.support.commands import Commands, commands_in, gone

pytestmark = pytest.mark.skipif(os.name != "posix", reason="supervisors are POSIX so far")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    with commands_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_exit_status(commands: Commands, code: int) -> None:
    ended, _ = commands.run(f"exit {code}")
    assert (ended.outcome, ended.exit_code, ended.signal) == (Outcome.EXITED, code, None)
    assert ended.succeeded == (code == 0)


def test_death_by_a_signal_of_its_own(commands: Commands) -> None:
    ended, _ = commands.run("kill -USR1 $$")
    assert (ended.outcome, ended.exit_code, ended.signal) == (Outcome.EXITED, None, signal.SIGUSR1)


def test_output_is_in_the_log_byte_for_byte(commands: Commands) -> None:
    blob = bytes(range(256)) * 4096
    source = "import os; [os.write(1, bytes(range(256))) for _ in range(4096)]; os.write(2, b'\\xff end')"
    ended, log = commands.run([source])
    assert ended.succeeded
    assert log == blob + b"\xff end"


@pytest.mark.parametrize(("append", "expected"), [(False, b"new\n"), (True, b"old\nnew\n")])
def test_log_is_begun_anew_or_continued(commands: Commands, append: bool, expected: bytes) -> None:
    log = commands.folder / "deep" / "log"
    log.parent.mkdir()
    log.write_bytes(b"old\n")
    commands.run("echo new", log=log, append_log=append)
    assert log.read_bytes() == expected


def test_environment_is_exactly_what_was_given_and_the_marker(commands: Commands) -> None:
    given = {"PATH": os.environ["PATH"], "STRANGE": "a\nb=\udcff€", "EMPTY": ""}
    spec = commands.spec(
        ["import os; os.write(1, open('/proc/self/environ','rb').read())"], environment=given
    )
    waiting.run_to_end(spec, threading.Event())
    got = dict(v.split(b"=", 1) for v in spec.log.read_bytes().rstrip(b"\0").split(b"\0"))
    got.pop(b"LC_CTYPE", None)  # that Python's own doing, in a C locale
    expected = {os.fsencode(n): os.fsencode(t) for n, t in given.items()}
    assert got == {**expected, b"PLANCTL_ATTEMPT": spec.attempt.encode()}


def test_step_variables_of_a_killed_planctl_stay_out(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = commands.folder / "trace"
    monkeypatch.setenv("PLANCTL_STEP_TRACE", str(trace))
    ended, log = commands.run("env", environment={"PATH": os.environ["PATH"]})
    assert ended.succeeded
    assert b"STEP_TRACE" not in log
    steps = dict.fromkeys(line.split(":")[0] for line in trace.read_text().split())  # the supervisor's own
    assert [*steps] == ["supervisor.fork", "running.draft", "running.record-started", "running.record-ended"]


def test_stdin_is_empty_and_signals_are_as_in_a_fresh_process(commands: Commands) -> None:
    source = (
        "import sys,os;print(repr(sys.stdin.read()), os.getsid(0)==os.getpid()==os.getpgid(0));"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('SigIgn','SigBlk'))])"
    )
    probe = f'exec {sys.executable} -I -c "$0"'
    spec = commands.spec(probe)
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # as in a shell's background
    try:
        waiting.run_to_end(replace(spec, argv=(*spec.argv, source)), threading.Event())
    finally:
        signal.signal(signal.SIGQUIT, before)
    first, second = spec.log.read_text().splitlines()
    assert first == "'' True"
    blocked, ignored = (int(mask, 16) for mask in eval(second))
    # what no program may set, such as the C library's own two, is as whoever started the tests left it
    settable = sum(1 << (number - 1) for number in signal.valid_signals())
    # SIGPIPE and SIGXFSZ are ignored by the Python that asks
    expected = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert (blocked, ignored & settable) == (0, expected)


def test_broken_pipes_end_a_shell_pipeline(commands: Commands) -> None:
    ended, log = commands.run("yes | head -n 1; echo $?")
    assert (ended.exit_code, log) == (0, b"y\n0\n")  # an ignored SIGPIPE would add "Broken pipe"


def test_command_and_folder_that_are_not_utf8(commands: Commands) -> None:
    folder = Path(os.fsdecode(os.fsencode(commands.folder) + b"/d\xff"))
    folder.mkdir()
    spec = commands.spec("unused", cwd=folder, record_dir=folder / "r", log=folder / "l")
    spec = replace(spec, argv=("/bin/sh", "-c", 'pwd; printf %s "$0"', "x\udcfe"))
    assert waiting.run_to_end(spec, threading.Event()).succeeded
    assert spec.log.read_bytes() == os.fsencode(folder) + b"\nx\xfe"


def test_a_program_that_is_not_there_says_so_in_the_log(commands: Commands) -> None:
    spec = replace(commands.spec("unused"), argv=("no-such-program", "x"))
    ended = waiting.run_to_end(spec, threading.Event())
    assert (ended.outcome, ended.exit_code) == (Outcome.EXITED, 127)
    assert b"planctl: no-such-program cannot be run" in spec.log.read_bytes()


def test_a_folder_that_is_not_there_says_so_in_the_log(commands: Commands) -> None:
    ended, log = commands.run("echo ran", cwd=commands.folder / "none")
    assert (ended.exit_code, b"ran" in log, b"none" in log) == (127, False, True)


@pytest.mark.parametrize(
    "change",
    [{"argv": ()}, {"argv": ("a\0b",)}, {"attempt": "../x"}, {"attempt": ""}, {"environment": {"A": "\0"}}],
)
def test_what_no_system_could_run_is_refused(commands: Commands, change: dict[str, object]) -> None:
    spec = replace(commands.spec("true"), **change)
    with pytest.raises(LaunchFailedError):
        supervision.launch(spec)
    assert not spec.log.exists()


def test_a_record_folder_is_used_once(commands: Commands) -> None:
    spec = commands.spec("true")
    commands.end(commands.launch(spec))
    with pytest.raises(LaunchFailedError):
        supervision.launch(spec)


def test_timeout_ends_the_command(commands: Commands) -> None:
    ended, _ = commands.run("sleep 1000", timeout=0.05)
    assert (ended.outcome, ended.signal) == (Outcome.TIMED_OUT, signal.SIGTERM)
    assert not ended.succeeded


def test_stop_lets_the_command_clean_up(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch(
        f"trap 'echo bye; exit 4' TERM; echo up > '{fifo}'; while :; do sleep 1000; done"
    )
    fifo.read_text()
    assert supervision.stop(handle)
    ended = commands.end(handle)
    assert (ended.outcome, ended.exit_code) == (Outcome.STOPPED, 4)
    assert (commands.folder / f"{handle.attempt}.log").read_text().endswith("bye\n")
    assert not supervision.stop(handle)  # nobody left to ask


BETWEEN_FORK_AND_EXEC = """
import os, signal, sys
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
child = os.fork()
if not child:
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.set_wakeup_fd(mouth)
    open(sys.argv[1], "w").close()
    os.read(ear, 1)
    os.execvp("sleep", ["sleep", "1000"])
os.waitpid(child, 0)
sys.exit(4 if heard else 5)
"""


def test_stop_reaches_what_was_between_fork_and_exec(commands: Commands) -> None:
    """A shell with a trap forks, and its child hears TERM with the shell's handler."""
    fifo = commands.fifo("fifo")
    (commands.folder / "between.py").write_text(BETWEEN_FORK_AND_EXEC)
    handle = commands.launch(f"exec '{sys.executable}' '{commands.folder}/between.py' '{fifo}'", grace=30.0)
    fifo.read_text()
    supervision.stop(handle)
    ended = commands.end(handle)
    assert (ended.outcome, ended.exit_code) == (Outcome.STOPPED, 4)
    assert ended.seconds < 15


def test_stop_kills_what_ignores_term(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch(f"trap '' TERM INT HUP; echo up > '{fifo}'; while :; do sleep 1000; done")
    fifo.read_text()
    supervision.stop(handle, grace=0.05)
    ended = commands.end(handle)
    assert (ended.outcome, ended.signal, ended.left) == (Outcome.STOPPED, signal.SIGKILL, ())


def test_stop_of_a_shell_about_to_fork_does_not_wait_for_the_grace(commands: Commands) -> None:
    for _ in range(15):
        handle = commands.launch("sleep 1000; sleep 1000", grace=30.0)
        supervision.stop(handle)
        ended = commands.end(handle)
        assert (ended.outcome, ended.signal) == (Outcome.STOPPED, signal.SIGTERM)
        assert ended.seconds < 15  # half the grace: a child that missed TERM would take all of it


def test_the_stop_file_alone_is_a_request(commands: Commands) -> None:
    handle = commands.launch("sleep 1000")
    (handle.record_dir / "stop").write_text(json.dumps({"grace": 0}))
    assert commands.end(handle).outcome is Outcome.STOPPED


def test_cancel_stops_a_command_that_is_waited_for(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    cancel = waiting.make_wake()
    with ThreadPoolExecutor(1) as pool:
        spec = commands.spec(f"echo up > '{fifo}'; sleep 1000")
        future = pool.submit(waiting.run_to_end, spec, cancel)
        fifo.read_text()
        cancel.set()
        assert future.result(timeout=60).outcome is Outcome.STOPPED


def test_terminal(commands: Commands) -> None:
    ended, log = commands.run(
        "test -t 0 && test -t 1 && test -t 2 && stty size; echo done >/dev/tty", tty=True
    )
    assert (ended.exit_code, log) == (0, b"24 80\ndone\n")


def test_terminal_output_is_whole(commands: Commands) -> None:
    ended, log = commands.run("seq 1 100000", tty=True)
    assert ended.succeeded
    assert log == b"".join(b"%d\n" % n for n in range(1, 100_001))


def test_another_process_sees_the_same(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch(f"read x < '{fifo}'; exit 5")
    assert supervision.find(handle.record_dir) == handle
    look = (
        "import sys; from pathlib import Path; from orchestrator.running import supervision as s;"
        "print(type(s.poll(s.find(Path(sys.argv[1])))).__name__)"
    )
    argv = [sys.executable, "-c", look, str(handle.record_dir)]
    assert subprocess.check_output(argv, text=True).strip() == "Running"
    fifo.write_text("go\n")
    assert commands.end(handle).exit_code == 5
    assert subprocess.check_output(argv, text=True).strip() == "Ended"


def test_nothing_was_launched(tmp_path: Path) -> None:
    assert supervision.find(tmp_path) is None
    (tmp_path / "started").write_bytes(b'{"attempt": "x", "pid": ')
    assert supervision.find(tmp_path) is None


def test_fifty_at_once(commands: Commands) -> None:
    with ThreadPoolExecutor(50) as pool:
        handles = list(pool.map(lambda n: commands.launch(f"echo {n}; exit {n}"), range(50)))
    ended = [commands.end(handle) for handle in handles]
    assert [state.exit_code for state in ended] == list(range(50))
    logs = [(commands.folder / f"{handle.attempt}.log").read_text() for handle in handles]
    assert logs == [f"{n}\n" for n in range(50)]
    for child in tuple(supervision._children.values()):
        child.wait(60)
    supervision.reap()
    assert not {h.supervisor for h in handles} & supervision._children.keys()


def test_wait_returns_those_that_ended(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handles = [commands.launch(f"read x < '{fifo}'"), commands.launch("true")]
    wake = waiting.make_wake()
    assert waiting.wait(handles, wake, 60.0) == (handles[1],)
    assert waiting.wait(handles[:1], wake, 0.0) == ()
    assert isinstance(supervision.poll(handles[0]), Running)
    wake.set()
    assert waiting.wait(handles[:1], wake, 60.0) == ()
    wake.clear()
    fifo.write_text("go\n")
    assert waiting.wait(handles[:1], wake, 60.0) == (handles[0],)


def test_s3_12_supervisor_is_small(commands: Commands) -> None:
    fifo = commands.fifo("fifo")
    handle = commands.launch(f"echo up > '{fifo}'; sleep 1000")
    fifo.read_text()
    status = Path(f"/proc/{handle.supervisor}/status").read_text()
    (resident,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 15 * 1024


def test_supervisor_loads_nothing_heavy() -> None:
    argv = [sys.executable, "-I", "-S", "-c"]
    source = (
        "import sys; sys.path.append(sys.argv[1]); import orchestrator.running.supervisor;"
        "heavy = {'typing', 'pathlib', 'subprocess', 'dataclasses', 'psutil', 'datetime', 'tempfile',"
        " 'json', 're', 'enum', 'signal', 'contextlib', 'functools', 'collections', 'types', 'ctypes'};"
        "print(*sorted(heavy & {*sys.modules}))"
    )
    root = Path(supervision.__file__).parents[2]
    assert subprocess.check_output([*argv, source, str(root)], text=True).strip() == ""


def test_records_are_written_as_json_writes_them(tmp_path: Path) -> None:
    value = {
        "none": None,
        "yes": True,
        "no": False,
        "one": 1,
        "zero": 0,
        "some": 1.5e-07,
        "of": [1, 2],
        "": [],
    }
    odd = {
        "text": 'a "quoted" \\ line\n\t\0',
        "\udcff": "\udcfe",
        "wide": "\N{SNOWMAN} \N{GRINNING FACE} \x7f",
    }
    records.write_record(str(tmp_path), "record", {**value, **odd, "inner": odd}, durable=False)
    assert (tmp_path / "record").read_text() == json.dumps({**value, **odd, "inner": odd}) + "\n"
    assert records.read_record(str(tmp_path), "record") == {**value, **odd, "inner": odd}


def test_descriptors_of_locks_are_held_by_the_supervisor_alone(commands: Commands) -> None:
    reads, writes = os.pipe()
    ours = f"pipe:[{os.fstat(writes).st_ino}]"
    fifo = commands.fifo("fifo")
    command = f"ls -l /proc/self/fd; echo up > '{fifo}'; sleep 1000"
    handle = commands.launch(command, hold=(writes,))
    fifo.read_text()
    os.close(writes)
    assert ours in {str(link.readlink()) for link in Path(f"/proc/{handle.supervisor}/fd").iterdir()}
    log = (commands.folder / f"{handle.attempt}.log").read_text()
    assert "/dev/null" in log
    assert ours not in log
    os.set_blocking(reads, False)
    with pytest.raises(BlockingIOError):  # not the end of the file: somebody has the other side
        os.read(reads, 1)
    os.set_blocking(reads, True)
    supervision.stop(handle)
    assert os.read(reads, 1) == b""  # comes when the supervisor ends
    os.close(reads)
    assert commands.end(handle).outcome is Outcome.STOPPED


def test_launcher_killed_before_its_word_means_not_started(commands: Commands) -> None:
    """Killed right after the supervisor's record, planctl has told nobody of the command: it must not run."""
    spec = commands.spec(f"touch '{commands.folder}/ran'")
    spec.record_dir.mkdir()
    with supervision._supervisor(spec) as (process, ready):
        assert process.stdin is not None
        supervision._say(process.stdin.fileno(), supervision._orders(spec))
        assert os.read(ready, 6) == b"ready\n"
        handle = supervision.find(spec.record_dir)
        assert handle is not None
        assert platforms.is_alive(handle.pid, handle.started)
    assert process.wait(60) == 0
    assert supervision.find(spec.record_dir) is None, "nothing was begun"
    assert supervision.poll(handle) == Ended(Outcome.LOST)
    assert gone(handle.pid)
    assert not (commands.folder / "ran").exists()
    assert commands.end(supervision.launch(spec)).succeeded
    assert (commands.folder / "ran").exists()


def test_who_looks_before_a_supervisor_has_seen_its_launcher_die_waits_for_it(commands: Commands) -> None:
    """Taken for begun, a stage whose record is taken back a moment later would cost the whole attempt."""
    spec = commands.spec(f"touch '{commands.folder}/ran'")
    spec.record_dir.mkdir()
    looks: list[float] = []
    with contextlib.ExitStack() as launcher:
        process, ready = launcher.enter_context(supervision._supervisor(spec))
        assert process.stdin is not None
        supervision._say(process.stdin.fileno(), supervision._orders(spec))
        assert os.read(ready, 6) == b"ready\n"

        def die(seconds: float) -> None:
            looks.append(seconds)
            launcher.close()
            assert process.wait(60) == 0

        assert waiting.find_begun(spec.record_dir, die) is None
    assert looks == [waiting.SLICE]
    assert not (commands.folder / "ran").exists()


def test_what_was_let_go_is_found_at_once_while_it_runs_and_when_it_has_ended(commands: Commands) -> None:
    handle = commands.launch("sleep 1000")
    folder = handle.record_dir
    while platforms.image_of(handle.pid) == platforms.image_of(handle.supervisor):
        os.sched_yield()
    assert waiting.find_begun(folder, pytest.fail) == handle
    supervision.stop(handle)
    commands.end(handle)
    assert waiting.find_begun(folder, pytest.fail) == handle


@pytest.mark.parametrize(("side", "outcome"), [("before", Outcome.LOST), ("after", Outcome.EXITED)])
def test_supervisor_killed_around_its_last_record(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, side: str, outcome: Outcome
) -> None:
    monkeypatch.setenv("PLANCTL_KILL_AT", f"running.record-ended:{side}")
    handle = commands.launch("exit 3")
    ended = commands.end(handle)
    assert (ended.outcome, ended.command_alive) == (outcome, False)
    assert ended.exit_code == (3 if outcome is Outcome.EXITED else None)


@pytest.mark.parametrize("side", ["before", "after"])
def test_supervisor_killed_around_its_first_record(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setenv("PLANCTL_KILL_AT", f"running.record-started:{side}")
    spec = commands.spec(f"touch '{commands.folder}/ran'")
    with pytest.raises(LaunchFailedError):
        commands.launch(spec)
    handle = supervision.find(spec.record_dir)
    assert (handle is None) == (side == "before")
    assert supervision.stop_marked(spec.attempt, 0.0) == ()
    assert not (commands.folder / "ran").exists()


def test_lost_is_told_when_the_machine_was_started_anew(commands: Commands) -> None:
    handle = commands.launch("sleep 1000")
    elsewhere = replace(handle, boot="another-boot")
    assert supervision.poll(elsewhere) == Ended(Outcome.LOST)
    assert supervision.stop_tree(elsewhere, 0.0) == ()
    assert platforms.is_alive(handle.pid, handle.started)
