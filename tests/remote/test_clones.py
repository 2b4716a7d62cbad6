"""Clones as CI makes them: shallow, partial, detached; and a run of plans against a remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.submitting.submit import Work, submit
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import mostly

MIRRORED = "refs/planctl/remote/origin/heads/plan/b"


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    """Main has gone on since the branch was made."""
    remote = remote_of(repo, tmp_path / "there", f"file://{tmp_path}/there/origin.git", check="test ! -e bad")
    remote.bare.git("config", "uploadpack.allowFilter", "true")
    author = remote.clone("author")
    author.branch("plan/a", {"a": "1\n"})
    for number in range(3):
        author.commit(f"main {number}", {f"m{number}": "x\n"})
    remote.push(author, "main", "plan/a")
    return remote


@pytest.mark.parametrize(
    "options", [("--filter=blob:none", "--no-checkout"), ("--single-branch",)], ids=["partial", "one-branch"]
)
def test_p22_clones_that_lack_contents_or_branches_land(remote: Remote, options: tuple[str, ...]) -> None:
    clone = remote.clone("job", *options)
    clone.git("checkout", "-q", "--detach", "origin/main")
    assert "1 of 1 landed" in merge(clone, "--branches", "plan/*").err
    assert list(remote.landed().values()) == [remote.main()]


def test_p22_a_shallow_clone_says_what_it_lacks_and_lands_when_it_has_it(remote: Remote) -> None:
    clone = remote.clone("job", "--depth=1")
    done = merge(clone, "--branches", "plan/*", code=2)
    assert "no common history with the target: this clone is shallow" in done.err
    assert remote.landed() == {}
    clone.git("fetch", "-q", "--unshallow")
    assert "1 of 1 landed" in merge(clone, "--branches", "plan/*").err


@pytest.mark.parametrize("plain", mostly([False, True], [True]))
def test_s4_a_shallow_clone_does_not_land_again_what_lies_behind_its_edge(
    remote: Remote, plain: bool
) -> None:
    """It landed and was reverted there, and a way around leads to the fork."""
    if plain:
        remote.hook('case "$1" in refs/planctl/*) exit 1; esac', "update")
    author = remote.clone("job-0")
    for name in ("plan/b", "late"):
        author.branch(name, {name.replace("/", "-"): "1\n"}, "origin/main")
    remote.push(author, "plan/b", "late")
    merge(author, "plan/b")
    author.git("pull", "-q")
    author.git("revert", "--no-edit", "-m1", "HEAD")
    for number in range(5):
        author.git("commit", "-q", "--allow-empty", "-m", f"then {number}")
    remote.push(author, "main")
    merge(author, "late")
    before = remote.main()
    clone = remote.clone("job", "--depth=4")
    done = merge(clone, "plan/b", code=2)
    assert "history between plan/b and the target is lacking: this clone is shallow" in done.err
    with queue_at(clone) as queue:
        base = clone.head("origin/main^2^")
        work = Work(queue.bench.target, "plan/b", queue.bench.references.resolve(MIRRORED), base)
        entry = submit(queue.bench, work)
        queue.drain()
        assert (queue.entry(entry).state, queue.entry(entry).reason["code"]) == ("held", "shallow")
    clone.git("fetch", "-q", "--unshallow")
    assert "1 of 1 landed" in merge(clone, "plan/b").err
    assert remote.main() == before


def test_p22_plans_start_from_the_remotes_target_and_land_there(repo: GitRepo, tmp_path: Path) -> None:
    plans: dict[str, dict[str, object]] = {
        "a": {"run": "test -e elsewhere && echo 1 > a"},
        "b": {"run": "test -e a && echo 1 > b", "dependencies": ["a"]},
    }
    commit_plans(repo, plans)
    remote = remote_of(repo, tmp_path / "there", remote="origin", check="test -e README.md")
    one, two = remote.clone("one"), remote.clone("two")
    local = one.head("main")
    two.branch("plan/c", {"elsewhere": "1\n"})
    merge(two, "plan/c")
    done = run("run-multi", "--all", "--json", cwd=one.path)
    assert done.code == 0, (done.out, done.err)
    assert sorted(done.events[-1]["landed"]) == ["a", "b"]
    assert one.head("main") == local
    assert remote.subjects()[:3] == ["Merge plan 'b'", "Merge plan 'a'", "Merge branch 'plan/c'"]
    shown = run("status", "--json", cwd=one.path).data["plans"]
    assert {p["id"]: p["state"] for p in shown} == {"a": "landed", "b": "landed"}
    assert run("revert", "a", cwd=one.path).code == 0
    assert remote.bare.git("ls-tree", "--name-only", "main", "a", "b") == "b"


def test_a_run_is_gone_on_with_where_it_lands(repo: GitRepo, tmp_path: Path) -> None:
    commit_plans(repo, {"a": {"run": "echo 1 > a"}})
    remote = remote_of(repo, tmp_path / "there")
    one = remote.clone("one")
    killed = run(
        "run-multi",
        "--all",
        "--remote",
        "origin",
        cwd=one.path,
        env={"PLANCTL_KILL_AT": "remote.push:before"},
    )
    assert killed.code == -9
    other = run("resume", cwd=one.path)
    assert other.code == 2
    assert "lands on origin/main: go on with it with --remote origin" in other.err
    assert run("resume", "--remote", "origin", cwd=one.path).code == 0
    assert len(remote.landed()) == 1
