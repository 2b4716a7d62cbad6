"""A disk that fails for a moment while work lands: no plan is given up for it, no checkout stays locked."""

from __future__ import annotations

from tests.support.gates import assert_all_landed, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo


def writes(name: str) -> dict[str, object]:
    return {"files": {"write": [name]}, "run": f"echo {name} >> {name}"}


def test_a_checkout_that_could_not_follow_is_finished_before_the_next_landing(repo: GitRepo) -> None:
    commit_plans(repo, {"a": writes("one"), "b": writes("two")})
    fault = {"PLANCTL_FAIL_AT": "ENOSPC@checkout.index:before"}
    done = run("run-multi", "a", "b", "-j", "1", cwd=repo.path, env=fault)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a", "b"])


def test_what_waits_for_a_blocked_landing_is_not_given_up_when_that_is_tried_again(repo: GitRepo) -> None:
    commit_plans(
        repo, {"a": writes("one"), "b": {"dependencies": ["a"], "run": "cat one > two"}, "c": writes("one")}
    )
    fault = {"PLANCTL_FAIL_AT": "ENOSPC@checkout.draft:before"}
    done = run("run-multi", "a", "b", "c", "-j", "2", cwd=repo.path, env=fault)
    assert done.code == 0, done.out + done.err
    assert "a blocked" in done.out
    assert_all_landed(repo, ["a", "b", "c"])


def test_what_was_given_up_for_a_blocked_landing_is_retried_once_that_has_landed(repo: GitRepo) -> None:
    commit_plans(repo, {"a": writes("one"), "b": {"dependencies": ["a"], "run": "cat one > two"}})
    repo.write("one", "mine, in the way\n")
    assert run("run-multi", "a", "b", cwd=repo.path).code == 1
    (repo.path / "one").unlink()
    assert run("sync", cwd=repo.path).code == 0
    assert landings(repo) == ["a"]
    done = run("retry", "--failed", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a", "b"])


def test_retry_failed_asks_for_what_is_held_too(repo: GitRepo) -> None:
    plans = {"a": writes("one"), "b": {"dependencies": ["a"], "run": "cat one > two"}}
    commit_plans(repo, plans, "require_check: true\n")
    assert run("run-multi", "a", "b", cwd=repo.path).code == 1
    with store_of(repo) as store:
        assert [entry.state for entry in store.entries()] == ["held"]
    repo.commit(files={"planctl.yaml": "check: test ! -e bad\n"})
    done = run("retry", "--failed", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, ["a", "b"])


def test_doctor_finishes_a_checkout_that_a_landing_left_locked(repo: GitRepo) -> None:
    commit_plans(repo, {"a": writes("one")})
    run("run-multi", "a", cwd=repo.path, env={"PLANCTL_KILL_AT": "checkout.index:before"})
    said = run("doctor", "--json", cwd=repo.path)
    left = [issue for issue in said.data["issues"] if issue["code"] == "checkout-left"]
    assert [issue["subject"] for issue in left] == [str(repo.path)], said.out
    assert run("doctor", "--fix", cwd=repo.path).code == 0
    assert_all_landed(repo, ["a"])
