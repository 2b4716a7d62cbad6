"""``doctor --orphans``: what earlier tools left goes, proven to hold nothing; all else stays (S3.14)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.running import platforms, strays
from orchestrator.running.strays import Stray
from tests.services.test_doctor import issues
from tests.support.cli import Said, planctl
from tests.support.faces import LIMIT, contents, dead_process
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are ended by signals")
LONG_AGO = (1_700_000_000, 1_700_000_000)


def orphans(repo: GitRepo, *arguments: str) -> Said:
    return planctl("doctor", "--orphans", "--json", *arguments, repo=repo.path)


def found(repo: GitRepo, *arguments: str) -> dict[str, dict[str, Any]]:
    return issues(orphans(repo, *arguments))


@pytest.fixture
def settled(repo: GitRepo) -> GitRepo:
    """A repository whose settings take what is a minute old for left over."""
    lines = ["orphans:", "  processes: ['*left-over-daemon*']", "  older_than: 1m"]
    repo.write("planctl.yaml", "\n".join([*lines, ""]))
    repo.write(".gitignore", ".claude/\n.specweave/\n")
    repo.commit("settings")
    return repo


_DAEMON = """
import os, sys
if os.fork():
    os._exit(0)
child = os.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-c", "import signal; signal.pause()"])
with open(sys.argv[2], "w") as told:
    told.write(f"{os.getpid()} {child}\\n")
os.execv(sys.executable, [sys.executable, "-c", "import signal; signal.pause()", sys.argv[1]])
"""


@contextlib.contextmanager
def daemon(folder: Path, fifo: Path, name: str = "left-over-daemon") -> Iterator[tuple[int, int]]:
    """A process and its child whose starter and session leader are gone, standing in ``folder``."""
    os.mkfifo(fifo)
    argv = [sys.executable, "-c", _DAEMON, name, str(fifo)]
    with subprocess.Popen(argv, cwd=folder, start_new_session=True) as starter:
        pids = tuple(int(word) for word in fifo.read_text(encoding="ascii").split())
        starter.wait(LIMIT)
    try:
        yield pids[0], pids[1]
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def another_users_strays(repo: GitRepo, now: float) -> list[Stray]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "getuid", lambda: 4711)
        return strays.strays(["*left-over-daemon*"], [repo.path.resolve()], 60, (), now)


def exec_done(pid: int) -> None:
    """Return when it is the program that it was started for."""
    while b"signal.pause" not in platforms.image_of(pid) or b"os.fork" in platforms.image_of(pid):
        os.sched_yield()


def test_s3_14_a_leftover_process_is_shown_first_and_ended_with_what_it_started(
    settled: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    with (
        daemon(settled.path / "src", tmp_path / "one") as (ours, child),
        daemon(tmp_path / "other", tmp_path / "two") as (elsewhere, _),
        daemon(settled.path, tmp_path / "three", "something-else") as (unknown, _),
    ):
        for pid in (ours, child, elsewhere, unknown):
            exec_done(pid)
        assert found(settled) == {}, "it is not a minute old"
        real = strays.strays
        monkeypatch.setattr(
            "orchestrator.services.diagnosis.orphans.strays",
            lambda p, f, o, s, now: real(p, f, o, s, now + 60),
        )
        before = contents(settled.path / ".git")
        assert another_users_strays(settled, now=time.time() + 60) == [], "another user's are not looked at"
        assert list(found(settled)) == [f"orphan-process pid {ours}"]
        assert platforms.find_process(ours), "without --fix nothing is touched"
        assert contents(settled.path / ".git") == before
        assert found(settled, "--fix")[f"orphan-process pid {ours}"]["fixed"] is True
        assert not platforms.find_process(ours)
        assert not platforms.find_process(child)
        assert platforms.find_process(elsewhere), "not in this repository"
        assert platforms.find_process(unknown), "not like any pattern"
        assert found(settled, "--fix") == {}


def test_s3_14_what_is_looked_after_is_no_leftover(settled: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent is this test: somebody uses it, whatever its name and age."""
    real = strays.strays
    monkeypatch.setattr(
        "orchestrator.services.diagnosis.orphans.strays", lambda p, f, o, s, now: real(p, f, o, s, now + 9999)
    )
    argv = [sys.executable, "-c", "input()", "left-over-daemon"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=settled.path) as used:
        assert found(settled, "--fix") == {}
        assert used.poll() is None
        used.communicate(b"\n")


def test_s3_14_nothing_is_signalled_that_is_not_what_was_found(tmp_path: Path) -> None:
    """The pid was given to another since, or the process runs another program now."""
    with daemon(tmp_path, tmp_path / "told") as (pid, _):
        exec_done(pid)
        process = platforms.find_process(pid)
        assert process is not None
        line = strays._now_runs(pid)
        earlier = platforms.Process(pid, process.parent, process.session, process.started - 1)
        for not_it in (Stray(earlier, line, "", 0), Stray(process, "another program", "", 0)):
            assert strays.end(not_it) == ()
            assert platforms.is_alive(pid, process.started)
        assert strays.end(Stray(process, line, "", 0)) == ()
        assert not platforms.is_alive(pid, process.started)


def test_s3_14_a_lock_goes_only_when_it_names_a_process_that_is_gone(settled: GitRepo) -> None:
    gone, _ = dead_process()
    contents_of = {
        ".specweave/state/queue.lock/pid": f"{gone}\n",
        ".specweave/state/alive.lock/pid": f"{os.getpid()}\n",
        ".specweave/state/more.lock/pid": f"{gone}\n",
        ".specweave/state/more.lock/notes.txt": "work\n",
        ".claude/tasks.lock": f'{{"pid": {gone}}}\n',
        ".claude/nameless.lock": "locked\n",
        ".claude/worktrees/one/.git": "gitdir: elsewhere\n",
        ".claude/worktrees/one.lock": f"{gone}\n",
    }
    for name, text in contents_of.items():
        settled.write(name, text)
    for path in [*settled.path.glob(".specweave/*/*"), *settled.path.glob(".claude/*.lock")]:
        os.utime(path, LONG_AGO)
    kept = {"state/alive.lock", "state/more.lock"}
    seen = found(settled, "--fix")
    assert {k for k, issue in seen.items() if issue["fixed"]} == {
        "orphan-lock .specweave/state/queue.lock", "orphan-lock .claude/tasks.lock"
    }  # fmt: skip
    assert {k for k, issue in seen.items() if not issue["fixed"]} == {
        "orphan-kept .claude/nameless.lock", *(f"orphan-kept .specweave/{name}" for name in kept)
    }  # fmt: skip
    left = {name for name in contents_of if (settled.path / name).exists()}
    assert left == set(contents_of) - {".specweave/state/queue.lock/pid", ".claude/tasks.lock"}


def a_worktree(repo: GitRepo, name: str, branch: str) -> GitRepo:
    path = repo.path / ".claude" / "worktrees" / name
    repo.git("worktree", "add", "-q", "-b", branch, str(path))
    for file in ("index", "HEAD", "logs/HEAD"):
        os.utime(repo.path / ".git" / "worktrees" / name / file, LONG_AGO)
    return GitRepo(path)


def test_s3_14_p9_worktrees_and_branches_go_only_when_nothing_is_lost(settled: GitRepo) -> None:
    a_worktree(settled, "empty", "claude/empty")
    a_worktree(settled, "dirty", "claude/dirty").write("notes.txt", "work\n")
    ignored = a_worktree(settled, "ignored", "claude/ignored")
    ignored.write(".claude/secret", "work\n")
    amended = a_worktree(settled, "amended", "claude/amended")
    amended.write("a.txt", "first try\n")
    amended.commit("first try")
    amended.git("reset", "-q", "--hard", "HEAD~1")
    os.utime(settled.path / ".git/worktrees/amended/logs/HEAD", LONG_AGO)
    os.utime(settled.path / ".git/worktrees/amended/index", LONG_AGO)
    os.utime(settled.path / ".git/worktrees/amended/HEAD", LONG_AGO)
    settled.branch("claude/ahead", {"b.txt": "work\n"})
    settled.git("branch", "claude/merged", "main")
    settled.git("branch", "mine", "main")
    seen = found(settled, "--fix")
    seen.pop("orphan-kept claude/empty")  # until its worktree went it was checked out there
    trees = settled.path / ".claude" / "worktrees"
    assert {k for k, issue in seen.items() if issue["fixed"]} == {
        f"orphan-worktree {trees / 'empty'}", "orphan-branch claude/merged"
    }  # fmt: skip
    assert seen[f"orphan-kept {trees / 'dirty'}"]["detail"].endswith(": notes.txt")
    assert seen[f"orphan-kept {trees / 'ignored'}"]["detail"].endswith(": .claude/")
    assert "which no reference leads to" in seen[f"orphan-kept {trees / 'amended'}"]["detail"]
    assert "does not contain" in seen["orphan-kept claude/ahead"]["detail"]
    branches = settled.git("branch", "--format=%(refname:short)").splitlines()
    assert set(branches) >= {"claude/ahead", "claude/dirty", "mine", "main"}
    assert not (trees / "empty").exists()
    assert (trees / "dirty" / "notes.txt").exists()
    assert list(found(settled, "--fix")) != [], "the branch of the worktree that went is all in the target"
    again = found(settled, "--fix")
    assert {issue["code"] for issue in again.values()} == {"orphan-kept"}, "idempotent"
