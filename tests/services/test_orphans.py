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
    settled.branch("claude/reset", {"c.txt": "first try\n"})
    settled.git("branch", "-f", "claude/reset", "main")
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
    assert "its log names" in seen["orphan-kept claude/reset"]["detail"], "it goes with the branch"
    branches = settled.git("branch", "--format=%(refname:short)").splitlines()
    assert set(branches) >= {"claude/ahead", "claude/reset", "claude/dirty", "mine", "main"}
    assert not (trees / "empty").exists()
    assert (trees / "dirty" / "notes.txt").exists()
    assert list(found(settled, "--fix")) != [], "the branch of the worktree that went is all in the target"
    again = found(settled, "--fix")
    assert {issue["code"] for issue in again.values()} == {"orphan-kept"}, "idempotent"


def test_s3_14_p9_a_file_that_git_was_told_not_to_look_at_is_work(settled: GitRepo) -> None:
    """Neither status nor ``worktree remove`` sees it; the user's own settings may hide untracked files."""
    settled.git("config", "status.showUntrackedFiles", "no")
    marks = {"skipped": "--skip-worktree", "assumed": "--assume-unchanged"}
    for name, mark in marks.items():
        tree = a_worktree(settled, name, f"claude/{name}")
        tree.git("update-index", mark, "planctl.yaml")
        tree.write("planctl.yaml", "# my own\n")
        os.utime(settled.path / ".git/worktrees" / name / "index", LONG_AGO)
    a_worktree(settled, "untracked", "claude/untracked").write("notes.txt", "work\n")
    seen = found(settled, "--fix")
    trees = settled.path / ".claude" / "worktrees"
    for name in marks:
        assert "planctl.yaml" in seen[f"orphan-kept {trees / name}"]["detail"]
        assert (trees / name / "planctl.yaml").read_text() == "# my own\n"
    assert (trees / "untracked/notes.txt").exists()


def test_s3_14_a_lock_that_somebody_holds_or_that_names_no_process_of_this_machine_stays(
    settled: GitRepo,
) -> None:
    gone, _ = dead_process()
    held = settled.path / ".claude/held.lock"
    texts = {
        ".claude/held.lock": f"{gone}\n",
        ".claude/time.lock": "2026-11-21 01:02:03\n",
        ".claude/date.lock": "20261121\n",
        ".claude/none.lock": "0\n",
        ".claude/more.lock": f"{gone} on another\n",
        ".claude/far.lock": f'{{"pid": {gone}, "hostname": "another"}}\n',
        ".git/planctl/worktrees.lock": f'{{"pid": {gone}, "command": "x", "turn": "1"}}',
    }
    settled.write("planctl.yaml", "orphans: {locks: ['.claude/*.lock', '.git/*/*.lock'], older_than: 1m}\n")
    settled.commit("locks")
    for name, text in texts.items():
        settled.write(name, text)
        os.utime(settled.path / name, LONG_AGO)
    script = "import sys, fcntl; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert not [i for i in found(settled, "--fix").values() if i["code"] == "orphan-lock"]
        assert [name for name in texts if not (settled.path / name).exists()] == []
        child.communicate(b"\n")
    assert found(settled, "--fix")["orphan-lock .claude/held.lock"]["fixed"] is True
    assert not held.exists()


def test_s3_14_the_parent_of_a_living_session_or_of_a_command_is_no_leftover(tmp_path: Path) -> None:
    """A queue that an earlier tool left running may well have started a planctl."""

    def seen(*spared: int) -> set[int]:
        now = time.time() + 60
        return {s.process.pid for s in strays.strays(["*left-over*"], [tmp_path.resolve()], 60, spared, now)}

    with daemon(tmp_path, tmp_path / "one") as (pid, child):
        exec_done(pid)
        assert seen() == {pid}
        assert seen(child) == set()
        process = platforms.find_process(pid)
        assert process is not None
        stray = Stray(process, strays._now_runs(pid), "", 0)
        assert strays.end(stray, (child,)) == (pid,)
        assert platforms.is_alive(pid, process.started)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(platforms, "marker_of", lambda one: "a1-0" if one == child else None)
            assert seen() == set()
            assert strays.end(stray) == (pid,)
        assert platforms.is_alive(pid, process.started)


def test_s3_14_what_the_first_process_has_started_itself_is_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container's own program and its children; a service of systemd; what came by ``docker exec``."""
    first, own, away = (platforms.Process(pid, parent, session, 1.0) for pid, parent, session in (
        (1, 0, 1), (20, 1, 1), (30, 1, 30)
    ))  # fmt: skip
    table = {1: first, 20: own, 30: away, 40: platforms.Process(40, 0, 40, 1.0)}
    assert [pid for pid in (20, 30, 40) if strays._is_orphan(table[pid], table)] == [30]
    monkeypatch.setattr(platforms, "variable_of", lambda pid, _name: str(pid))
    assert not strays._is_orphan(away, table)
