"""How errors end a command: one table, one line, a log for what nobody expected (S0.3)."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import click
import pytest

import orchestrator.errors
import orchestrator.servingerrors
import plans.errors
import worktrees.errors
import worktrees.restoreerrors
from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.cli.exits import EXITS, INTERNAL
from orchestrator.errors import BusyError, InterruptedRunError, StoreRefusedError, StoreUnusableError
from plans.errors import CycleError, InvalidPlansError, PlanctlError, Problem
from tests.support.cli import Said, add_command, planctl
from tests.support.repo import GitRepo
from worktrees.errors import UnsupportedRepositoryError

_MODULES = (
    plans.errors,
    worktrees.errors,
    worktrees.restoreerrors,
    orchestrator.errors,
    orchestrator.servingerrors,
)


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str, repo: Path) -> Said:
    @click.command("fail", cls=Command)
    @pass_invocation
    def fail(_: Invocation) -> None:
        """Fail."""
        raise error

    add_command(monkeypatch, fail)
    return planctl(*options, "fail", repo=repo)


def logs(repo: GitRepo) -> list[Path]:
    return sorted((repo.path / ".git" / "planctl" / "logs").glob("fault-*.log"))


def test_every_error_type_is_in_the_table() -> None:
    kinds = {
        kind
        for module in _MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, PlanctlError) and kind is not PlanctlError
    }
    assert kinds - set(EXITS) - INTERNAL == set()
    assert not set(EXITS) & INTERNAL
    assert {found.code for found in EXITS.values()} <= {1, 2, 3, 4, 130}


def test_an_expected_error_is_one_line_with_advice_and_no_log(
    monkeypatch: pytest.MonkeyPatch, repo: GitRepo
) -> None:
    said = fail_with(monkeypatch, BusyError("the target", "pid 7\x1b[2J"), repo=repo.path)
    assert said.code == 4
    assert said.stderr.splitlines() == [
        "planctl: the target is held by pid 7\\x1b[2J",
        "  hint: `planctl status` shows what is going on",
    ]
    assert said.stdout == ""
    assert logs(repo) == []


def test_a_circle_names_its_ids_in_order(monkeypatch: pytest.MonkeyPatch, repo: GitRepo) -> None:
    said = fail_with(monkeypatch, CycleError(("a", "c", "b")), "--json", repo=repo.path)
    assert said.code == 2
    assert said.data["error"]["code"] == "cycle"
    assert said.data["error"]["ids"] == ["a", "c", "b"]
    assert "a → c → b → a" in said.stderr


def test_all_problems_of_plans_are_shown(monkeypatch: pytest.MonkeyPatch, repo: GitRepo) -> None:
    problems = (Problem("p.md", "bad-id", "no\nid", 3, 4, "plan", "take another"), Problem("q.md", "x", "y"))
    said = fail_with(monkeypatch, InvalidPlansError(problems), "--json", repo=repo.path)
    assert said.code == 2
    lines = said.stderr.splitlines()
    assert lines[:3] == [
        "p.md:3:4: error: plan: no\\x0aid [bad-id]",
        "  hint: take another",
        "q.md: error: y [x]",
    ]
    assert [p["code"] for p in said.data["error"]["problems"]] == ["bad-id", "x"]


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_run_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, repo: GitRepo, number: int, code: int
) -> None:
    said = fail_with(monkeypatch, InterruptedRunError(number, "01RUN"), repo=repo.path)
    assert said.code == code
    assert "planctl resume 01RUN" in said.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, repo: GitRepo, error: BaseException) -> None:
    said = fail_with(monkeypatch, error, repo=repo.path)
    assert (said.code, said.stderr) == (130, "planctl: interrupted\n")


def test_s0_3_a_fault_is_one_line_a_log_and_exit_3(monkeypatch: pytest.MonkeyPatch, repo: GitRepo) -> None:
    said = fail_with(monkeypatch, ZeroDivisionError("by\nzero"), repo=repo.path)
    assert said.code == 3
    assert len(said.stderr.splitlines()) == 1
    (log,) = logs(repo)
    assert said.stderr == f"planctl: unexpected ZeroDivisionError: by\\x0azero (log: {log})\n"
    text = log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text
    assert "planctl 0.1.0, Python 3." in text
    assert log.stat().st_mode & 0o077 == 0, "a traceback may hold what is nobody else's business"


def test_s0_3_a_known_fault_has_its_advice_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, repo: GitRepo
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "x")
    said = fail_with(monkeypatch, full, repo=repo.path)
    assert said.code == 3
    (log,) = logs(repo)
    assert said.stderr.splitlines() == [
        f"planctl: [Errno 28] No space left on device: 'x' (log: {log})",
        "  hint: make room or mend the disk, then `planctl resume` goes on; nothing was lost",
    ]


def test_a_right_that_is_missing_is_no_surprise(monkeypatch: pytest.MonkeyPatch, repo: GitRepo) -> None:
    denied = OSError(errno.EACCES, "Permission denied", ".planctl")
    said = fail_with(monkeypatch, denied, repo=repo.path)
    assert said.code == 3
    assert said.stderr.startswith("planctl: [Errno 13] Permission denied: '.planctl' (log: ")
    assert said.stderr.endswith("  hint: give the user who runs planctl the rights to it, then try again\n")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            StoreUnusableError(Path("state.db"), "database or disk is full"),
            "make room, then `planctl resume`",
        ),
        (StoreUnusableError(Path("state.db"), "it is corrupt (x)"), "`planctl doctor` says what can be done"),
        (
            StoreRefusedError(Path("state.db"), "a newer planctl made it (version 99, …)"),
            "install that version",
        ),
        (StoreRefusedError(Path("state.db"), "it is odd"), "`planctl doctor` shows it; nothing was changed"),
        (UnsupportedRepositoryError(Path(".git"), "it cannot be written to"), "give it to the user who runs"),
    ],
)
def test_what_a_store_or_repository_needs_is_said_by_its_reason(
    monkeypatch: pytest.MonkeyPatch, repo: GitRepo, error: Exception, advice: str
) -> None:
    said = fail_with(monkeypatch, error, repo=repo.path)
    assert f"  hint: {advice}" in said.stderr


def test_s0_3_outside_a_repository_the_log_is_a_temporary_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = fail_with(monkeypatch, RuntimeError("x"), "--json", repo=tmp_path)
    (log,) = tmp_path.glob("fault-*.log")
    assert said.code == 3
    assert said.data["error"] == {
        "code": "runtime",
        "message": "unexpected RuntimeError: x",
        "advice": f"log: {log}",
        "exit": 3,
        "log": str(log),
    }


def test_s0_3_a_fault_without_a_place_for_its_log_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_bytes(b"")
    said = fail_with(monkeypatch, RuntimeError("x"), repo=tmp_path)
    assert (said.code, said.stderr) == (3, "planctl: unexpected RuntimeError: x\n")


def test_s0_3_a_fault_in_a_thread_is_reported_and_ends_in_exit_3(
    monkeypatch: pytest.MonkeyPatch, repo: GitRepo
) -> None:
    @click.command("threads", cls=Command)
    @pass_invocation
    def threads(invocation: Invocation) -> None:
        """Lose a thread."""
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
        invocation.output.text("the rest was done")

    add_command(monkeypatch, threads)
    before = threading.excepthook
    said = planctl("threads", repo=repo.path)
    assert said.code == 3
    assert said.stdout == "the rest was done\n"
    (log,) = logs(repo)
    assert re.fullmatch(r"planctl: unexpected ZeroDivisionError: .* \(log: .*\)\n", said.stderr)
    assert "1 // 0" in log.read_text(encoding="utf-8")
    assert threading.excepthook is before


def test_s0_3_a_real_process_shows_no_traceback(repo: GitRepo) -> None:
    code = (
        "from orchestrator.cli import main as frame\n"
        "frame.Planctl.invoke = lambda self, context: {}['gone']\n"
        "frame.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--repo", str(repo.path), "lint"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(logs(repo)) == 1


def test_usage_errors_are_2_and_say_where_help_is() -> None:
    said = planctl("graph", "--no-such-option")
    assert said.code == 2
    assert "--no-such-option" in said.stderr
    assert "planctl graph --help" in said.stderr
    said = planctl("grahp")
    assert said.code == 2
    assert "grahp" in said.stderr


def test_a_repository_is_needed(tmp_path: Path) -> None:
    said = planctl("lint", repo=tmp_path)
    assert said.code == 2
    assert "not inside a git repository" in said.stderr
    said = planctl("lint", repo=tmp_path / "nowhere")
    assert said.code == 2
