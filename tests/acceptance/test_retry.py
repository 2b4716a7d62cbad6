"""What failed is done again: afresh, on its old head, or queued anew; with what was passed over for it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.states import AttemptState, RunState
from tests.support.gates import Gates, assert_all_landed, assert_at_rest, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, run, start
from tests.support.repo import GitRepo


def chain(repo: GitRepo, first: str, settings: str = "check: test ! -e bad\n") -> None:
    """a, b that needs a, c that needs b, and d that needs nobody."""
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["one"]}, "run": first},
        "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
        "c": {"files": {"write": ["three"]}, "dependencies": ["b"], "run": "cat two > three"},
        "d": {"files": {"write": ["four"]}, "run": "echo d > four"},
    }
    commit_plans(repo, plans, settings)


def failed_once(repo: GitRepo, marker: Path) -> Done:
    """A run in which a fails, its committed work half done, until ``marker`` is there."""
    chain(repo, f"echo a >> one; git add one; git commit -qm half; test -e {marker}")
    done = run("run-multi", "--all", "--keep-going", cwd=repo.path)
    assert done.code == 1, done.out + done.err
    return done


def test_s1_10_the_summary_names_what_failed_and_the_command_that_retries_it(
    repo: GitRepo, tmp_path: Path
) -> None:
    done = failed_once(repo, tmp_path / "fixed")
    assert "  a failed: exit 1" in done.out
    assert "  b cancelled: needs a, which has failed" in done.out or "  b cancelled: needs a" in done.out
    assert "1 landed, 1 failed, 2 skipped" in done.out
    assert "planctl retry a" in done.err


def test_a_failed_plan_starts_afresh_and_those_passed_over_run_too(repo: GitRepo, tmp_path: Path) -> None:
    failed_once(repo, tmp_path / "fixed")
    (tmp_path / "fixed").touch()
    done = run("retry", "--failed", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a", "b", "c", "d"])
    assert repo.show("main", "one") == "a\n"
    assert_at_rest(repo, RunState.FINISHED)


def test_continue_starts_on_the_old_head(repo: GitRepo, tmp_path: Path) -> None:
    failed_once(repo, tmp_path / "fixed")
    (tmp_path / "fixed").touch()
    done = run("retry", "plans/a.md", "--continue", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert repo.show("main", "one") == "a\na\n"
    assert_all_landed(repo, ["a", "b", "c", "d"])


def test_a_rejected_plan_is_queued_anew_without_running(repo: GitRepo, gates: Gates, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    gates.open("a")
    work = gates.command("a", "echo a > one")
    chain(repo, work, f"check: 'test ! -e one || test -e {fixed}'\n")
    assert run("run-multi", "a", "b", cwd=repo.path).code == 1
    assert landings(repo) == []
    fixed.touch()
    done = run("retry", "a", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 1}
    assert_all_landed(repo, ["a", "b"])


def test_what_has_not_failed_is_said_to_be_so(repo: GitRepo) -> None:
    chain(repo, "echo a > one")
    assert run("retry", "--failed", cwd=repo.path).code == 2
    assert run("run-multi", "a", cwd=repo.path).code == 0
    done = run("retry", "a", cwd=repo.path)
    assert (done.code, "it is landed" in done.err) == (2, True), done.err
    nobody = run("retry", "b", cwd=repo.path)
    assert (nobody.code, "no plan 'b' has run here" in nobody.err) == (2, True), nobody.err


def test_a_plan_that_landed_in_a_later_run_is_not_done_again(repo: GitRepo, tmp_path: Path) -> None:
    failed_once(repo, tmp_path / "fixed")
    (tmp_path / "fixed").touch()
    assert run("run-multi", "a", "b", "c", cwd=repo.path).code == 0
    assert run("retry", "--failed", cwd=repo.path).code == 2
    assert run("retry", "a", cwd=repo.path).code == 2
    assert_all_landed(repo, ["a", "b", "c", "d"])


def test_a_plan_at_work_is_busy(repo: GitRepo, gates: Gates) -> None:
    commit_plans(repo, {"a": {"run": gates.command("a")}, "b": {"run": "false"}})
    process = start("run-multi", "--all", "--json", "--keep-going", cwd=repo.path)
    gates.await_at("a")
    done = run("retry", "a", cwd=repo.path)
    assert (done.code, f"pid {process.pid}" in done.err) == (4, True), done.err
    gates.open("a")
    assert end_of(process).code == 1
    with store_of(repo) as store:
        assert [a.state for a in store.attempts(plan="a")] == [AttemptState.LANDED]


def test_a_blocked_plan_is_queued_anew_without_running(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a >> one"}})
    repo.write("one", "mine, in the way\n")
    assert run("run", "a", cwd=repo.path).code == 1
    assert landings(repo) == []
    (repo.path / "one").unlink()
    done = run("retry", "a", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a"]
    assert repo.show("main", "one") == "a\n"
    assert repo.git("status", "--porcelain") == ""
