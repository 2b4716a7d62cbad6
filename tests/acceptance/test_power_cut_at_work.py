"""The machine lost power while a plan was at work: its own commits were never synced, by git's default."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.running import supervision
from tests.support.gates import Gates, assert_all_landed, store_of
from tests.support.plans import commit_plans
from tests.support.process import end_of, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom

BRANCH = "refs/heads/plan/a"


def cut_after_its_own_commits(repo: GitRepo, gates: Gates) -> Path:
    """A plan that commits twice, everything killed before its command ends; returns the branch's file."""
    work = "echo one > one; git add one; git commit -qm one; echo two > one; git commit -qam two; "
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": work + gates.command("a")}})
    process = start("run-multi", "--all", cwd=repo.path)
    gates.await_at("a")
    process.kill()
    end_of(process)
    with store_of(repo) as store:
        (attempt,) = store.attempts(plan="a")
    handle = supervision.find(repo.path / f".git/planctl/records/{attempt.id}-0")
    assert handle is not None
    supervision.kill_supervisor(handle)
    supervision.stop_tree(handle, grace=0)
    gates.pass_later("a")
    return repo.path / ".git" / BRANCH


@pytest.mark.parametrize("content", ["", *seldom("1" * 40)], ids=["empty", "gone"])
def test_p9_a_branch_that_a_power_cut_broke_is_put_back_and_its_run_goes_on(
    repo: GitRepo, gates: Gates, content: str
) -> None:
    """To the newest commit of its log that is whole: of the last one, the tree is gone."""
    file = cut_after_its_own_commits(repo, gates)
    first = repo.git("rev-parse", f"{BRANCH}^")
    tree = repo.git("rev-parse", f"{BRANCH}^{{tree}}")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    file.write_text(content)
    said = run("doctor", "--json", cwd=repo.path)
    assert [i["severity"] for i in said.data["issues"] if i["code"] == "reference-broken"] == ["error"]
    done = run("resume", "--json", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert gates.executions() == {"a": 2}
    assert_all_landed(repo, ["a"])
    (lost,) = [e for e in run("events", "--json", cwd=repo.path).events if e["event"] == "branch.lost"]
    assert (lost["branch"], lost["commit"]) == ("plan/a", first)


def test_a_broken_branch_without_a_log_is_put_back_to_where_its_plan_began(
    repo: GitRepo, gates: Gates
) -> None:
    file = cut_after_its_own_commits(repo, gates)
    file.write_bytes(b"")
    (repo.path / ".git/logs" / BRANCH).write_bytes(b"torn")
    base = repo.git("rev-parse", "main")
    assert run("sync", cwd=repo.path).code in (0, 1)
    assert file.read_text().strip() == base


def test_a_broken_branch_of_somebody_elses_is_only_named(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo > one"}})
    mine = repo.path / ".git/refs/heads/mine"
    mine.write_bytes(b"")
    assert run("run-multi", "--all", cwd=repo.path).code == 0
    said = run("doctor", "--fix", "--json", cwd=repo.path)
    assert said.code == 0
    found = {i["subject"]: i for i in said.data["issues"] if i["code"] == "reference-broken"}
    assert (found["refs/heads/mine"]["severity"], found["refs/heads/mine"]["fixed"]) == ("warning", False)
    assert mine.read_bytes() == b""


@pytest.fixture
def landed(repo: GitRepo) -> GitRepo:
    """Plan a has landed; b, which needs that, has not begun."""
    phases = [{"name": "1", "run": "echo a >> a"}]
    commit_plans(repo, {"a": {"phases": phases}, "b": {"dependencies": ["a"], "run": "echo b >> b"}})
    assert run("run-multi", "a", cwd=repo.path).code == 0
    return repo


@pytest.mark.parametrize("with_store", [True, *seldom(False)], ids=["with-store", "store-lost"])
def test_p9_planctls_own_references_that_a_power_cut_broke_are_mended(
    landed: GitRepo, *, with_store: bool
) -> None:
    before = landed.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl/landed")
    own = landed.path / ".git/refs/planctl"
    broken = [own / "epoch", *own.glob("landed/a/*"), *own.glob("phases/a/*")]
    assert len(broken) == 4
    landed.write(".git/refs/planctl/candidates/x", "")
    for file in broken:
        file.write_bytes(b"")
    if not with_store:
        for file in (landed.path / ".git/planctl").glob("state.db*"):
            file.unlink()
    said = run("doctor", "--fix", "--json", cwd=landed.path)
    assert all(i["fixed"] for i in said.data["issues"] if i["code"] == "reference-broken")
    assert landed.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl/landed") == before
    done = run("run-multi", "b", cwd=landed.path)
    assert done.code == 0, done.out + done.err
    assert run("run-multi", "a", "--again", cwd=landed.path).code == 0


def test_a_broken_reference_to_what_was_kept_is_named_with_what_to_do_and_blocks_nothing(
    landed: GitRepo,
) -> None:
    kept = landed.write(".git/refs/planctl/archive/stash/x", "")
    said = run("doctor", "--fix", "--json", cwd=landed.path)
    (issue,) = (i for i in said.data["issues"] if i["code"] == "reference-broken")
    assert (issue["fixed"], "remove that file" in issue["detail"]) == (False, True)
    assert kept.exists()
    assert run("run-multi", "b", cwd=landed.path).code == 0


@pytest.mark.parametrize("arguments", [pytest.param(()), *seldom((("--continue",),))])
def test_p9_a_failed_attempts_branch_that_a_power_cut_broke_is_put_back_for_its_retry(
    repo: GitRepo, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    flag = tmp_path / "ready"
    work = f"echo one >> one; git add one; git commit -qm one; test -e {flag}"
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": work}})
    assert run("run-multi", "--all", cwd=repo.path).code == 1
    flag.touch()
    (repo.path / ".git" / BRANCH).write_bytes(b"")
    done = run("retry", "a", *arguments, cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert repo.show("main", "one") == "one\n" * (2 if arguments else 1)
