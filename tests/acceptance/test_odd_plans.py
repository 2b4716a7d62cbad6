"""What commands of plans do to the repository and its worktrees, and what the user's checkout keeps."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.permissions import bound_by_permissions
from tests.support.plans import commit_plans, landings
from tests.support.process import COMMAND, run
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of these plans are POSIX shell")


@pytest.fixture
def two(repo: GitRepo) -> GitRepo:
    """Two plans that each write a file of their own."""
    plans: dict[str, dict[str, object]] = {name: {"run": f"echo {name} > {name}"} for name in ("a", "b")}
    commit_plans(repo, plans)
    return repo


def test_objects_that_cannot_be_written_are_said_in_one_line(two: GitRepo) -> None:
    objects = two.path / ".git" / "objects"
    objects.chmod(0o555)
    try:
        argv = [*bound_by_permissions(), *COMMAND, "run-multi", "--all"]
        done = subprocess.run(argv, cwd=two.path, capture_output=True, text=True, check=False)
    finally:
        objects.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "objects in it cannot be written to" in done.stderr
    assert landings(two) == []


def test_folders_that_a_command_closed_are_open_for_the_next_plan(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"priority": "high", "run": "echo a > a; chmod 555 . src"},
        "b": {"dependencies": ["a"], "run": "echo b > b; echo b > src/b"},
    }
    commit_plans(repo, plans, "pool: {max: 1}\n")
    argv = [*bound_by_permissions(), *COMMAND, "run-multi", "--all"]
    done = subprocess.run(argv, cwd=repo.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert landings(repo) == ["a", "b"]


def test_p25_a_plan_that_makes_the_repository_bare_moves_nothing_under_the_checkout(
    repo: GitRepo,
) -> None:
    commit_plans(repo, {"a": {"run": "git config core.bare true; echo a > a"}})
    before = repo.head("main")
    done = run("run-multi", "--all", cwd=repo.path)
    assert done.code == 1
    assert "core.bare" in done.out
    assert repo.head("main") == before
    repo.git("config", "core.bare", "false")
    assert run("sync", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="a process's folder is told by /proc")
def test_a_slot_in_which_a_daemon_outlives_its_supervisor_is_not_used_again(
    repo: GitRepo, tmp_path: Path
) -> None:
    """Its environment, parents and session are others: nothing proves whose it is, so it is left alone."""
    once = f"{tmp_path}/once"
    daemon = f"env -i PATH={os.environ['PATH']} setsid sh -c 'echo $$ > {once}; exec sleep 600'"
    first = f"({daemon} &); while [ ! -s {once} ]; do :; done; kill -9 $PPID"
    commit_plans(repo, {"a": {"run": f"[ -s {once} ] || {{ {first}; }}; echo a > a"}})
    done = run("run-multi", "--all", "--json", cwd=repo.path)
    pid = int(Path(once).read_text())
    os.kill(pid, signal.SIGKILL)  # and so it lived until now
    assert done.code == 0, done.err
    assert landings(repo) == ["a"]
    slots = run("worktree", "list", "--json", cwd=repo.path).data["worktrees"]
    assert [slot["state"] for slot in slots].count("quarantined") == 1
    assert f"pid {pid}" in next(slot["detail"] for slot in slots if slot["state"] == "quarantined")


def test_a_pool_by_way_of_a_link_is_made_and_taken_away_again(two: GitRepo) -> None:
    two.path.with_name("far").mkdir()
    two.path.with_name("way").symlink_to("far")
    two.commit("settings", {"planctl.yaml": "worktrees: ../way/pool\n"})
    assert run("run-multi", "--all", cwd=two.path).code == 0
    assert sorted(landings(two)) == ["a", "b"]
    assert run("doctor", cwd=two.path).code == 0
    assert run("uninstall", cwd=two.path).code == 0
    assert len(two.git("worktree", "list").splitlines()) == 1
    assert not two.path.with_name("far").joinpath("pool").exists()


def submodule_of(repo: GitRepo, tmp_path: Path) -> str:
    """``sub`` in ``repo``, not committed yet; returns a newer commit of it, which it has."""
    lib = GitRepo.copy_of(repo.path, tmp_path / "lib")
    repo.git("submodule", "add", "-q", str(lib.path), "sub")
    newer = lib.commit("newer", {"newer": "1\n"})
    repo.git("fetch", "-q", "origin", at=repo.path / "sub")
    return newer


def test_a_move_of_a_submodule_that_git_is_told_to_ignore_lands(repo: GitRepo, tmp_path: Path) -> None:
    newer = submodule_of(repo, tmp_path)
    repo.git("config", "-f", ".gitmodules", "submodule.sub.ignore", "all")
    commit_plans(repo, {"a": {"run": f"cd sub; git fetch -q; git checkout -q {newer}"}})
    assert run("run-multi", "--all", cwd=repo.path).code == 0
    assert repo.git("rev-parse", "main:sub") == newer
    assert repo.git("rev-parse", "HEAD", at=repo.path / "sub") == newer


def test_p25_a_repository_in_the_users_checkout_is_never_removed(repo: GitRepo, tmp_path: Path) -> None:
    submodule_of(repo, tmp_path)
    commit_plans(repo, {"a": {"run": "git rm -q -f sub; echo file > sub"}})
    repo.git("checkout", "-q", "-b", "precious", at=repo.path / "sub")
    done = run("run-multi", "--all", cwd=repo.path)
    assert done.code == 1
    assert "your changes are in the way: sub" in done.out
    assert repo.git("branch", "--show-current", at=repo.path / "sub") == "precious"
    repo.git("submodule", "deinit", "-q", "-f", "sub")
    assert run("sync", cwd=repo.path).code == 0
    assert (repo.path / "sub").read_text() == "file\n"
