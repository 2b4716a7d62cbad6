"""What a command leaves behind is committed as the user, or refused with a reason; never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.errors import LeftoversRefusedError
from worktrees.git import Git
from worktrees.leftovers import Committed, HeadMoved, NothingLeft, commit_leftovers, leftovers
from worktrees.markers import count_conflicts
from worktrees.repository import find

TRAILERS = {"Plan-Id": "x", "Planctl-Run": "01J0000000000000000000000A"}


def commit(git: Git, slot: GitRepo, *, hooks: bool = False) -> Committed | NothingLeft | HeadMoved:
    return commit_leftovers(
        git, slot.path, "leftovers of x", run_hooks=hooks, expected_branch="plan/x", trailers=TRAILERS
    )


def test_leftovers_are_committed_with_the_plans_trailers(slot: GitRepo, git: Git) -> None:
    slot.write(".planctl/current-plan", "x\n")
    exclude = find(slot.path).common_dir / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("/.planctl/\n", encoding="utf-8")
    slot.commit("ignore", {".gitignore": "*.log\n"})
    slot.write("src/a.py", "edited\n")
    slot.write("new/file", "x\n")
    slot.write("a.log", "ignored\n")
    (slot.path / "src/b.py").unlink()
    assert leftovers(git, slot.path) == ("src/a.py", "src/b.py", "new/file")
    before = slot.head()
    done = commit(git, slot)
    assert done == Committed(slot.head("plan/x"), ("src/a.py", "src/b.py", "new/file"))
    assert slot.git("rev-parse", "plan/x^") == before
    names = slot.git("show", "--format=", "--name-status", "plan/x").splitlines()
    assert names == ["A\tnew/file", "M\tsrc/a.py", "D\tsrc/b.py"]
    trailers = slot.git("log", "-1", "--format=%an <%ae>%n%(trailers:only,unfold)", "plan/x")
    assert trailers.split() == [
        "Ada",
        "<ada@example.invalid>",
        "Plan-Id:",
        "x",
        "Planctl-Run:",
        TRAILERS["Planctl-Run"],
    ]
    assert commit(git, slot) == NothingLeft(slot.head())


def test_what_the_command_staged_and_not_is_all_committed(slot: GitRepo, git: Git) -> None:
    slot.write("src/a.py", "staged\n")
    slot.git("add", "src/a.py")
    slot.write("src/a.py", "and not\n")
    assert isinstance(commit(git, slot), Committed)
    assert slot.show("plan/x", "src/a.py") == "and not\n"


def test_hooks_run_only_when_told_and_their_refusal_is_reported(
    slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    """A rival reads a refused commit as "nothing to commit" and reports success."""
    hook = tmp_path / "hooks" / "commit-msg"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    slot.git("config", "core.hooksPath", str(hook.parent))
    slot.write("new", "x\n")
    before = slot.head()
    with pytest.raises(LeftoversRefusedError) as caught:
        commit(git, slot, hooks=True)
    assert caught.value.code == "refused"
    assert slot.head() == before
    assert isinstance(commit(git, slot), Committed)


def test_a_signature_that_fails_is_reported(slot: GitRepo, git: Git) -> None:
    slot.git("config", "commit.gpgSign", "true")
    slot.git("config", "gpg.program", "false")
    slot.write("new", "x\n")
    with pytest.raises(LeftoversRefusedError, match="commit"):
        commit(git, slot)


def conflicting(slot: GitRepo) -> None:
    slot.commit("mine", {"src/a.py": "mine\n"})
    slot.git("checkout", "-q", "-b", "theirs", "main")
    slot.commit("theirs", {"src/a.py": "theirs\n"})
    slot.git("checkout", "-q", "plan/x")


def test_conflict_markers_committed_with_exit_0(slot: GitRepo, git: Git) -> None:
    """A rival leaves markers and an unmerged index behind and exits 0; here neither gets into a commit."""
    conflicting(slot)
    slot.git("merge", "theirs", ok=False)
    before = slot.head()
    with pytest.raises(LeftoversRefusedError) as caught:
        commit(git, slot)
    assert (caught.value.code, caught.value.paths) == ("unmerged", ("src/a.py",))
    slot.git("add", "-A")
    with pytest.raises(LeftoversRefusedError) as caught:
        commit(git, slot)
    assert caught.value.code == "operation"
    slot.git("merge", "--quit")
    with pytest.raises(LeftoversRefusedError) as caught:
        commit(git, slot)
    assert (caught.value.code, caught.value.paths) == ("conflict-markers", ("src/a.py",))
    assert slot.head() == before
    assert "<<<<<<<" in (slot.path / "src/a.py").read_text()


def test_markers_that_were_committed_on_purpose_do_not_count(slot: GitRepo, git: Git) -> None:
    block = "<<<<<<< ours\na\n||||||| base\no\n=======\nb\n>>>>>>> theirs\n"
    slot.commit("a manual", {"docs/guide.md": block})
    slot.write("docs/guide.md", "More.\n" + block)
    slot.write("title.rst", "Heading\n=======\n<<<<<<<\n>>>>>>> \n")
    slot.write("data.bin", b"\0" + block.encode())
    (slot.path / "link").symlink_to("docs/guide.md")
    assert isinstance(commit(git, slot), Committed)
    slot.write("docs/guide.md", block + block)
    with pytest.raises(LeftoversRefusedError):
        commit(git, slot)


def test_counting_conflicts() -> None:
    block = [b"<<<<<<< a\r\n", b"=======\r\n", b">>>>>>> b\r\n"]
    assert count_conflicts(block * 3) == 3
    assert count_conflicts([b"<<<<<<< a\n", *block]) == 1
    assert count_conflicts(block[:2]) == count_conflicts(block[1:]) == count_conflicts(block[::-1]) == 0
    assert count_conflicts([b"<<<<<<< a\n", *[b"=======\n"] * 200_000]) == 0


def test_a_repository_among_the_leftovers_is_not_made_a_gitlink(slot: GitRepo, git: Git) -> None:
    slot.git("init", "-q", "inner")
    GitRepo(slot.path / "inner").commit("inner", {"f": "1\n"})
    with pytest.raises(LeftoversRefusedError) as caught:
        commit(git, slot)
    assert (caught.value.code, caught.value.paths) == ("nested", ("inner",))
    assert slot.git("ls-files", "inner") == ""


@pytest.mark.parametrize("where", ["detached", "other-branch", "branch-gone", "unborn"])
def test_a_moved_head_pins_both(repo: GitRepo, slot: GitRepo, git: Git, where: str) -> None:
    tip = slot.commit("on the branch", {"n": "1\n"})
    if where == "detached":
        slot.git("checkout", "-q", "--detach", "main")
    elif where == "other-branch":
        slot.git("checkout", "-q", "-b", "side", "main")
    elif where == "branch-gone":
        slot.git("checkout", "-q", "--detach")
        slot.git("branch", "-D", "plan/x")
    else:
        slot.git("checkout", "-q", "--orphan", "fresh")
    head = None if where == "unborn" else slot.commit("elsewhere", {"m": "1\n"})
    slot.write("left", "x\n")
    done = commit(git, slot)
    assert isinstance(done, HeadMoved)
    assert (done.head, done.tip) == (head, None if where == "branch-gone" else tip)
    pinned = {repo.git("rev-parse", reference) for reference in done.references}
    assert pinned == {c for c in (done.head, done.tip) if c}
    assert all(reference.startswith("refs/planctl/archive/x/") for reference in done.references)
    assert (slot.path / "left").exists()
    assert commit(git, slot) == done, "asking again pins nothing new"
