"""A branch that is there already: whose it is, and that nothing a person put on it is taken off."""

from __future__ import annotations

from pathlib import Path

from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo


def adoptable(repo: GitRepo, marker: Path) -> str:
    """Plan a works on the user's branch ``feat`` and fails until ``marker`` is there."""
    command = f"test -e {marker} && echo done > done.txt"
    commit_plans(repo, {"a": {"branch": "feat", "files": {"write": ["**"]}, "run": command}})
    return repo.branch("feat", {"mine.txt": "work of mine\n"})


def test_adopting_again_after_a_failure_starts_from_the_users_commits_again(
    repo: GitRepo, tmp_path: Path
) -> None:
    mine = adoptable(repo, tmp_path / "ok")
    assert run("run-multi", "a", "--adopt", cwd=repo.path).code == 1
    assert repo.head("feat") == mine
    (tmp_path / "ok").touch()
    done = run("run-multi", "a", "--adopt", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert repo.show("main", "mine.txt") == "work of mine\n"
    assert repo.show("main", "done.txt") == "done\n"


def test_an_adopted_branch_does_not_become_planctls_own_by_a_failed_attempt(
    repo: GitRepo, tmp_path: Path
) -> None:
    mine = adoptable(repo, tmp_path / "ok")
    assert run("run-multi", "a", "--adopt", cwd=repo.path).code == 1
    (tmp_path / "ok").touch()
    done = run("run-multi", "a", cwd=repo.path)
    assert done.code == 2, done.out + done.err
    assert "branch feat exists already" in done.err
    assert repo.head("feat") == mine


def test_a_branch_made_by_a_person_under_the_plans_name_is_refused(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a >> one"}})
    assert run("run", "a", cwd=repo.path).code == 0
    repo.git("branch", "-D", "plan/a")
    mine = repo.branch("plan/a", {"mine.txt": "mine\n"})
    done = run("run", "a", "--again", cwd=repo.path)
    assert done.code == 2, done.out + done.err
    assert repo.head("plan/a") == mine


def test_commits_of_a_failed_command_are_planctls_own_and_parked(repo: GitRepo, tmp_path: Path) -> None:
    """The plan's own half-done commits do not keep it from starting anew; nothing of them is lost."""
    command = f"echo a >> one; git add one; git commit -qm half; test -e {tmp_path / 'ok'}"
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": command}})
    assert run("run", "a", cwd=repo.path).code == 1
    half = repo.head("plan/a")
    (tmp_path / "ok").touch()
    done = run("run", "a", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a"]
    assert repo.show("main", "one") == "a\n"
    assert half in repo.git("for-each-ref", "--format=%(objectname)", "refs/planctl/archive/a")


def test_s8_work_whose_landing_was_taken_off_lands_again(repo: GitRepo) -> None:
    """The same head again (fixed dates), and the target was reset meanwhile: not landed is not said to be."""
    dates = "GIT_AUTHOR_DATE=@1700000000 GIT_COMMITTER_DATE=@1700000000"
    command = f"echo a > one; git add one; {dates} git commit -qm a"
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": command}})
    assert run("run", "a", cwd=repo.path).code == 0
    first = repo.head("plan/a")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    done = run("run", "a", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert repo.head("plan/a") == first
    assert repo.show("main", "one") == "a\n"
    assert landings(repo) == ["a"]
