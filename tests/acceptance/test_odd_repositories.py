"""Odd repositories and odd plans: each works, or ends in one clear line with nothing changed.

The tables of ``docs/repositories.md`` name the rows of the tables here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support import oddities as odd
from tests.support.odd_runs import condition, require_refused, require_works
from tests.support.permissions import bound_by_permissions
from tests.support.plans import commit_plans, landings
from tests.support.process import COMMAND, run
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of these plans are POSIX shell")

WORKS: dict[str, odd.Odd] = {
    "detached": odd.detached,
    "on-another-branch": odd.on_another_branch,
    "target-in-linked-worktree": odd.target_in_linked_worktree,
    "linked-worktree": odd.linked_worktree,
    "subfolder": odd.subfolder,
    "inside-git-folder": odd.inside_git_folder,
    "bare": odd.bare,
    "shallow": odd.cloned("--depth=1"),
    "partial": odd.cloned("--filter=blob:none"),
    "separate-git-folder": odd.separate_git_folder,
    "path-with-newline": odd.called("new\nline and space"),
    "path-not-utf-8": odd.called(b"caf\xe9"),
    "path-with-leading-dash": odd.called("-dash"),
    "path-with-shell-characters": odd.called("$(x); 'q\" ~"),
    "file-names": odd.odd_file_names,
    "autocrlf": odd.line_endings,
    "sparse": odd.sparse,
    "hooks": odd.failing_hooks(".git/hooks"),
    "hooks-path": odd.failing_hooks("hooks of mine"),
    "submodule": odd.submodule,
    "occupied-pool": odd.occupied_pool,
    "corrupt-store": odd.corrupt_store,
}

# what is made of the repository, the command line, and what the one line says
REFUSED: dict[str, tuple[odd.Odd, tuple[str, ...], str]] = {
    "no-commit": (odd.no_commit, ("run-multi", "--all"), "the target branch main does not exist"),
    "no-commit-dry-run": (
        odd.no_commit,
        ("run-multi", "a", "--dry-run"),
        "the target branch main does not",
    ),
    "target-missing": (odd.settings("target: trunk\n"), ("run", "a"), "the target branch trunk does not"),
    "target-hostile": (odd.settings("target: --force\n"), ("run", "a"), "is not a branch"),
    "settings-deep": (odd.settings("[" * 60_000), ("run", "a"), "planctl.yaml:1:"),
    "settings-not-utf-8": (odd.settings(b"\xff\xfe\0"), ("run", "a"), "byte 0xff is not UTF-8"),
    "pool-is-repository": (odd.settings("worktrees: .\n"), ("run", "a"), "the repository itself is there"),
    "pool-in-git-folder": (odd.settings("worktrees: .git/x\n"), ("run", "a"), "the repository itself is"),
    "pool-among-plans": (odd.settings("worktrees: plans\n"), ("run", "a"), "plans are read from there"),
    "sha256": (odd.sha256, ("run-multi", "--all"), "unknown object format 'sha256'"),
    "unknown-extension": (
        odd.configured("core.repositoryFormatVersion=1", "extensions.foo=bar"),
        ("lint",),
        "unknown repository extension found: foo",
    ),
    "broken-config": (odd.broken_config, ("lint",), "bad config line"),
    "state-is-a-file": (odd.state_is_a_file, ("run", "a"), "planctl in it is not a folder"),
    "no-identity": (
        odd.configured("user.useConfigOnly=true", "user.name=", "user.email="),
        ("run", "a"),
        "git knows no identity",
    ),
    "broken-signing": (
        odd.configured("commit.gpgSign=true", "gpg.program=false"),
        ("run", "a"),
        "a commit could not be signed",
    ),
    "broken-plan": (odd.broken_plan, ("run-multi", "--all"), "'bogus' is not known here"),
    "plan-leads-out": (
        odd.plan_leads_out,
        ("run-multi", "--all"),
        "this link leads out of the repository",
    ),
    "branch-is-target": (
        odd.header("branch: main"),
        ("run", "a", "--adopt"),
        "is the target 'main' itself",
    ),
    "same-branch": (odd.header("branch: plan/b"), ("run-multi", "--all"), "works on 'plan/b' too"),
    "branch-hostile": (odd.header("branch: --upload-pack=x"), ("run", "a"), "is not a branch"),
    "branch-taken": (odd.branch_taken, ("run", "a"), "branch plan/a exists already"),
    "bare-lint": (odd.bare, ("lint",), "plans are read from a worktree"),
}

# the command of the plan, the exit code of planctl, and what it says of the plan
COMMANDS: dict[str, tuple[str, int, str]] = {
    "exit-7": ("exit 7", 1, "failed: exit 7"),
    "exit-127": ("no-such-command-anywhere", 1, "failed: exit 127"),
    "kills-its-supervisor": ("kill -9 $PPID", 1, "lost: its supervisor died"),
    "kills-its-group": ("kill -9 0", 1, "failed: ended by signal 9"),
    "another-branch": ("git checkout -q -b mine; git commit -q --allow-empty -m x", 1, "HEAD was left off"),
    "deletes-its-worktree": ('rm -rf "$PLANCTL_WORKTREE"', 1, "c failed: "),
    "target-without-history": (
        "git update-ref refs/heads/main $(git commit-tree -m evil HEAD^{tree})",
        1,
        "no common history",
    ),
    "prunes": ("echo c > c; git gc -q --prune=now", 0, "landed"),
    "daemon": ("(setsid sleep 600 >/dev/null 2>&1 &); echo c > c", 0, "landed"),
    "much-output": ("head -c 20000000 /dev/zero; echo c > c", 0, "landed"),
    "reads-stdin": ("cat; echo c > c", 0, "landed"),
    "stash-of-its-own": ("echo x > README.md; git stash -q; echo c > c", 0, "landed"),
}


# Rows that a neighbour stands for in `make test`: the same code meets both. `make stress` tries them.
ALONE = frozenset({
    "on-another-branch", "subfolder", "inside-git-folder", "path-with-newline", "path-with-shell-characters",
    "separate-git-folder", "hooks-path", "partial", "no-commit-dry-run", "settings-not-utf-8",
    "pool-in-git-folder", "pool-among-plans", "target-hostile", "same-branch", "exit-7", "kills-its-group",
    "reads-stdin",
})  # fmt: skip


def alone(names: Iterable[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.stress) if name in ALONE else name for name in names]


@pytest.mark.parametrize("name", alone(WORKS))
def test_an_odd_repository_works(two: GitRepo, name: str) -> None:
    require_works(WORKS[name](two))


@pytest.mark.parametrize("name", alone(REFUSED))
def test_an_odd_repository_is_refused_and_nothing_changes(two: GitRepo, tmp_path: Path, name: str) -> None:
    make, arguments, said = REFUSED[name]
    require_refused(tmp_path, make(two), arguments, said)


@pytest.mark.parametrize("name", alone(COMMANDS))
def test_an_odd_command(repo: GitRepo, name: str) -> None:
    command, code, said = COMMANDS[name]
    commit_plans(repo, {"c": {"files": {"write": ["**"]}, "run": command}})
    done = run("run", "c", cwd=repo.path)
    assert (done.code, "Traceback" in done.err) == (code, False), done.out + done.err
    assert said in done.out
    assert repo.git("status", "--porcelain") == ""
    repo.git("fsck", "--no-dangling")


def test_settings_of_git_in_the_environment_lead_nowhere_else(two: GitRepo, tmp_path: Path) -> None:
    other = GitRepo(Path(shutil.copytree(two.path, tmp_path / "other")))
    before = condition(other)
    foreign = {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
    }
    assert run("run-multi", "--all", cwd=two.path, env=foreign).code == 0
    assert sorted(landings(two)) == ["a", "b"]
    assert condition(other) == before
    assert not (tmp_path / "index").exists()
    assert not (tmp_path / "objects").exists()


def test_p25_a_checkout_that_cannot_be_written_blocks_and_stays_as_it_is(two: GitRepo) -> None:
    folders = [two.path, *(p for p in two.path.iterdir() if p.is_dir() and p.name != ".git")]
    for folder in folders:
        folder.chmod(0o555)
    try:
        argv = [*bound_by_permissions(), *COMMAND, "run", "a"]
        done = subprocess.run(argv, cwd=two.path, capture_output=True, text=True, check=False)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stdout
    assert two.git("status", "--porcelain") == ""
    assert landings(two) == []
    assert run("sync", cwd=two.path).code == 0
    assert landings(two) == ["a"]
    assert two.git("status", "--porcelain") == ""


def test_a_folder_that_cannot_be_written_is_said_in_one_line(two: GitRepo) -> None:
    prefix = bound_by_permissions()
    folders = [two.path, *(p for p in two.path.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for arguments in (("run-multi", "--all"), ("resume",), ("init",), ("new", "q")):
            done = subprocess.run(
                [*prefix, *COMMAND, *arguments], cwd=two.path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 2, done.stderr
            assert re.search(r"planctl: .*(cannot be written)", done.stderr)
        assert subprocess.run([*prefix, *COMMAND, "lint"], cwd=two.path, check=False).returncode == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_without_git_one_line_says_so(two: GitRepo, tmp_path: Path) -> None:
    done = run("lint", cwd=two.path, env={"PATH": str(tmp_path)})
    assert done.code == 2
    assert "planctl: git 2.38 or newer is needed, found none" in done.err


def test_sparse_checkout_without_plans_takes_those_of_the_target(two: GitRepo) -> None:
    odd.sparse(two)
    done = run("run-multi", "--all", cwd=two.path)
    assert done.code == 0, done.err
    assert sorted(landings(two)) == ["a", "b"]


def test_work_in_a_free_slot_is_rescued_and_not_landed_with_the_next_plan(two: GitRepo) -> None:
    assert run("run", "a", cwd=two.path).code == 0
    (slot,) = two.path.with_name("repo.worktrees").glob("slot-*")
    (slot / "README.md").write_text("an edit of mine\n")
    (slot / "mine.txt").write_text("a file of mine\n")
    assert run("run", "b", cwd=two.path).code == 0
    (rescue,) = two.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").splitlines()
    assert two.show(rescue, "README.md") == "an edit of mine\n"
    assert two.show(rescue, "mine.txt") == "a file of mine\n"
    assert "mine.txt" not in two.git("ls-tree", "--name-only", "main").splitlines()


def test_untracked_work_counts_whatever_the_user_has_git_show(two: GitRepo) -> None:
    two.git("config", "status.showUntrackedFiles", "no")
    assert run("run", "a", cwd=two.path).code == 0
    (slot,) = two.path.with_name("repo.worktrees").glob("slot-*")
    (slot / "mine.txt").write_text("a file of mine\n")
    assert run("run", "b", cwd=two.path).code == 0
    (rescue,) = two.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").splitlines()
    assert two.show(rescue, "mine.txt") == "a file of mine\n"


def test_another_folder_of_worktrees_is_where_the_next_plan_works(two: GitRepo, tmp_path: Path) -> None:
    assert run("run", "a", cwd=two.path).code == 0
    two.write("planctl.yaml", f"worktrees: {json.dumps(str(tmp_path / 'elsewhere'))}\n")
    done = run("run", "b", "--json", cwd=two.path)
    assert done.code == 0, done.out
    started = next(e for e in done.events if e["event"] == "plan.started")
    assert Path(started["worktree"]).parent == tmp_path / "elsewhere"
    assert sorted(landings(two)) == ["a", "b"]


def test_a_moved_and_a_copied_repository_leave_the_old_worktrees_alone(two: GitRepo, tmp_path: Path) -> None:
    assert run("run", "a", cwd=two.path).code == 0
    old = two.path.with_name("repo.worktrees") / "slot-01"
    (old / "mine.txt").write_text("mine\n")
    copy = GitRepo(Path(shutil.copytree(two.path, tmp_path / "copy", symlinks=True)))
    moved = GitRepo(Path(shutil.move(two.path, tmp_path / "moved")))
    for place in (copy, moved):
        done = run("run", "b", cwd=place.path)
        assert done.code == 0, done.out + done.err
        assert landings(place) == ["a", "b"]
    assert (old / "mine.txt").read_text() == "mine\n"


def test_a_stash_entry_that_a_plan_took_is_named_and_kept(repo: GitRepo) -> None:
    commit_plans(repo, {"c": {"files": {"write": ["**"]}, "run": "git stash pop -q"}})
    repo.write("README.md", "stashed by me\n")
    repo.git("stash", "-q")
    entry = repo.head("stash@{0}")
    done = run("run", "c", "--json", cwd=repo.path)
    (lost,) = [e for e in done.events if e["event"] == "stash.lost"]
    assert lost["commit"] == entry
    assert repo.show(lost["reference"], "README.md") == "stashed by me\n"


def test_p25_the_users_checkout_is_the_users(two: GitRepo) -> None:
    """Edits, staged and untracked files, a stash; one untracked file is in the way of plan b."""
    two.write("docs/guide.md", "stashed\n")
    two.git("stash", "-q")
    two.write("README.md", "edited\n")
    two.write("staged", "staged\n")
    two.git("add", "staged")
    two.write("two", "mine, untracked\n")
    before, stash = two.git("status", "--porcelain"), two.git("stash", "list")
    done = run("run-multi", "--all", cwd=two.path)
    assert done.code == 1
    assert "b blocked" in done.out
    assert landings(two) == ["a"]
    assert (two.git("status", "--porcelain"), two.git("stash", "list")) == (before, stash)
    assert (two.path / "two").read_text() == "mine, untracked\n"
    two.git("commit", "-qam", "mine")
    assert two.git("show", "--name-only", "--format=", "HEAD").split() == ["README.md", "staged"]


def test_a_head_that_has_landed_before_is_reported_landed(two: GitRepo) -> None:
    assert run("run", "a", cwd=two.path).code == 0
    done = run("run", "a", "--again", "--json", cwd=two.path)
    assert done.code == 0
    assert [e["plan"] for e in done.events if e["event"] == "plan.landed"] == ["a"]


@pytest.mark.stress
def test_many_trivial_plans(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        f"p{n}": {"files": {"write": [f"f{n}"]}, "run": f"echo {n} > f{n}"} for n in range(8)
    }
    commit_plans(repo, plans)
    assert run("run-multi", "--all", "-j", "4", cwd=repo.path).code == 0
    assert sorted(landings(repo)) == sorted(plans)
