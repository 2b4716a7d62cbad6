"""What other systems lose on the same work, each with a test that planctl does not.

Seen in the wild, with a real repository and no malice: an untracked file of the user deleted by a landing; a
landing that leaves conflict markers in the user's file and exits 0; the choice of what is staged thrown away;
every stash entry dropped at the end of a run; branches deleted although their work never landed; a merge
that a hook refused reported as done; a plan landed twice, or never, after a kill in the middle.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.runs import ending, multi, of
from tests.support.slices import seldom


def plan(*commands: str) -> dict[str, object]:
    return {"files": {"write": ["**"]}, "run": "; ".join(commands)}


def test_p9_an_untracked_file_that_a_landing_adds_is_never_deleted(repo: GitRepo) -> None:
    """Elsewhere: deleted for good, exit 0; in no object, no stash."""
    commit_plans(repo, {"a": plan("echo of the plan > notes.txt")})
    repo.write("notes.txt", "the user's only copy\n")
    done = multi(repo, "a", code=1)
    assert "landed" not in ending(done)
    assert (repo.path / "notes.txt").read_text() == "the user's only copy\n"
    assert repo.git("status", "--porcelain") == "?? notes.txt"


def test_p9_conflict_markers_never_reach_the_users_file_and_never_with_exit_0(repo: GitRepo) -> None:
    """Elsewhere: markers and an unmerged index in the user's checkout, a stash left behind, exit 0."""
    commit_plans(repo, {"a": plan("echo of the plan > README.md")})
    repo.write("README.md", "the user's edit of the same line\n")
    multi(repo, "a", code=1)
    assert (repo.path / "README.md").read_text() == "the user's edit of the same line\n"
    assert repo.git("status", "--porcelain") == " M README.md"
    assert repo.git("stash", "list") == ""


def test_p9_what_is_staged_and_what_is_not_stays_so(repo: GitRepo) -> None:
    """Elsewhere: everything unstaged after a landing."""
    commit_plans(repo, {"a": plan("echo a > one")})
    repo.write("src/a.py", "staged\n")
    repo.git("add", "src/a.py")
    repo.write("src/a.py", "staged\nand not\n")
    repo.write("new.txt", "staged new\n")
    repo.git("add", "new.txt")
    before = repo.git("diff", "--cached"), repo.git("diff")
    assert ending(multi(repo, "a")) == {"landed": ["a"]}
    assert (repo.git("diff", "--cached"), repo.git("diff")) == before
    assert repo.git("status", "--porcelain") == "A  new.txt\nMM src/a.py"


def test_p12_stash_entries_outlive_a_run_and_a_command_that_clears_them(repo: GitRepo) -> None:
    """Elsewhere: ``git stash clear`` on the whole repository, on shutdown."""
    commit_plans(repo, {"a": plan("echo a > one"), "b": plan("git stash clear")})
    entries = []
    for text in ("first\n", "second\n"):
        repo.write("README.md", text)
        repo.git("stash", "-q")
        entries.append(repo.head("stash@{0}"))
    multi(repo, "a")
    assert repo.git("stash", "list", "--format=%H").split() == entries[::-1]
    done = run("run", "b", "--json", cwd=repo.path)
    lost = {e["commit"]: e["reference"] for e in done.events if e["event"] == "stash.lost"}
    assert lost.keys() == {*entries}
    assert [repo.show(lost[e], "README.md") for e in entries] == ["first\n", "second\n"]


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("echo a > one; git add one; git commit -qm work; false", ""),
        ("echo a > one", "check: test ! -e one\n"),
    ],
    ids=["failed", "rejected"],
)
def test_p9_no_branch_goes_before_its_work_has_landed(repo: GitRepo, command: str, settings: str) -> None:
    """Elsewhere: the branch is deleted with its worktree, landed or not."""
    repo.commit("green")
    commit_plans(repo, {"a": plan(command)}, settings)
    multi(repo, "a", code=1)
    work = repo.head("plan/a")
    assert repo.show(work, "one") == "a\n"
    assert run("worktree", "prune", cwd=repo.path).code == 0
    assert run("doctor", "--fix", cwd=repo.path).code in (0, 1)
    assert work in repo.git("for-each-ref", "--format=%(objectname)").split()
    assert repo.git("ls-tree", "--name-only", "main", "one") == ""


def test_p9_a_commit_that_a_hook_refuses_is_no_success(repo: GitRepo) -> None:
    """Elsewhere: "nothing to commit", so success, exit 0, and main unchanged."""
    commit_plans(repo, {"a": plan("echo a > one")}, "hooks: run\n")
    hook = repo.write(".git/hooks/commit-msg", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = multi(repo, "a", code=1)
    assert ending(done) == {"failed": ["a"]}
    worktree = Path(of(done, "plan.started", "a")[0]["worktree"])
    assert (worktree / "one").read_text() == "a\n"


@pytest.mark.parametrize(
    "moment", ["landing.refs:after", *seldom("landing.refs:before", "checkout.update:before")]
)
def test_s4_after_a_kill_in_a_landing_everything_lands_once_and_nothing_blocks_it(
    repo: GitRepo, moment: str
) -> None:
    """Elsewhere: one twice; or 14 of 20 never, blocked by what the killed merge left staged, exit 0."""
    names = ("one", "two", "three")
    for name in names:
        repo.branch(name, {f"{name}.txt": f"{name}\n"})
    repo.write("docs/guide.md", "the user's edit\n")
    killed = run("merge", "one", "two", "three", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code == -signal.SIGKILL
    again = run("merge", "one", "two", "three", cwd=repo.path)
    assert again.code == 0, again.out + again.err
    form = "--format=%(trailers:key=Planctl-Key,valueonly)"
    merged = repo.git("log", "--first-parent", form, "main").split()
    assert len(merged) == len({*merged}) == len(names)
    assert [(repo.path / f"{name}.txt").read_text() for name in names] == [f"{name}\n" for name in names]
    assert repo.git("status", "--porcelain") == " M docs/guide.md"
