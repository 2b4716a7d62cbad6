"""``docs/emergencies.md`` is true: its commands exist, and what it tells people to do works (S3.13)."""

from __future__ import annotations

import os
import re
import shlex
import signal
from pathlib import Path

import click
import pytest

from orchestrator.cli import main as frame
from orchestrator.sessions.registry import SessionHandle
from tests.support.cli import planctl
from tests.support.faces import LIMIT, bench_at, cli, write_plan
from tests.support.pools import pool_of
from tests.support.repo import GitRepo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "emergencies.md"
QUOTED = re.compile(r"^    planctl (.+)$|`planctl ([^`]+)`", re.MULTILINE)


@pytest.mark.parametrize(
    "line", sorted({one or other for one, other in QUOTED.findall(PAGE.read_text("utf-8"))})
)
def test_s3_13_every_command_of_the_page_exists(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = frame.cli
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, f"there is no `planctl {line}`"
        command = found
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def do(repo: GitRepo, line: str, code: int = 0) -> str:
    said = planctl(*shlex.split(line), repo=repo.path)
    assert said.code == code, said
    return said.stdout


def test_s3_13_main_is_red(repo: GitRepo) -> None:
    repo.write("state", "good\n")
    repo.write("planctl.yaml", "check: grep -q good state\n")
    repo.commit("start")
    repo.branch("work", {"work.txt": "x\n"})
    repo.write("state", "bad\n")
    broken = repo.commit("break")
    do(repo, "queue add work")
    do(repo, 'queue pause --why "main is red"')
    do(repo, "queue run --once")
    assert repo.head("main") == broken, "nothing lands meanwhile"
    assert "main is red" in do(repo, "queue explain work")
    repo.git("revert", "--no-edit", broken)
    do(repo, "queue resume")
    do(repo, "queue run --once")
    assert repo.show("main", "work.txt") == "x\n"
    assert repo.show("main", "state") == "good\n"


def test_s3_13_a_lease_will_not_go(repo: GitRepo) -> None:
    do(repo, "session start --id me")
    do(repo, "lock acquire deploy --session me")
    assert "me" in do(repo, "lock list deploy")
    do(repo, 'session message me "please release deploy"')
    do(repo, "lock break deploy")
    do(repo, "lock acquire deploy --session you")


def test_s3_13_work_comes_back_with_planctl_and_without(repo: GitRepo, tmp_path: Path) -> None:
    slot = GitRepo(pool_of(repo.path).add("slot-01", repo.head()).path)
    slot.write("work.txt", "precious\n")
    do(repo, "doctor --fix")
    (name,) = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").splitlines()
    assert "work.txt" in do(repo, f"rescue show {name}")
    assert repo.git("show", f"{name}:work.txt") == "precious", "also when planctl is gone"
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "back"), "main")
    do(repo, f"rescue restore {name} --into {tmp_path / 'back'}")
    assert (tmp_path / "back" / "work.txt").read_text() == "precious\n"


def test_s3_13_a_worker_that_is_stopped_or_killed_does_not_keep_the_queue(repo: GitRepo) -> None:
    repo.branch("work", {"work.txt": "x\n"})
    do(repo, "queue add work")
    env = {**os.environ, "PLANCTL_KILL_AT": "landing.refs:before"}
    working = cli(repo, "queue", "run", "--once", env=env)
    working.communicate(timeout=LIMIT)
    assert working.returncode == -signal.SIGKILL
    do(repo, "queue run --once")
    assert repo.show("main", "work.txt") == "x\n"
    assert do(repo, "doctor").startswith("healthy")


def test_s3_13_planctl_goes_in_a_hurry_and_by_hand(repo: GitRepo) -> None:
    write_plan(repo, "one")
    repo.commit("plan")
    tree = pool_of(repo.path).add("slot-01", repo.head())
    with bench_at(repo) as pair:
        assert isinstance(pair[1], SessionHandle)
    GitRepo(tree.path).write("work.txt", "precious\n")
    with pytest.raises(AssertionError, match="contains modified or untracked"):
        repo.git("worktree", "remove", str(tree.path))
    do(repo, "uninstall --dry-run")
    assert "refs/planctl/rescue/" in do(repo, "uninstall")
    assert not (repo.path / ".git" / "planctl").exists()
