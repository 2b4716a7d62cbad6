"""P27: planctl goes, the repository is as it was, and work that has not landed is still there."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.leases.presence import alone
from tests.support.faces import Gate, contents
from tests.support.plans import commit_plans
from tests.support.process import Done, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.runs import multi

SEED = 20261125


def writes(name: str, more: str = "") -> dict[str, object]:
    return {"files": {"write": [name]}, "run": f"echo {name} > {name}{more}"}


@pytest.fixture
def used(repo: GitRepo) -> GitRepo:
    """A repository as people have them: exclude without a last newline, a stash, a worktree, hooks, a tag."""
    repo.commit("plans and settings")
    commit_plans(
        repo,
        {
            "one": writes("one.txt"),
            "two": {**writes("two.txt"), "dependencies": ["one"]},
            "fails": writes("half.txt", "; exit 3"),
        },
        "check: test -f README.md && mkdir left && echo x > left/over\n",
    )
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "exclude").write_bytes(b"# mine\n*.swp\n/private")
    (repo.path / ".git" / "hooks").mkdir(exist_ok=True)
    (repo.path / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\n", encoding="utf-8")
    repo.git("tag", "v1")
    repo.write("README.md", "# stashed\n")
    repo.git("stash", "push", "-q", "-m", "mine")
    repo.git("worktree", "add", "-q", "-b", "mine", str(repo.path.with_name("my-own")))
    return repo


def as_it_is(repo: GitRepo) -> dict[str, Any]:
    """What uninstalling has to bring back, beside the target, which has what landed."""
    git_dir = repo.path / ".git"
    exclude = git_dir / "info" / "exclude"
    names = sorted(
        str(path.relative_to(git_dir)) for path in git_dir.rglob("*") if "objects" not in path.parts
    )
    references = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return {
        "config": (git_dir / "config").read_bytes(),
        "exclude": exclude.read_bytes() if exclude.exists() else None,
        "references": [line for line in references if not line.startswith("refs/heads/main ")],
        "worktrees": [
            x for x in repo.git("worktree", "list", "--porcelain").splitlines() if x[:5] == "workt"
        ],
        "stash": repo.git("stash", "list"),
        "hooks": contents(git_dir / "hooks"),
        "status": repo.git("status", "--porcelain", "--ignored"),
        "names": [name for name in names if name not in ("ORIG_HEAD", "COMMIT_EDITMSG")],
        "beside": sorted(path.name for path in repo.path.parent.iterdir()),
    }


def uninstall(repo: GitRepo, *arguments: str, code: int = 0, **more: Any) -> Done:
    done = run("uninstall", "--json", *arguments, cwd=repo.path, **more)
    assert done.code == code, f"{done.code}\n{done.out}\n{done.err}"
    return done


def test_p27_after_uninstall_the_repository_is_as_it_was(used: GitRepo) -> None:
    before = as_it_is(used)
    multi(used, "one", "two")
    assert as_it_is(used) != before
    done = uninstall(used)
    assert done.data["kept"] == []
    assert as_it_is(used) == before
    assert used.show("main", "two.txt") == "two.txt\n"
    assert used.git("fsck", "--no-dangling") == ""
    assert "has nothing" in run("uninstall", cwd=used.path).err
    assert as_it_is(used) == before


def test_p27_a_repository_without_an_exclude_file_has_none_afterwards(repo: GitRepo) -> None:
    commit_plans(repo, {"one": writes("one.txt")})
    subprocess.run(["rm", "-rf", str(repo.path / ".git" / "info")], check=True)
    before = as_it_is(repo)
    multi(repo, "one")
    uninstall(repo)
    assert as_it_is(repo) == before


@pytest.mark.parametrize("theirs", ["", "[user]\n\temail = new@example.invalid\n"], ids=["alone", "changed"])
def test_p27_what_sparse_turned_on_is_undone(repo: GitRepo, theirs: str) -> None:
    commit_plans(repo, {"one": writes("one.txt")}, "sparse: [src]\n")
    before = as_it_is(repo)
    multi(repo, "one")
    config = repo.path / ".git" / "config"
    assert b"worktreeConfig" in config.read_bytes()
    config.write_bytes(config.read_bytes() + theirs.encode())
    uninstall(repo)
    assert as_it_is(repo) == {**before, "config": before["config"] + theirs.encode()}


def test_p9_p27_work_that_has_not_landed_stays_and_is_named(used: GitRepo) -> None:
    findings = 'mkdir -p "$PLANCTL_OUTPUT_DIR/findings"; echo found > "$PLANCTL_OUTPUT_DIR/findings/a.txt"'
    work = f"echo c > c.txt; git add c.txt; git commit -qm own; echo u > u.txt; {findings}; exit 3"
    commit_plans(used, {"torn": {"files": {"write": ["c.txt", "u.txt"]}, "run": work}})
    multi(used, "torn", code=1)
    multi(used, "one", "--no-land")
    tip = used.head("plan/torn")
    shown = uninstall(used, "--dry-run").data
    assert {"slot-01", "slot-02"} & set(shown["would_remove"])
    done = uninstall(used).data
    kept = {row["reference"]: row["commit"] for row in done["kept"]}
    assert kept["refs/heads/plan/torn"] == tip == used.head("plan/torn")
    assert used.show("plan/one", "one.txt") == "one.txt\n"
    rescues = [name for name in kept if name.startswith("refs/planctl/rescue/torn/")]
    assert used.show(rescues[-1], "u.txt") == "u\n"
    assert used.show("refs/planctl/archive/outputs/1", "torn/findings/a.txt") == "found\n"
    there = used.git("for-each-ref", "--format=%(refname)", "refs/planctl").splitlines()
    assert set(there) == {name for name in kept if name.startswith("refs/planctl/")}
    assert not (used.path / ".git" / "planctl").exists()
    assert used.git("stash", "list").count("mine") == 1


def test_p27_uninstall_refuses_while_work_is_going_on_and_says_whose(used: GitRepo, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    commit_plans(used, {"long": {"files": {"write": ["long.txt"]}, "run": gate.command}})
    at_work = start("run-multi", "long", "--json", cwd=used.path)
    read_until(at_work, "plan.started", "long")
    gate.wait()
    for arguments in ((), ("--dry-run",)):
        refused = run("uninstall", *arguments, cwd=used.path)
        assert refused.code == 4
        assert f"(pid {at_work.pid})" in refused.err
    at_work.kill()
    at_work.wait()
    refused = run("uninstall", cwd=used.path)
    assert (refused.code, "command " in refused.err) == (4, True), "the command outlives its planctl"
    gate.open()
    assert run("resume", cwd=used.path).code == 0
    uninstall(used)


def test_p27_nobody_begins_while_planctl_is_being_uninstalled(used: GitRepo) -> None:
    multi(used, "one")
    with alone(used.path / ".git" / "planctl") as had:
        assert had
        refused = run("run-multi", "two", cwd=used.path)
        assert (refused.code, "planctl uninstall" in refused.err) == (4, True)
        assert run("uninstall", cwd=used.path).code == 4
    assert run("run-multi", "two", cwd=used.path).code == 0


def test_p27_a_dry_run_changes_nothing(used: GitRepo) -> None:
    multi(used, "fails", code=1)
    before = contents(used.path.parent)
    shown = uninstall(used, "--dry-run").data
    assert contents(used.path.parent) == before
    assert shown["would_remove"] == ["slot-01"]
    assert shown["would_delete"]


def test_p27_work_that_cannot_be_kept_whole_stops_it(used: GitRepo) -> None:
    multi(used, "one", "--no-land")
    inner = used.path.with_name("repo.worktrees") / "slot-01" / "inner"
    inner.mkdir()
    GitRepo(inner).git("init", "-q")
    (inner / "work.txt").write_text("work\n", encoding="utf-8")
    said = run("uninstall", cwd=used.path)
    assert (said.code, "inner" in said.err) == (1, True)
    assert (inner / "work.txt").exists()
    inner.rename(used.path.with_name("moved-out"))
    uninstall(used)


@pytest.fixture
def ended(used: GitRepo) -> GitRepo:
    """One plan landed, one failed with work in its worktree."""
    multi(used, "one", "fails", "--keep-going", code=1)
    return used


def killed(repo: GitRepo, moment: str) -> bool:
    done = run("uninstall", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    return done.code == -signal.SIGKILL


def without_stamps(found: dict[str, Any]) -> dict[str, Any]:
    """One and the same work may be rescued once more when the first time was cut short."""
    names = sorted({re.sub(r"(planctl/rescue/fails)/.*", r"\1/…", name) for name in found["names"]})
    references = sorted({re.sub(r"(rescue/fails)/.*", r"\1/…", line) for line in found["references"]})
    return {**found, "names": names, "references": references}


def check_killed(repo: GitRepo, moments: list[str], expected: dict[str, Any]) -> None:
    """From the very same beginning: killed at each moment, begun again, and it is as if nothing had been."""
    world = repo.path.parent
    saved = world.with_name(f"{world.name}-saved")
    shutil.copytree(world, saved, symlinks=True)
    for moment in moments:
        shutil.rmtree(world)
        shutil.copytree(saved, world, symlinks=True)
        assert killed(repo, moment), moment
        uninstall(repo)
        assert without_stamps(as_it_is(repo)) == without_stamps(expected), moment
        rescued = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue/fails").splitlines()
        assert {repo.show(name, "half.txt") for name in rescued} == {"half.txt\n"}, moment
    shutil.rmtree(saved)


def rehearsed(repo: GitRepo, trace: Path) -> tuple[list[str], dict[str, Any]]:
    """Every moment of an uninstall that is not cut short, and what it leaves; then all is put back."""
    world = repo.path.parent
    saved = world.with_name(f"{world.name}-saved")
    shutil.copytree(world, saved, symlinks=True)
    uninstall(repo, env={"PLANCTL_STEP_TRACE": str(trace)})
    left = as_it_is(repo)
    shutil.rmtree(world)
    saved.rename(world)
    return trace.read_text(encoding="utf-8").splitlines(), left


def test_p27_killed_at_a_moment_and_begun_again(
    ended: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moments, left = rehearsed(ended, tmp_path_factory.mktemp("trace") / "steps")
    late = [m for m in moments if m.startswith(("dismantle.", "exclude."))]
    check_killed(ended, [*random.Random(SEED).sample(moments, 2), *random.Random(SEED).sample(late, 2)], left)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_p27_killed_at_every_moment_and_begun_again(
    ended: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moments, left = rehearsed(ended, tmp_path_factory.mktemp("trace") / "steps")
    assert len(moments) > 50
    check_killed(ended, moments, left)
