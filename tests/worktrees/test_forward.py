"""A spotless slot is brought forward by what differs, and only a spotless one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.forward import bring_forward, is_spotless
from worktrees.git import Git
from worktrees.pool import Pool, SlotTree
from worktrees.repository import find


@pytest.fixture
def pool(repo: GitRepo, tmp_path: Path) -> Pool:
    git = Git(find(repo.path))
    git.ensure_desk()
    return Pool(git, tmp_path / "slots")


@pytest.mark.parametrize("number", [3, 60], ids=["few paths", "many paths"])
def test_a_spotless_slot_is_at_the_other_commit_whole(repo: GitRepo, pool: Pool, number: int) -> None:
    names = [f"src/folder/file [{n}]" for n in range(number)]
    old = repo.branch("old", dict.fromkeys(names, "old\n") | {"gone/deep/x": "1\n", "kept": "1\n"})
    repo.git("checkout", "-q", "old")
    repo.git("rm", "-q", "-r", "gone", names[0])
    new = repo.commit("new", dict.fromkeys(names[1:], "new\n") | {"src/more": "1\n"})
    tree = pool.add("slot-01", old)
    (tree.path / "build").mkdir()
    (tree.git_dir.parent.parent / "info/exclude").write_text("build/\n")
    (tree.path / "build/cache").write_text("kept\n")
    assert is_spotless(pool.git, tree)
    assert bring_forward(pool.git, tree, new)
    assert (tree.git_dir / "HEAD").read_text().strip() == new
    assert repo.git("status", "--porcelain", at=tree.path) == ""
    assert not (tree.path / "gone").exists()
    assert (tree.path / names[1]).read_text() == "new\n"
    assert (tree.path / "build/cache").exists()
    assert is_spotless(pool.git, tree)


@pytest.mark.parametrize("rule", [".gitignore", "src/.gitattributes", ".gitmodules"])
def test_files_that_rule_over_others_are_not_just_brought_forward(
    repo: GitRepo, pool: Pool, rule: str
) -> None:
    old = repo.head()
    tree = pool.add("slot-01", old)
    assert not bring_forward(pool.git, tree, repo.branch("work", {rule: "# more\n", "x": "1\n"}))
    assert repo.git("rev-parse", "HEAD", at=tree.path) == old
    assert not (tree.path / "x").exists()


def test_p9_an_ignored_file_in_the_way_is_left_to_who_rescues_it(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    work = repo.branch("work", {"new": "1\n"})
    (tree.git_dir.parent.parent / "info/exclude").write_text("new\n")
    (tree.path / "new").write_text("somebody's\n")
    assert not bring_forward(pool.git, tree, work)
    assert (tree.path / "new").read_text() == "somebody's\n"


def _edit(_: GitRepo, tree: SlotTree) -> None:
    (tree.path / "README.md").write_text("edited\n")


def _hide_an_edit(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("update-index", "--assume-unchanged", "README.md", at=tree.path)
    _edit(repo, tree)


def _stage(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("rm", "-q", "--cached", "README.md", at=tree.path)


def _repository(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("init", "-q", "inside", at=tree.path)


def _reference(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("update-ref", "refs/worktree/mine", "HEAD", at=tree.path)


def _folder(_: GitRepo, tree: SlotTree) -> None:
    (tree.path / "empty").mkdir()


def _bisect(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("bisect", "start", at=tree.path)


@pytest.mark.parametrize("spoil", [_edit, _hide_an_edit, _stage, _repository, _reference, _folder, _bisect])
def test_p9_what_a_rescue_or_a_sweep_would_see_is_a_spot(
    repo: GitRepo, pool: Pool, spoil: Callable[[GitRepo, SlotTree], None]
) -> None:
    tree = pool.add("slot-01", repo.head())
    assert is_spotless(pool.git, tree)
    spoil(repo, tree)
    assert not is_spotless(pool.git, tree)
