"""The live display on a real terminal, and plain lines everywhere else."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.gates import Gates, assert_all_landed
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.slices import sampled

SCREEN = {"TERM": "xterm-256color", "NO_COLOR": "", "CI": "", "COLUMNS": "100", "LINES": "30"}
EVIL = r"printf '\033]0;evil\007\033[2J\033[31mlast words\033[0m\n'"


@dataclass
class Terminal:
    """planctl on a terminal of its own, which this test is the person at."""

    process: subprocess.Popen[bytes]
    screen: int
    shown: bytes = field(default=b"")

    def read_until(self, *words: bytes) -> bytes:
        while not all(word in self.shown for word in words):
            assert self._read(), self.shown[-3000:]
        return self.shown

    def _read(self) -> bool:
        try:
            ready, _, _ = select.select([self.screen], [], [], 60)
            data = os.read(self.screen, 65536) if ready else b""
        except OSError:  # Linux says so when nobody has the other side open any more
            data = b""
        self.shown += data
        return bool(data)

    def end(self) -> int:
        while self._read():
            pass
        return self.process.wait(60)


@contextmanager
def terminal(repo: GitRepo, *arguments: str, **environ: str) -> Iterator[Terminal]:
    """The other side stays open here as well, so that its settings can be looked at in the end."""
    screen, own = pty.openpty()
    argv = ["setsid", "--ctty", sys.executable, "-m", "orchestrator.cli", *arguments]
    process = subprocess.Popen(
        argv, cwd=repo.path, env={**os.environ, **SCREEN, **environ}, stdin=own, stdout=own, stderr=own
    )
    os.close(own)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(screen)


def one_plan(repo: GitRepo, gates: Gates) -> None:
    work = f"{EVIL}; {gates.command('a', 'echo a > one')}"
    commit_plans(
        repo,
        {
            "a": {"files": {"write": ["one"]}, "run": work},
            "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cp one two"},
        },
        "check: test ! -e bad\n",
    )


def test_a_line_a_plan_and_nothing_of_what_a_command_does_to_terminals(repo: GitRepo, gates: Gates) -> None:
    one_plan(repo, gates)
    with terminal(repo, "run-multi", "--all") as person:
        before = termios.tcgetattr(person.screen)
        gates.await_at("a")
        person.read_until(b"last words", b"running", b"waits for a")
        gates.open("a")
        assert person.end() == 0, person.shown[-3000:]
        assert termios.tcgetattr(person.screen) == before
    assert b"evil" not in person.shown
    assert b"\x1b[2J" not in person.shown
    assert person.shown.rfind(b"\x1b[?25h") > person.shown.rfind(b"\x1b[?25l") >= 0
    assert re.search(rb"\d+:\d\d", person.shown)  # how long it has been at work
    assert b"queue: a (" in person.shown
    assert_all_landed(repo, ["a", "b"])


def test_a_narrow_terminal_shortens_long_names_and_not_what_state_they_are_in(
    repo: GitRepo, gates: Gates
) -> None:
    long = "a-name-that-is-longer-than-the-terminal-is-wide"
    commit_plans(repo, {long: {"files": {"write": ["a"]}, "run": gates.command("a", "echo a > a")}})
    with terminal(repo, "run-multi", "--all", COLUMNS="40") as person:
        gates.await_at("a")
        person.read_until(b"running", "a-name-that-is-…".encode())
        os.write(person.screen, b"\x03")
        assert person.end() == 130, person.shown[-3000:]


def test_s0_5_ctrl_c_leaves_the_terminal_as_it_was(repo: GitRepo, gates: Gates) -> None:
    one_plan(repo, gates)
    with terminal(repo, "run-multi", "--all") as person:
        before = termios.tcgetattr(person.screen)
        gates.await_at("a")
        person.read_until(b"last words")
        os.write(person.screen, b"\x03\x03\x03")
        assert person.end() == 130, person.shown[-3000:]
        assert termios.tcgetattr(person.screen) == before
    assert person.shown.rfind(b"\x1b[?25h") > person.shown.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in person.shown
    last = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", person.shown).split(b"\r\n")
    assert [line for line in last[-4:] if b"planctl resume" in line], last
    assert gates.nobody_at("a")


@pytest.mark.parametrize("quiet", sampled([{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}]))
def test_plain_lines_where_a_live_display_is_not_wanted(
    repo: GitRepo, gates: Gates, quiet: dict[str, str]
) -> None:
    gates.open("a")
    one_plan(repo, gates)
    with terminal(repo, "run-multi", "--all", **quiet) as person:
        assert person.end() == 0, person.shown[-3000:]
    assert b"\x1b" not in person.shown
    assert b"a landed as " in person.shown


def test_plain_lines_in_a_pipe(repo: GitRepo, gates: Gates) -> None:
    gates.open("a")
    one_plan(repo, gates)
    done = run("run-multi", "--all", cwd=repo.path, env=SCREEN)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    assert "a landed as " in done.out
